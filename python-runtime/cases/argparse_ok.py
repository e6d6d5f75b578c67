import argparse

parser = argparse.ArgumentParser(prog="tool", description="does things")
parser.add_argument("paths", nargs="+")
parser.add_argument("-n", "--number", type=int, default=3)
parser.add_argument("--mode", choices=["fast", "slow"], default="fast")
parser.add_argument("-v", action="count", default=0)
print(parser.parse_args())
