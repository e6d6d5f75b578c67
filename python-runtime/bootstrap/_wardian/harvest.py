"""Build time only: reads everything that a program may import into the archive, and imports what many will."""

import array
import builtins
import gc
import importlib.machinery
import importlib.util
import marshal
import os
import sys
import types

from _wardian import absent, archive, loop, patches, runner, session, tail, wire

# Where componentize-py shows the folders that it is given, in order: this one, and the packages.
PACKAGES = "/1"

# As code of importlib is called in tracebacks.
IMPORTLIB = "<frozen importlib._bootstrap_external>"

# What cannot work here, or is of no use to a program: see `absent`.
LEFT_OUT = {
    "__phello__", "config-3.14-wasm32-wasi", "curses", "ensurepip", "idlelib", "pydoc_data", "tkinter", "turtle.py",
    "turtledemo", "venv", "site-packages", "ctypes", "multiprocessing", "__hello__.py", "lib-dynload", "_pydatetime.py", "_pydecimal.py",
    "_pyio.py", "ssl.py", "_ios_support.py", "_android_support.py", "_apple_support.py", "_aix_support.py", "_osx_support.py",
}  # fmt: skip
LEFT_OUT_INSIDE = {"windows_events.py", "windows_utils.py", "proactor_events.py", "process.py"}

# Of the interactive interpreter only what debuggers and documentation import.
PYREPL = {"__init__.py", "pager.py", "trace.py", "types.py", "utils.py"}

# Source alone is enough where a module is rarely imported: compiling it then takes a millisecond for each kilobyte.
# These are kept compiled, and of packages the source is not kept.
COMPILED = tuple("""
    _colorize _collections_abc _compat_pickle _markupbase _opcode_metadata _strptime _sitebuiltins _weakrefset __future__
    _ast_unparse _py_warnings _pylong _threading_local ast/ asyncio/ base64 calendar cmd code codeop codecs colorsys
    compression/ concurrent/ configparser contextlib contextvars copyreg csv decimal difflib dis email/ encodings/ filecmp
    fileinput fractions getopt getpass gettext graphlib gzip hmac html/ http/__init__ http/client importlib/ ipaddress
    locale logging/ mimetypes numbers opcode pickle pkgutil platform posixpath pprint queue quopri sched secrets selectors
    shlex signal socket sqlite3/ stat statistics stringprep subprocess sysconfig/__init__ tarfile threading timeit
    tokenize tomllib/ tracemalloc unittest/ urllib/ uuid xml/etree/ xml/__init__ zipfile/ zoneinfo/
    _pytest/ attr/ attrs/ charset_normalizer/ dateutil/
    idna/__init__ idna/core idna/intranges idna/package_data iniconfig/ installer/ jinja2/ markupsafe/ pip/
    pluggy/ py pygments/ pytest/ requests/ resolvelib/ six ssl tabulate urllib3/ yaml/ tzdata/
""".split())  # fmt: skip

# Long comments on machinery that hardly anybody asks `help` for.
WITHOUT_DOCS = (
    "_pytest/", "attr/", "charset_normalizer/", "dateutil/", "idna/", "installer/", "jinja2/", "pygments/", "requests/",
    "resolvelib/", "tabulate", "urllib3/",
)  # fmt: skip

# Of the standard library, what programs seldom see in tracebacks: lines of these have no marks below them.
WITHOUT_COLUMNS = (
    "asyncio/", "concurrent/", "email/", "encodings/", "html/", "http/", "importlib/", "logging/", "pydoc", "tarfile",
    "unittest/", "urllib/", "xml/", "zipfile/",
)  # fmt: skip

# Kept imported: what agents' programs begin with. Costs nothing at a start and thrice its compiled size in memory.
WARM = """
    abc argparse base64 bisect collections collections.abc contextlib copy csv dataclasses datetime enum functools glob
    hashlib heapq io itertools json keyword linecache math operator os pathlib random re reprlib runpy shutil
    statistics string struct sys tempfile textwrap threading time traceback types typing unicodedata urllib.parse warnings
    weakref zlib
""".split()

# What `python3` has in `sys.modules` when a program starts.
PRESENT = """
    sys builtins _frozen_importlib _imp _thread _warnings _weakref _io marshal posix _frozen_importlib_external time
    zipimport _codecs codecs encodings.aliases encodings encodings.utf_8 _signal _abc abc io __main__ _stat stat
    _collections_abc errno genericpath posixpath os.path os _sitebuiltins site select
""".split()


def fill():
    _read("/python", archive.ROOT, True)
    _read(PACKAGES, archive.SITE, False)
    sys.path[:] = [archive.ROOT, archive.SITE]
    sys.path_hooks.insert(0, archive.hook)
    sys.meta_path.append(tail.Tail)
    sys.path_importer_cache.clear()
    _name_ourselves()
    patches.install()
    _adopt()
    needs = _warm()
    _stash(needs)
    _name_lasting()
    _tidy_memory()


