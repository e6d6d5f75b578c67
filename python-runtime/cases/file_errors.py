import os

for work in (
    lambda: open("missing.txt"),
    lambda: open(".", "w"),
    lambda: os.mkdir("."),
    lambda: os.rmdir("missing"),
    lambda: open("x", "q"),
):
    try:
        work()
    except (OSError, ValueError) as error:
        print(type(error).__name__, getattr(error, "strerror", None) or error)
