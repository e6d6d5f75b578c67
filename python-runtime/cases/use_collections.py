from collections import ChainMap, Counter, OrderedDict, defaultdict, deque, namedtuple

Point = namedtuple("Point", "x y", defaults=[0])
print(Point(1), Point(1, 2)._asdict(), Point(1)._replace(y=5))
d = defaultdict(list)
for key, value in [("a", 1), ("b", 2), ("a", 3)]:
    d[key].append(value)
print(dict(d), deque([1, 2, 3], maxlen=2), ChainMap({"a": 1}, {"a": 2, "b": 3})["b"], Counter("hello") - Counter("lo"))
ordered = OrderedDict.fromkeys("abc")
ordered.move_to_end("a")
print(list(ordered), {1, 2} | {3}, {"a": 1} | {"b": 2}, frozenset([1]) <= {1, 2})
