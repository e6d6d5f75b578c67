from decimal import ROUND_HALF_UP, Decimal, getcontext
from fractions import Fraction

getcontext().prec = 30
print(Decimal(1) / Decimal(7), Decimal("1.10") + Decimal("2.2"), Decimal("2.675").quantize(Decimal("0.01"), ROUND_HALF_UP))
print(Decimal("2").sqrt(), Fraction(3, 4) + Fraction("0.125"), Fraction(1.5), sum([Fraction(1, n) for n in range(1, 6)]))
