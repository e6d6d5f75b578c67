def risky(n):
    if n % 3 == 0:
        raise ValueError(n)
    return n


def run():
    caught = 0
    for n in range(150000):
        try:
            risky(n)
        except ValueError:
            caught += 1
    return caught
