import re

text = "2024-01-02 ERROR disk full (code=28)\n2024-01-03 WARN slow (code=7)\nnonsense"
pattern = re.compile(r"^(?P<day>\d{4}-\d\d-\d\d) (?P<level>[A-Z]+) (?P<what>.*?) \(code=(\d+)\)$", re.M)
for match in pattern.finditer(text):
    print(match.groupdict(), match.span(), match[4])
print(re.sub(r"(\w+)@(\w+)", r"\2 at \1", "me@home you@work"))
print(re.split(r"[,;]\s*", "a, b;c,  d"))
print(re.fullmatch(r"(a|b)*", "abab").group(), re.match("x", "y"))
