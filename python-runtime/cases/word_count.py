import collections
import re
import sys

words = re.findall(r"[a-z']+", sys.stdin.read().lower())
for word, count in collections.Counter(words).most_common(5):
    print(f"{count:>4} {word}")
