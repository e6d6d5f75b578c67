class Problem(Exception):
    pass


def load(name):
    try:
        return {"a": 1}[name]
    except KeyError as error:
        raise Problem(f"cannot load {name}") from error


try:
    load("b")
except Problem:
    raise RuntimeError("while handling")
