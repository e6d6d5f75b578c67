"""What a sandbox without processes, threads and sockets cannot do: one sentence each, with what to do instead."""

import errno

_SANDBOX = "Wardian's sandbox "
PROCESSES = _SANDBOX + "starts no processes from Python; run commands with the Bash tool or from the shell"
THREADS = (
    _SANDBOX + "has no threads; call the function directly, or use concurrent.futures.ThreadPoolExecutor or asyncio, "
    "which run one thing at a time here"
)
SOCKETS = _SANDBOX + "has no sockets; http and https work, through urllib.request, http.client and requests"
NATIVE = _SANDBOX + "loads no native code; use a pure-Python module"
TERMINAL = _SANDBOX + "has no terminal to control; print plain text"
LEFT_OUT = "it is left out of " + _SANDBOX + "to keep Python small"

_INSTALL = _SANDBOX + "has no environments; python3 -m pip install puts packages into the workspace"
_FORMAT = "{} is not built into " + _SANDBOX.rstrip() + "; use gzip, zlib or zipfile, or the shell's {}"

MODULES = {
    "_ssl": _SANDBOX + "speaks TLS outside; https works, through ssl, urllib.request and requests",
    "_ctypes": NATIVE,
    "_bz2": _FORMAT.format("bzip2", "bzip2"),
    "_lzma": _FORMAT.format("xz", "xz"),
    "_zstd": _FORMAT.format("zstd", "zstd"),
    "mmap": _SANDBOX + "maps no files into memory; read the file with open()",
    "fcntl": _SANDBOX + "has no file locks or descriptor flags; one program at a time writes here",
    "resource": _SANDBOX + "sets limits from outside; time.process_time() measures time",
    "readline": TERMINAL,
    "termios": TERMINAL,
    "_curses": TERMINAL,
    "curses": TERMINAL,
    "_curses_panel": TERMINAL,
    "_posixsubprocess": PROCESSES,
    "_multiprocessing": PROCESSES,
    "_posixshmem": PROCESSES,
    "concurrent.futures.process": PROCESSES,
    "multiprocessing.connection": PROCESSES,
    "multiprocessing.dummy": THREADS,
    "multiprocessing.managers": PROCESSES,
    "multiprocessing.pool": PROCESSES,
    "multiprocessing.shared_memory": PROCESSES,
    "_interpreters": THREADS,
    "_interpqueues": THREADS,
    "_interpchannels": THREADS,
    "_remote_debugging": PROCESSES,
    "ctypes": NATIVE,
    "pwd": _SANDBOX + "has no users; os.environ and pathlib.Path.cwd() say where a program is",
    "grp": _SANDBOX + "has no groups",
    "syslog": _SANDBOX + "has no system log; use logging",
    "_uuid": "uuid works without it",
    "_dbm": _SANDBOX + "has dbm.sqlite3 and dbm.dumb",
    "_gdbm": _SANDBOX + "has dbm.sqlite3 and dbm.dumb",
    "_tkinter": _SANDBOX + "has no display; write an image or an HTML file",
    "tkinter": _SANDBOX + "has no display; write an image or an HTML file",
    "turtle": _SANDBOX + "has no display; write an image or an HTML file",
    "turtledemo": _SANDBOX + "has no display; write an image or an HTML file",
    "idlelib": _SANDBOX + "has no display",
    "pydoc_data": LEFT_OUT,
    "_pyio": LEFT_OUT + "; io is there",
    "_pydatetime": LEFT_OUT + "; datetime is there",
    "_pydecimal": LEFT_OUT + "; decimal is there",
    "_hashlib": _SANDBOX + "has no OpenSSL; hashlib has md5, sha1, sha2, sha3 and blake2",
    "ensurepip": _INSTALL,
    "venv": _INSTALL,
    "numpy": NATIVE + ": statistics, array and math are there",
    "pandas": NATIVE + ": csv, sqlite3 and statistics are there",
    "scipy": NATIVE + ": statistics and math are there",
    "matplotlib": NATIVE + ": write SVG and show it with wardian.display()",
    "PIL": NATIVE,
    "lxml": NATIVE + ": xml.etree.ElementTree, html.parser and bs4 are there",
    "psutil": _SANDBOX + "has no processes to look at",
}

OS_FUNCTIONS = {
    name: PROCESSES
    for name in (
        "fork forkpty execv execve execl execle execlp execlpe execvp execvpe kill killpg wait waitpid "
        "posix_spawn posix_spawnp spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe"
    ).split()
}


def refuse(sentence, kind=OSError):
    """A function that raises, whatever it is called with."""
    number = errno.EACCES if kind is PermissionError else errno.ENOSYS

    def refused(*args, **kwargs):
        raise kind(number, sentence) if issubclass(kind, OSError) else kind(sentence)

    return refused
