def run():
    counts = {}
    for n in range(300000):
        key = n * 7919 % 10007
        counts[key] = counts.get(key, 0) + 1
    words = {}
    for n in range(60000):
        words.setdefault(f"w{n % 500}", []).append(n)
    return len(counts), sum(len(value) for value in words.values())
