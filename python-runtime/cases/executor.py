import concurrent.futures as cf


def square(n):
    if n == 3:
        raise ValueError("three")
    return n * n


with cf.ThreadPoolExecutor(max_workers=4) as pool:
    print(list(pool.map(str.upper, "abc")))
    futures = {pool.submit(square, n): n for n in range(5)}
    for future in sorted(cf.as_completed(futures), key=futures.get):
        print(futures[future], repr(future.exception()) if future.exception() else future.result())
