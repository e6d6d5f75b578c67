import traceback

try:
    int("x")
except ValueError:
    text = traceback.format_exc()
print(text.splitlines()[0], "|", text.splitlines()[-1])
try:
    raise ExceptionGroup("many", [ValueError("a"), TypeError("b")])
except* ValueError as group:
    print("values", group.exceptions)
except* TypeError as group:
    print("types", group.exceptions)
