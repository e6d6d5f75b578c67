import functools
import itertools
import operator

print(list(itertools.permutations("abc", 2))[:3], list(itertools.product([0, 1], repeat=2)), list(itertools.accumulate([1, 2, 3], operator.mul)))
rows = [("x", 1), ("y", 2), ("x", 3)]
print({key: [row[1] for row in group] for key, group in itertools.groupby(sorted(rows), key=operator.itemgetter(0))})
print(functools.reduce(lambda a, b: a * 10 + b, [1, 2, 3]), list(zip([1, 2], "ab", strict=True)), list(itertools.pairwise("abc")))
print(sorted(["b", "A", "c"], key=str.lower), max([3, 1, 2], key=lambda n: -n), [*map(int, "123")], any([]), all([]))
