import itertools


def run():
    most = 0
    for permutation in itertools.permutations(range(8)):
        flips, current = 0, list(permutation)
        while current[0]:
            end = current[0] + 1
            current[:end] = current[end - 1 :: -1] if end == len(current) else current[:end][::-1]
            flips += 1
        most = max(most, flips)
    return most
