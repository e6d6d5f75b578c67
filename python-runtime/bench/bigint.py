def run():
    a, b = 1, 1
    for _ in range(8000):
        a, b = b, a + b
    product = 1
    for n in range(1, 1200):
        product *= n
    return len(str(a)), pow(3, 10**60, 10**50 + 151) % 1000, product.bit_length()