def _name_ourselves():
    """Says in tracebacks what is ours. Frames of importlib are left out, and the archive's are as good as that."""
    for module in (absent, loop, patches, runner, session, wire, archive, tail):
        is_import = module in (archive, tail)
        _name(vars(module), IMPORTLIB if is_import else runner.FILE, set())
        module.__file__ = runner.FILE


def _name(namespace, file, seen):
    for value in list(namespace.values()):
        value = getattr(value, "__func__", value)
        if isinstance(value, types.FunctionType) and value.__code__.co_filename.startswith("/0/"):
            value.__code__ = _named(value.__code__, file)
        elif isinstance(value, type) and value.__module__.startswith("_wardian") and value not in seen:
            seen.add(value)
            _name(vars(value), file, seen)


def _named(code, file):
    consts = tuple(_named(const, file) if isinstance(const, types.CodeType) else const for const in code.co_consts)
    return code.replace(co_filename=file, co_consts=consts)


def _read(folder, into, is_stdlib):
    for path, folders, files in os.walk(folder):
        inner = path[len(folder):].lstrip("/")
        skipped = {"__pycache__"} | (LEFT_OUT_INSIDE if inner else LEFT_OUT if is_stdlib else set())
        if is_stdlib and inner == "_pyrepl":
            files = PYREPL & set(files)
        folders[:] = sorted(set(folders) - skipped)
        for file in sorted(set(files) - skipped):
            _file(os.path.join(path, file), f"{inner}/{file}".lstrip("/"), into, is_stdlib)


def _file(path, inner, into, is_stdlib):
    with open(path, "rb") as stream:
        content = stream.read()
    name = f"{into}/{inner}"
    if not inner.endswith(".py"):
        # Of the standard library only what its modules read; of packages not what only an installer does.
        wanted = inner.endswith((".txt", ".json", ".css")) if is_stdlib else not inner.endswith(("/RECORD", "/WHEEL"))
        if wanted and inner != "LICENSE.txt":
            archive.add(name, content, archive.DATA)
        return
    # Ends of packages that their pure half does without.
    if not is_stdlib and inner in ("_yaml/__init__.py", "yaml/cyaml.py", "dateutil/tzwin.py", "dateutil/tz/win.py"):
        return
    archive.add(name, content, archive.SOURCE)
    if inner.startswith(COMPILED):
        archive.CODE[name] = None


def _compile():
    """After the warm modules, which have their code already and need it again only where they are reloaded."""
    warm = {getattr(module, "__file__", None) for module in archive.WARM.values()}
    for name in list(archive.CODE):
        if name in warm:
            del archive.CODE[name]
            continue
        inner = name.removeprefix(archive.SITE + "/")
        code = compile(archive.SOURCE[name], name, "exec", dont_inherit=True)
        is_package = inner != name
        module = inner.removeprefix(archive.ROOT + "/")
        if is_package or module.startswith(WITHOUT_COLUMNS):
            code = _slimmed(code, not (is_package and module.startswith(WITHOUT_DOCS)))
        # Nobody reads tables of encodings, or packages, line by line.
        if is_package or module.startswith("encodings/"):
            del archive.SOURCE[name]
        archive.CODE[name] = marshal.dumps(code)


# Of a code object: its first constant is what it says of itself.
HAS_DOCSTRING = 0x4000000


def _slimmed(code, has_docs):
    """The same code without the columns of its instructions, which mark places in a source line."""
    consts = [_slimmed(const, has_docs) if isinstance(const, types.CodeType) else const for const in code.co_consts]
    if not has_docs and code.co_flags & HAS_DOCSTRING:
        consts[0] = ""
    return code.replace(co_consts=tuple(consts), co_linetable=_lines(code.co_linetable))


def _lines(table):
    """A table of positions, with lines alone: see `Objects/locations.md` of CPython."""
    entries, position = [], 0
    while position < len(table):
        kind, length = table[position] >> 3 & 15, (table[position] & 7) + 1
        position += 1
        delta = 0
        if kind in (13, 14):
            raw = shift = 0
            while True:
                byte = table[position]
                position += 1
                raw |= (byte & 63) << shift
                shift += 6
                if not byte & 64:
                    break
            delta = -(raw >> 1) if raw & 1 else raw >> 1
        elif 10 <= kind <= 12:
            delta = kind - 10
        # What is left of the entry are columns: bytes without the first bit.
        while position < len(table) and not table[position] & 128:
            position += 1
        is_line = kind != 15
        if entries and entries[-1][0] and is_line and delta == 0:
            entries[-1][2] += length
        else:
            entries.append([is_line, delta, length])
    result = bytearray()
    for is_line, delta, length in entries:
        while length > 0:
            result.append(128 | (13 if is_line else 15) << 3 | min(length, 8) - 1)
            if is_line:
                raw = -delta << 1 | 1 if delta < 0 else delta << 1
                while raw >= 64:
                    result.append(raw & 63 | 64)
                    raw >>= 6
                result.append(raw)
            delta = 0
            length -= 8
    return bytes(result)


