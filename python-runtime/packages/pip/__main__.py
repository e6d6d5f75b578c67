import os
import sys

from pip._commands import main

status = main(sys.argv[1:])
sys.stdout.flush()
sys.stderr.flush()
# Everything is written. CPython 3.14.0 may break when it takes apart what a failed resolution leaves.
os._exit(status)
