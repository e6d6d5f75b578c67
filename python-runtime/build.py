"""Makes python_runtime.wasm: `cargo xtask build` calls this with the folders that pip filled.

    python3 build.py SOURCES.json TOOL PACKAGES WORK OUTPUT

SOURCES.json is SOURCES.toml, TOOL holds componentize-py, PACKAGES the installed packages; WORK is empty and ours.
"""

import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TIMEOUT_SECONDS = 15 * 60

MODULE, COMPONENT = 1, 4
CORE_VERSION = b"\x01\x00\x00\x00"


def main(sources, tool, packages, work, output):
    with open(sources) as file:
        sources = json.load(file)
    site = os.path.join(work, "site")
    for package in sources["package"]:
        copy_package(package, packages, site)
    shutil.copytree(os.path.join(HERE, "packages"), site, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    bootstrap = os.path.join(work, "bootstrap")
    shutil.copytree(os.path.join(HERE, "bootstrap"), bootstrap, ignore=shutil.ignore_patterns("__pycache__"))
    # Whoever has no packages of an environment to offer gets those of the machine: so there is an empty one.
    nothing = os.path.join(work, "nothing")
    os.makedirs(os.path.join(nothing, "lib", "python3", "site-packages"))
    linked = os.path.join(work, "linked.wasm")
    command = [sys.executable, "-c", "import sys; from componentize_py import script; sys.exit(script())", "--quiet"]
    command += ["-d", os.path.join(HERE, "wit"), "-w", "python-runtime", "componentize", "wardian_boot"]
    command += ["-p", bootstrap, "-p", site, "-o", linked]
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": tool, "VIRTUAL_ENV": nothing}
    subprocess.run(command, env=environment, check=True, timeout=TIMEOUT_SECONDS)
    with open(linked, "rb") as file:
        component = file.read()
    with open(output, "wb") as file:
        file.write(stripped(component))


def copy_package(package, packages, site):
    """The files that the package installed itself, as its RECORD lists them: no compiled code, and only what is wanted."""
    name = package["name"].replace("-", "_").lower()
    folders = [entry for entry in os.listdir(packages) if entry.lower() == f"{name}-{package['version']}.dist-info"]
    if len(folders) != 1:
        raise SystemExit(f"{package['name']} {package['version']} is not in {packages}")
    with open(os.path.join(packages, folders[0], "RECORD")) as file:
        files = [line.rpartition(",")[0].rpartition(",")[0].strip('"') for line in file.read().splitlines()]
    only = {f"{name}/{entry}.py" for entry in package.get("only", ())}
    for entry in sorted(files):
        unwanted = entry.endswith((".so", ".pyc", ".c", ".pyi", ".pyx")) or entry.startswith(("..", "/"))
        if unwanted or (only and ".dist-info/" not in entry and entry not in only):
            continue
        os.makedirs(os.path.dirname(os.path.join(site, entry)), exist_ok=True)
        shutil.copyfile(os.path.join(packages, entry), os.path.join(site, entry))


def stripped(binary):
    """The same component or module without custom sections: names of functions, which nobody is shown."""
    is_module = binary[4:8] == CORE_VERSION
    parts, position = [binary[:8]], 8
    while position < len(binary):
        kind = binary[position]
        size, start = number(binary, position + 1)
        content = binary[start : start + size]
        position = start + size
        if kind == 0:
            continue
        if not is_module and kind in (MODULE, COMPONENT):
            content = stripped(content)
        parts += [bytes([kind]), encoded(len(content)), content]
    return b"".join(parts)


def number(binary, position):
    """LEB128: the number, and where it ends."""
    value = shift = 0
    while True:
        byte = binary[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def encoded(value):
    result = bytearray()
    while value >= 0x80:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)


if __name__ == "__main__":
    main(*sys.argv[1:])
