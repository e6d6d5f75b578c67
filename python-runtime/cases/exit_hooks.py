import atexit
import sys


class Loud:
    def __del__(self):
        print("collected")


kept = Loud()
atexit.register(print, "second")
atexit.register(print, "first")
sys.stdout.write("no newline ")
raise SystemExit(3)
