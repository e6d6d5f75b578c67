import re


def run():
    text = "2024-01-02 user@example.com GET /path/to/page?id=42 200 1234\n" * 1500
    found = 0
    for pattern in (r"(\d{4})-(\d\d)-(\d\d)", r"[\w.]+@[\w.]+", r"/(\w+)/(\w+)", r"(?:GET|POST) (\S+) (\d+)"):
        found += len(re.findall(pattern, text))
    return found, len(re.sub(r"\d+", "N", text))
