def describe(value):
    match value:
        case {"type": "point", "at": [x, y]}:
            return f"point {x},{y}"
        case [first, *rest] if rest:
            return f"list {first} and {len(rest)} more"
        case int() | float() as number:
            return f"number {number}"
        case str(text) if text.isupper():
            return "shouting"
        case None:
            return "nothing"
        case _:
            return "else"


for value in ({"type": "point", "at": [1, 2]}, [1, 2, 3], 4.5, "HEY", None, object):
    print(describe(value))
