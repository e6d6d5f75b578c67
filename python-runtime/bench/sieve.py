def run():
    size = 300000
    is_prime = [True] * size
    for n in range(2, int(size**0.5) + 1):
        if is_prime[n]:
            for multiple in range(n * n, size, n):
                is_prime[multiple] = False
    return sum(is_prime) - 2