def _adopt():
    """Modules that were read from a folder get the loader that they would have now."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if file.startswith(archive.ROOT + "/") and isinstance(
            getattr(module, "__loader__", None), importlib.machinery.SourceFileLoader
        ):
            spec = archive.Finder(file.removesuffix("/__init__.py").rpartition("/")[0]).find_spec(name)
            if spec is not None:
                module.__spec__, module.__loader__ = spec, spec.loader


def _warm():
    """Imports, and notes who asked for whom."""
    asked = {}
    original = builtins.__import__

    def noting(name, globals=None, locals=None, fromlist=(), level=0):
        result = original(name, globals, locals, fromlist, level)
        if globals is not None and level >= 0:
            full = importlib.util.resolve_name("." * level + name, globals.get("__package__") or "") if level else name
            targets = asked.setdefault(globals.get("__name__"), {})
            parts = full.split(".")
            for end in range(1, len(parts) + 1):
                targets[".".join(parts[:end])] = True
            for item in fromlist or ():
                if f"{full}.{item}" in sys.modules:
                    targets[f"{full}.{item}"] = True
        return result

    # What was imported before anybody listened.
    early = {name: module for name, module in sys.modules.items() if name not in PRESENT and not _is_ours(name)}
    builtins.__import__ = noting
    try:
        for name in WARM:
            importlib.import_module(name)
        for name, module in early.items():
            _imports_of(name, module, asked)
    finally:
        builtins.__import__ = original
    return asked


def _imports_of(name, module, asked):
    """What a module has asked for, as far as its namespace tells."""
    targets = asked.setdefault(name, {})
    for value in list(vars(module).values()):
        other = value.__name__ if isinstance(value, type(sys)) else getattr(value, "__module__", None)
        if isinstance(other, str) and other in sys.modules and other != name:
            targets[other] = True
    # Those that it has as attributes are there for whoever imports it alone.
    for other in list(sys.modules):
        parent, _, child = other.rpartition(".")
        if parent == name and hasattr(module, child):
            targets[other] = True


def _is_ours(name):
    first = name.partition(".")[0]
    return first in ("_wardian", "wardian_boot", "wit_world", "poll_loop") or first.startswith("componentize_py")


def _stash(asked):
    for name in list(sys.modules):
        if name in PRESENT or _is_ours(name):
            continue
        module = sys.modules.pop(name)
        # Built-in modules are found by themselves, and must not be made twice.
        archive.WARM[name] = module
    for name in archive.WARM:
        needs = {}
        _close(name, asked, needs)
        needs.pop(name, None)
        archive.NEEDS[name] = tuple(need for need in needs if need in archive.WARM)
    for name, module in archive.WARM.items():
        parent, _, child = name.rpartition(".")
        holder = archive.WARM.get(parent)
        if holder is not None and name not in archive.NEEDS[parent] and vars(holder).get(child) is module:
            delattr(holder, child)
    _compile()


def _close(name, asked, into):
    for need in asked.get(name, ()):
        if need not in into:
            into[need] = True
            _close(need, asked, into)


# Smaller ones stay filled.
HOLE_BYTES_MIN = 1 << 12

_filled = []


def _tidy_memory():
    """What was freed while building is filled with zeros, which the component need not carry. And small holes stay filled: what
    a program allocates then lies close together, where each page that it writes to has to be copied first."""
    sys.path_importer_cache.clear()
    gc.collect()
    # Behind everything: so large a hole there is not.
    highest = id(bytes(8 << 20))
    blocks = []
    for size in (1 << 20, 1 << 18, 1 << 16, 1 << 14, 1 << 12, 1 << 10, 600, 492, 364, 236, 108, 60, 44, 28, 12, 4):
        while True:
            block = bytes(size)
            if id(block) >= highest:
                break
            blocks.append(block)
    _filled.extend(block for block in blocks if len(block) < HOLE_BYTES_MIN)
    del blocks, block
    gc.collect()
    # Which attribute a type has, as remembered from the build: to forget that is to give back the names.
    sys._clear_internal_caches()
    gc.freeze()


def _name_lasting():
    """Tells the build what lives as long as the interpreter: the address of each object, and that of its type."""
    lasting, seen = [], set()
    waiting = [sys.modules, archive.WARM, *sys.modules.values()]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, types.FrameType):
            continue
        seen.add(id(item))
        if not sys._is_immortal(item):
            lasting += (id(item), id(type(item)))
        waiting += gc.get_referents(item)
    with open("/0/lasting", "wb") as file:
        file.write(array.array("I", lasting).tobytes())
