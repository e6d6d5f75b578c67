"""The command line: `install`, `uninstall`, `list`, `freeze`, `show`."""

import argparse
import importlib.metadata
import json
import os
import sys

import pip
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pip import _index, _install

FOLDER = ".wardian/site-packages"


class Wrong(Exception):
    """Said without a traceback; the status is 1."""


def main(arguments):
    parser = argparse.ArgumentParser("pip", description="Pure-Python packages, for programs in Wardian's sandbox.")
    parser.add_argument("-V", "--version", action="version", version=f"pip {pip.__version__} in Wardian's sandbox")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (about, flags) in COMMANDS.items():
        command = commands.add_parser(name, help=about, description=about)
        for words, options in (*flags, *EVERYWHERE):
            command.add_argument(*words, **options)
    options = parser.parse_args(arguments)
    try:
        RUN[options.command](options)
        return 0
    except (Wrong, _index.Wrong, _install.Wrong, InvalidRequirement) as error:
        print(f"ERROR: {error}", file=sys.stderr)
    except OSError as error:
        # Of a refused request the text names the flag that allows it.
        reason = getattr(error, "reason", error)
        place = f": {reason.filename}" if getattr(reason, "filename", None) else ""
        print(f"ERROR: {getattr(reason, 'strerror', None) or reason}{place}", file=sys.stderr)
    return 1


def _flag(*words, **options):
    return words, options


EVERYWHERE = (
    _flag("-q", "--quiet", action="store_true", help="say nothing but what is wrong"),
    _flag("--disable-pip-version-check", action="store_true", help=argparse.SUPPRESS),
    _flag("--no-cache-dir", action="store_true", help=argparse.SUPPRESS),
    _flag("--no-input", action="store_true", help=argparse.SUPPRESS),
    _flag("--root-user-action", help=argparse.SUPPRESS),
)
COMMANDS = {
    "install": (
        "Installs packages and what they need.",
        (
            _flag("requirements", nargs="*", metavar="NAME", help="a name, with conditions if need be, or a wheel's file or URL"),
            _flag("-r", "--requirement", action="append", default=[], metavar="FILE", help="read names from this file"),
            _flag("-t", "--target", metavar="DIR", help=f"install there (default: {FOLDER} of the workspace)"),
            _flag("-i", "--index-url", metavar="URL", help="the index (also PIP_INDEX_URL)"),
            _flag("-U", "--upgrade", action="store_true", help="take newer versions of what is there"),
            _flag("--pre", action="store_true", help="take versions that are not released yet"),
            _flag("--no-deps", action="store_true", help="without what they need"),
            _flag("--user", action="store_true", help=argparse.SUPPRESS),
            _flag("--break-system-packages", action="store_true", help=argparse.SUPPRESS),
        ),
    ),
    "uninstall": (
        "Removes packages of the workspace.",
        (
            _flag("names", nargs="+", metavar="NAME", help="a package"),
            _flag("-y", "--yes", action="store_true", help="accepted; nobody is asked"),
        ),
    ),
    "list": (
        "Lists packages.",
        (_flag("--format", choices=("columns", "freeze", "json"), default="columns", help="how to print them"),),
    ),
    "freeze": ("Lists packages of the workspace as requirements.", ()),
    "show": ("Says what a package is.", (_flag("names", nargs="+", metavar="NAME", help="a package"),)),
}


def folder():
    """Where packages of the workspace are, or will be: above here, else at its root."""
    here = os.getcwd()
    parts = here.rstrip("/").split("/")
    for end in range(len(parts), 0, -1):
        found = os.path.join("/".join(parts[:end]) or "/", FOLDER)
        if os.path.isdir(found):
            return found
    root = "/workspace" if here.startswith("/workspace") else here
    return os.path.join(root, FOLDER)


def _install_packages(options):
    wanted = [_requirement(text) for text in options.requirements]
    for file in options.requirement:
        wanted += _read(file)
    if not wanted:
        raise Wrong("name a package, or a file of names with -r")
    say = (lambda text: None) if options.quiet else print
    target = os.path.abspath(options.target) if options.target else folder()
    url = options.index_url or os.environ.get("PIP_INDEX_URL") or _default()
    index = _index.Index(url, options.pre, say)
    chosen = _install.resolve(index, wanted, target, bool(options.target), options.upgrade, not options.no_deps)
    if not chosen:
        say("Requirement already satisfied: " + ", ".join(str(item) for item in wanted))
        return
    for candidate in chosen:
        _install.put(candidate, target)
    say("Successfully installed " + " ".join(f"{candidate.name}-{candidate.version}" for candidate in chosen))


def _default():
    """The index that pip itself takes."""
    from pip._internal.models.index import PyPI

    return PyPI.simple_url


def _requirement(text):
    if text.endswith(".whl") or "://" in text.partition("@")[0]:
        return _index.local(text)
    if text.startswith((".", "/")) or text == "-e":
        raise Wrong(f"{text}: projects are not built here; only wheels can be installed")
    return Requirement(text)


def _read(file):
    with open(file) as stream:
        lines = stream.read().replace("\\\n", " ").splitlines()
    for number, line in enumerate(lines, 1):
        line = line.partition(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("-"):
            raise Wrong(f"{file}:{number}: options in such files are not known here: {line}")
        yield _requirement(line.partition(" --hash")[0])


def _distributions(path=None):
    found = importlib.metadata.distributions(path=path) if path else importlib.metadata.distributions()
    return {canonicalize_name(item.name): item for item in reversed(list(found)) if item.name}


def _uninstall(options):
    here = _distributions([folder()])
    for name in options.names:
        if canonicalize_name(name) not in here:
            known = canonicalize_name(name) in _distributions()
            raise Wrong(f"{name} is part of Wardian's Python" if known else f"{name} is not installed")
        item = here[canonicalize_name(name)]
        what = f"{item.name}-{item.version}"
        _install.remove(item)
        if not options.quiet:
            print(f"Successfully uninstalled {what}")


def _list(options):
    items = sorted(_distributions().items())
    if options.format == "json":
        print(json.dumps([{"name": item.name, "version": item.version} for _, item in items]))
    elif options.format == "freeze":
        _print_frozen(item for _, item in items)
    else:
        width = max([7, *(len(item.name) for _, item in items)])
        print(f"{'Package':{width}} Version\n{'-' * width} -------")
        for _, item in items:
            print(f"{item.name:{width}} {item.version}")


def _freeze(options):
    _print_frozen(item for _, item in sorted(_distributions([folder()]).items()))


def _print_frozen(items):
    for item in items:
        print(f"{item.name}=={item.version}")


def _show(options):
    known = _distributions()
    for number, name in enumerate(options.names):
        item = known.get(canonicalize_name(name))
        if item is None:
            raise Wrong(f"{name} is not installed")
        data = item.metadata
        print("---\n" * bool(number) + f"Name: {item.name}\nVersion: {item.version}")
        for title, key in (("Summary", "Summary"), ("Home-page", "Home-page"), ("License", "License-Expression")):
            print(f"{title}: {data.get(key) or data.get(title) or ''}")
        needs = [Requirement(text) for text in item.requires or ()]
        print("Requires: " + ", ".join(need.name for need in needs if not need.marker or need.marker.evaluate({"extra": ""})))


RUN = {"install": _install_packages, "uninstall": _uninstall, "list": _list, "freeze": _freeze, "show": _show}
