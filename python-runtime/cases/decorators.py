import contextlib
import functools


def logged(fn):
    @functools.wraps(fn)
    def inner(*args, **kwargs):
        print("call", fn.__name__, args, kwargs)
        return fn(*args, **kwargs)

    return inner


@logged
@functools.lru_cache(maxsize=None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@contextlib.contextmanager
def section(name):
    print("enter", name)
    try:
        yield name.upper()
    except ValueError as error:
        print("swallowed", error)
    finally:
        print("leave", name)


with section("one") as name:
    print(name, fib(5))
    raise ValueError("inside")
with contextlib.suppress(KeyError), contextlib.ExitStack() as stack:
    stack.callback(print, "popped")
    {}["missing"]
