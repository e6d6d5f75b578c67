"""The standard library and the packages beside it, in memory.

A component has no files of its own: once it is built, `/python` is gone. What was there lives in the dictionaries below
and is served by a path hook, so that the order of `sys.path` decides as always: a `json.py` of the user comes first.

Modules that many programs want are kept imported (`WARM`). They are not in `sys.modules`; an import that finds them gets
the ready module instead of a new one.
"""

import io
import marshal
import sys
from importlib._bootstrap import ModuleSpec, _call_with_frames_removed

ROOT = "/python"
SITE = ROOT + "/site-packages"

# By path.
CODE = {}
SOURCE = {}
DATA = {}
# Names in each folder.
FOLDERS = {}

# Imported and not yet asked for, by name.
WARM = {}
# What else an import of a warm module has brought into `sys.modules`, in order.
NEEDS = {}
# Called with a module of that name after it ran.
PATCHES = {}


def add(path, value, into):
    into[path] = value
    while path != ROOT:
        folder, _, name = path.rpartition("/")
        names = FOLDERS.setdefault(folder, {})
        if name in names:
            break
        names[name] = True
        path = folder


def is_file(path):
    return path in SOURCE or path in CODE or path in DATA


def read(path):
    for kind in (SOURCE, DATA):
        if path in kind:
            return kind[path]
    raise FileNotFoundError(2, "No such file or directory", path)


class Loader:
    """Of one module. What importlib, linecache, inspect, pkgutil and importlib.resources ask of a loader."""

    def __init__(self, name, path):
        self.name = name
        self.path = path
        self._is_warm = False

    def create_module(self, spec):
        module = WARM.pop(self.name, None)
        if module is None:
            return None
        self._is_warm = True
        for need in NEEDS.get(self.name, ()):
            if need not in sys.modules and need in WARM and not _is_shadowed(need):
                unpack(need)
        return module

    def exec_module(self, module):
        # A ready module is run again when it is reloaded.
        if self._is_warm:
            self._is_warm = False
            return
        # Tracebacks leave out importlib's frames, and by this ours.
        _call_with_frames_removed(exec, self.get_code(self.name), module.__dict__)
        patch = PATCHES.get(self.name)
        if patch is not None:
            patch(module)

    def get_code(self, name):
        code = CODE.get(self.path)
        if code is not None and not sys.flags.optimize:
            return marshal.loads(code)
        source = SOURCE.get(self.path)
        if source is None:
            return marshal.loads(code)
        return compile(source, self.path, "exec", dont_inherit=True, optimize=sys.flags.optimize)

    def get_source(self, name):
        source = SOURCE.get(self.path)
        if source is None:
            return None
        from importlib._bootstrap_external import decode_source

        return decode_source(source)

    def get_filename(self, name=None):
        return self.path

    def is_package(self, name):
        return self.path.endswith("/__init__.py")

    def get_data(self, path):
        return read(path)

    def get_resource_reader(self, name):
        if not self.is_package(name):
            return None
        from importlib.resources.abc import TraversableResources

        folder = self.path.rpartition("/")[0]
        return type("Reader", (TraversableResources,), {"files": lambda self: Resource(folder)})()


def unpack(name):
    """Puts a warm module where an import would."""
    module = sys.modules[name] = WARM.pop(name)
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)


def _is_shadowed(name):
    """Whether a folder before the standard library has a module of that name. Such a folder was read before now."""
    top = name.partition(".")[0]
    for entry in sys.path:
        if entry == ROOT:
            return False
        names = getattr(sys.path_importer_cache.get(entry), "_path_cache", ())
        if top in names or top + ".py" in names:
            return True
    return False


class Finder:
    """Of one folder."""

    def __init__(self, folder):
        self.folder = folder

    def find_spec(self, name, target=None):
        path = f"{self.folder}/{name.rpartition('.')[2]}"
        for file, folders in ((path + "/__init__.py", [path]), (path + ".py", None)):
            if file in SOURCE or file in CODE:
                spec = ModuleSpec(name, Loader(name, file), origin=file, is_package=bool(folders))
                spec.has_location = True
                if folders:
                    spec.submodule_search_locations = folders
                return spec
        if path in FOLDERS:
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [path]
            return spec
        return None

    def iter_modules(self, prefix=""):
        for name in sorted(FOLDERS.get(self.folder, ())):
            if name.endswith(".py") and name != "__init__.py":
                yield prefix + name[:-3], False
            elif is_file(f"{self.folder}/{name}/__init__.py"):
                yield prefix + name, True

    def invalidate_caches(self):
        pass


def hook(path):
    if path in FOLDERS:
        return Finder(path)
    raise ImportError("not in the snapshot", path=path)


class Resource:
    """A file or folder of a package, as importlib.resources hands them out."""

    def __init__(self, path):
        self._path = path

    @property
    def name(self):
        return self._path.rpartition("/")[2]

    def is_dir(self):
        return self._path in FOLDERS

    def is_file(self):
        return is_file(self._path)

    def iterdir(self):
        return (Resource(f"{self._path}/{name}") for name in sorted(FOLDERS.get(self._path, ())))

    def joinpath(self, *parts):
        path = self._path
        for part in "/".join(map(str, parts)).split("/"):
            if part == "..":
                path = path.rpartition("/")[0]
            elif part not in ("", "."):
                path = f"{path}/{part}"
        return Resource(path)

    __truediv__ = joinpath

    def open(self, mode="r", *args, **kwargs):
        stream = io.BytesIO(read(self._path))
        return stream if "b" in mode else io.TextIOWrapper(stream, *args, **kwargs)

    def read_bytes(self):
        return read(self._path)

    def read_text(self, encoding=None, errors=None):
        return read(self._path).decode(encoding or "utf-8", errors or "strict")

    def __str__(self):
        return self._path

    def __fspath__(self):
        return self._path

    def __repr__(self):
        return f"Resource({self._path!r})"
