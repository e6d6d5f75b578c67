import math
import string

print(f"{math.pi:.3f} {1234567.891:,.2f} {255:#x} {255:08b} {0.000012345:e} {42:+d} {-7:>6}|{'mid':^9}|{'l':<4}|")
print(f"{'x' * 3!r:>8} {3 + 4 = } {1e300 * 10} {float('inf')} {-0.0} {1 / 3} {0.1 + 0.2}")
print("%s %5.1f %-5s| %03d %r %%" % ("a", 2.55, "b", 7, "q"))
print("{0} {1!r} {name:>{width}}".format("p", "q", name="n", width=5), string.Template("$who has $$5").substitute(who="I"))
print(10**30, 2**100 // 3, -7 // 2, -7 % 3, divmod(17, -5), round(2.5), round(-0.5), int("ff", 16))
