import sys

from pip._commands import main

sys.exit(main(sys.argv[1:]))
