"""Makes python_runtime.wasm: `cargo xtask build` calls this with the folders that pip filled.

    python3 build.py SOURCES.json TOOL PACKAGES WASM_OPT OPTIMIZED WORK OUTPUT

SOURCES.json is SOURCES.toml, TOOL holds componentize-py, PACKAGES the installed packages, WASM_OPT is a program for Node.js;
OPTIMIZED keeps what it made of large modules, WORK is empty and ours.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys

import addresses
import lasting
import wasm

HERE = os.path.dirname(os.path.abspath(__file__))
TIMEOUT_SECONDS = 15 * 60

# Of the contracts in the repository, and of the component's world.
VENDORED, LINKED = "0.2.6", "0.2.12"
OURS = ("wardian-process", "wardian-tool")
EXIT = "  exit: func(status: result);\n"
EXIT_WITH_CODE = f"  @since(version = {LINKED})\n  exit-with-code: func(status-code: u8);\n"

CUSTOM, MODULE, COMPONENT = 0, 1, 4

# What the compiler of the linked libraries left undone is worth a minute of work where there is much code.
OPTIMIZED_BYTES_MIN = 1 << 20
CODE = 10
OPTIMIZE = ["-O3"] + [
    f"--enable-{feature}"
    for feature in (
        "bulk-memory", "extended-const", "multivalue", "mutable-globals", "nontrapping-float-to-int", "reference-types", "sign-ext", "simd",
    )
]  # fmt: skip


def main(sources, tool, packages, wasm_opt, kept, work, output):
    with open(sources) as file:
        sources = json.load(file)
    site = os.path.join(work, "site")
    for package in sources["package"]:
        copy_package(package, packages, site)
    shutil.copytree(os.path.join(HERE, "packages"), site, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    bootstrap = os.path.join(work, "bootstrap")
    shutil.copytree(os.path.join(HERE, "bootstrap"), bootstrap, ignore=shutil.ignore_patterns("__pycache__"))
    wit = os.path.join(work, "wit")
    shutil.copytree(os.path.join(HERE, "wit"), wit)
    copy_contracts(os.path.join(wit, "deps"))
    # Whoever has no packages of an environment to offer gets those of the machine: so there is an empty one.
    nothing = os.path.join(work, "nothing")
    os.makedirs(os.path.join(nothing, "lib", "python3", "site-packages"))
    linked = os.path.join(work, "linked.wasm")
    command = [sys.executable, "-c", "import sys; from componentize_py import script; sys.exit(script())", "--quiet"]
    command += ["-d", wit, "-w", "python-runtime", "componentize", "wardian_boot"]
    command += ["-p", bootstrap, "-p", site, "-o", linked]
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": tool, "VIRTUAL_ENV": nothing}
    subprocess.run(command, env=environment, check=True, timeout=TIMEOUT_SECONDS)
    with open(linked, "rb") as file:
        component = file.read()
    with open(os.path.join(bootstrap, "lasting"), "rb") as file:
        component = lasting.made_immortal(component, file.read())
    with open(output, "wb") as file:
        file.write(optimized(stripped(addresses.written_in(component)), wasm_opt, kept, work))


def copy_contracts(target):
    """WASI's, as the version that the linker accepts beside what its own libraries have. Releases of 0.2 only add. And those
    of Wardian that the world names."""
    contracts = os.path.join(HERE, "..", "wit")
    for name in sorted(os.listdir(contracts)):
        if name not in OURS and (not name.startswith("wasi-") or name == "wasi-config"):
            continue
        for file in sorted(os.listdir(os.path.join(contracts, name))):
            with open(os.path.join(contracts, name, file)) as stream:
                text = stream.read().replace(f"@{VENDORED}", f"@{LINKED}")
            # Since then there is one function more.
            text = text.replace(EXIT, EXIT + EXIT_WITH_CODE)
            os.makedirs(os.path.join(target, name), exist_ok=True)
            with open(os.path.join(target, name, file), "w") as stream:
                stream.write(text)


def copy_package(package, packages, site):
    """The files that the package installed itself, as its RECORD lists them: no compiled code, and only what is wanted."""
    name = package["name"].replace("-", "_").lower()
    folders = [entry for entry in os.listdir(packages) if entry.lower() == f"{name}-{package['version']}.dist-info"]
    if len(folders) != 1:
        raise SystemExit(f"{package['name']} {package['version']} is not in {packages}")
    with open(os.path.join(packages, folders[0], "RECORD")) as file:
        files = [line.rpartition(",")[0].rpartition(",")[0].strip('"') for line in file.read().splitlines()]
    only = {f"{name}/{entry}.py" for entry in package.get("only", ())}
    without = tuple(f"{name}/{entry}" for entry in package.get("without", ()))
    for entry in sorted(files):
        unwanted = entry.endswith((".so", ".pyc", ".c", ".pyi", ".pyx", ".exe")) or entry.startswith(("..", "/", *without))
        if unwanted or (only and "_vendor" in entry) or (only and ".dist-info/" not in entry and entry not in only):
            continue
        os.makedirs(os.path.dirname(os.path.join(site, entry)), exist_ok=True)
        shutil.copyfile(os.path.join(packages, entry), os.path.join(site, entry))
        if entry.endswith(".dist-info/METADATA"):
            without_readme(os.path.join(site, entry))


def without_readme(file):
    """Metadata end with what a package's page on an index says."""
    with open(file, encoding="utf-8") as stream:
        head = stream.read().partition("\n\n")[0]
    with open(file, "w", encoding="utf-8") as stream:
        stream.write(head + "\n")


def stripped(binary):
    """The same component or module without custom sections: names of functions, which nobody is shown."""
    parts = []
    for kind, content in wasm.sections(binary):
        if kind in (MODULE, COMPONENT) and not wasm.is_module(binary):
            content = stripped(content)
        if kind != CUSTOM:
            parts.append((kind, content))
    return wasm.joined(binary[:8], parts)


def optimized(component, wasm_opt, kept, work):
    """The same component with faster code. The libraries are the same in most builds, so what became of them is kept."""
    parts = list(wasm.sections(component))
    for at, (kind, content) in enumerate(parts):
        code = sum(len(code) for section, code in wasm.sections(content) if section == CODE) if kind == MODULE else 0
        if code >= OPTIMIZED_BYTES_MIN:
            parts[at] = kind, optimized_module(content, wasm_opt, kept, work)
    return wasm.joined(component[:8], parts)


def optimized_module(module, wasm_opt, kept, work):
    with open(wasm_opt, "rb") as file:
        program = hashlib.sha256(file.read()).digest()
    name = hashlib.sha256(module + program + " ".join(OPTIMIZE).encode()).hexdigest()
    path = os.path.join(kept, f"{name}.wasm")
    if not os.path.exists(path):
        before, after = os.path.join(work, "before.wasm"), os.path.join(work, "after.wasm")
        with open(before, "wb") as file:
            file.write(module)
        subprocess.run(["node", wasm_opt, *OPTIMIZE, before, "-o", after], check=True, timeout=TIMEOUT_SECONDS)
        os.makedirs(kept, exist_ok=True)
        shutil.copyfile(after, path + ".new")
        os.replace(path + ".new", path)
    with open(path, "rb") as file:
        return file.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
