def outer(values):
    return [inner(value) for value in values]


def inner(value):
    return 10 / value


print("before")
outer([1, 0])
