"""The command line and the environment, as `python3` reads them."""

import os
import sys

USAGE = "usage: {0} [option] ... [-c cmd | -m mod | file | -] [arg] ...\n"
TRY = "Try `python -h' for more information.\n"
HELP = """Options (and corresponding environment variables):
-B     : don't write .pyc files on import (always so here)
-c cmd : program passed in as string (terminates option list)
-E     : ignore PYTHON* environment variables (such as PYTHONPATH)
-h     : print this help message and exit (also -? or --help)
-i     : inspect interactively after running script; also PYTHONINSPECT=x
-I     : isolate Python from the user's environment (implies -E, -P and -s)
-m mod : run library module as a script (terminates option list)
-O     : remove assert and __debug__-dependent statements; also PYTHONOPTIMIZE=x
-OO    : do -O changes and also discard docstrings
-P     : don't prepend a potentially unsafe path to sys.path; also PYTHONSAFEPATH
-q     : don't print version and copyright messages on interactive startup
-s     : don't add user site directory to sys.path
-S     : don't imply 'import site' on initialization
-u     : force the stdout and stderr streams to be unbuffered; also PYTHONUNBUFFERED=x
-V     : print the Python version number and exit (also --version)
-W arg : warning control; also PYTHONWARNINGS=arg
-X opt : set implementation-specific option
file   : program read from script file
-      : program read from stdin (default; interactive mode if a tty)
arg ...: arguments passed to program in sys.argv[1:]
"""

# The program may put another in its place.
ENVIRONMENT = os.environ

_FLAGS = {
    "b": "bytes_warning", "B": "dont_write_bytecode", "d": "debug", "E": "ignore_environment", "i": "inspect",
    "I": "isolated", "O": "optimize", "P": "safe_path", "q": "quiet", "s": "no_user_site", "S": "no_site", "v": "verbose",
    "x": None, "R": None, "t": None,
}  # fmt: skip


class Usage(Exception):
    """Text for standard error; the status is 2."""


class Done(Exception):
    """Text for standard output; the status is 0."""


class Options:
    def __init__(self):
        self.flags = {}
        self.is_unbuffered = False
        self.skips_first_line = False
        self.warnings = []
        self.implementation = {}
        # "command", "module", "file", "stdin"
        self.kind = "stdin"
        self.program = None
        self.arguments = []

    def has(self, flag):
        return bool(self.flags.get(flag))

    def variable(self, name):
        """An environment variable that is set to something, unless they are to be ignored."""
        if self.flags.get("ignore_environment"):
            return None
        # The mapping itself raises, and catches, an error for each name that is not there.
        value = ENVIRONMENT._data.get(name.encode())
        return os.fsdecode(value) if value else None


def parse(arguments):
    options = Options()
    rest = list(arguments[1:])

    def called():
        return USAGE.format(os.path.basename(arguments[0]) if arguments else "python3")

    def wrong(text):
        return Usage(text + "\n" + called() + TRY)

    def value(letter, following):
        if following:
            return following
        if not rest:
            raise wrong(f"Argument expected for the -{letter} option")
        return rest.pop(0)

    while rest:
        argument = rest[0]
        if argument == "-" or not argument.startswith("-"):
            break
        rest.pop(0)
        if argument == "--":
            break
        if argument.startswith("--"):
            if argument == "--version":
                raise Done(f"Python {sys.version.split()[0]}\n")
            if argument in ("--help", "--help-all"):
                raise Done(called() + HELP)
            if argument == "--check-hash-based-pycs":
                value(argument, "")
                continue
            raise wrong(f"unknown option {argument}")
        letters = argument[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter == "c":
                options.kind, options.program = "command", value(letter, letters)
            elif letter == "m":
                options.kind, options.program = "module", value(letter, letters)
            elif letter == "W":
                options.warnings.append(value(letter, letters))
                letters = ""
            elif letter == "X":
                name, equals, setting = value(letter, letters).partition("=")
                options.implementation[name] = setting if equals else True
                letters = ""
            elif letter == "V":
                full = "V" in letters
                raise Done(f"Python {sys.version if full else sys.version.split()[0]}\n")
            elif letter in "h?":
                raise Done(called() + HELP)
            elif letter == "u":
                options.is_unbuffered = True
            elif letter in _FLAGS:
                options.skips_first_line |= letter == "x"
                if _FLAGS[letter] is not None:
                    options.flags[_FLAGS[letter]] = options.flags.get(_FLAGS[letter], 0) + 1
            else:
                raise wrong(f"Unknown option: -{letter}")
            if options.kind != "stdin":
                break
        if options.kind != "stdin":
            break
    if options.kind == "stdin" and rest:
        first = rest.pop(0)
        options.kind, options.program = ("stdin", first) if first == "-" else ("file", first)
    options.arguments = rest
    _environment(options)
    return options


def _environment(options):
    if options.has("isolated"):
        options.flags.update(ignore_environment=1, no_user_site=1, safe_path=True)
    # Most environments say nothing.
    if any(name.startswith(b"PYTHON") for name in ENVIRONMENT._data):
        _variables(options)
    if options.implementation.get("dev") or options.has("dev_mode"):
        options.flags["dev_mode"] = True
        options.warnings.insert(0, "default")


def _variables(options):
    for variable, flag in (("PYTHONOPTIMIZE", "optimize"), ("PYTHONINSPECT", "inspect"), ("PYTHONVERBOSE", "verbose")):
        text = options.variable(variable)
        if text:
            options.flags[flag] = max(options.flags.get(flag, 0), int(text) if text.isdecimal() else 1)
    for variable, flag in (("PYTHONSAFEPATH", "safe_path"), ("PYTHONDEVMODE", "dev_mode")):
        if options.variable(variable):
            options.flags[flag] = True
    options.is_unbuffered |= bool(options.variable("PYTHONUNBUFFERED"))
    options.warnings[:0] = [entry for entry in (options.variable("PYTHONWARNINGS") or "").split(",") if entry]
