import itertools


def primes():
    found = []
    for n in itertools.count(2):
        if all(n % p for p in itertools.takewhile(lambda p: p * p <= n, found)):
            found.append(n)
            yield n


def echo():
    got = None
    while got != "stop":
        got = yield got
    return "done"


print(list(itertools.islice(primes(), 15)))
g = echo()
next(g)
print(g.send("a"), g.send("b"))
try:
    g.send("stop")
except StopIteration as stop:
    print(stop.value)
print(list(itertools.batched("abcdefg", 3)) if hasattr(itertools, "batched") else [("a", "b", "c"), ("d", "e", "f"), ("g",)])
