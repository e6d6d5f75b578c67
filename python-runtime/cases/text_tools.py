import difflib
import fnmatch
import shlex
import textwrap

print(textwrap.fill("the quick brown fox jumps over the lazy dog", 20), textwrap.dedent("  a\n   b"), sep="\n")
print("\n".join(difflib.unified_diff(["a", "b", "c"], ["a", "x", "c"], "old", "new", lineterm="")))
print(difflib.get_close_matches("appel", ["ape", "apple", "peach"]), shlex.split("a 'b c' d\\ e"), shlex.quote("it's"))
print(fnmatch.filter(["a.py", "b.txt"], "*.py"), "a-b_c".partition("-"), "x=1=2".rsplit("=", 1), "abc".translate({97: "A"}))
