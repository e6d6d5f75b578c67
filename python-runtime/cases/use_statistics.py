import math
import random
import statistics

values = [2, 4, 4, 4, 5, 5, 7, 9]
print(statistics.mean(values), statistics.median(values), statistics.pstdev(values), statistics.mode(values))
print(statistics.quantiles(values, n=4), statistics.correlation([1, 2, 3], [2, 4, 7]))
print(math.comb(10, 3), math.isclose(0.1 + 0.2, 0.3), math.hypot(3, 4), math.gcd(12, 18), math.factorial(20), math.prod([1, 2, 3]))
random.seed(42)
print([random.randint(1, 100) for _ in range(5)], random.sample(range(10), 3), random.choice("abc"), random.random())
