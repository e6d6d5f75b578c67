"""Runs one program and ends as `python3` does: the same `__main__`, tracebacks, flushes, and exit status."""

import builtins
import gc
import io
import os
import sys
import types

from _wardian import archive, options as command_line, session

WORKSPACE_PACKAGES = ".wardian/site-packages"

# The variable that names the file of a session's variables. No program sees it.
SESSION = "WARDIAN_SESSION"

# Modules from there stay as they are when a program ends: ours, and those that were not read from the workspace.
_FOREIGN = (archive.ROOT + "/", "/0/", "/world/", "/bundled/", "<")

# What our own code is called in tracebacks.
FILE = "<wardian>"


# The session whose variables are in memory, and the module that has them.
_alive = None

# What its programs read from, and how, as long as nobody has read from it.
_input = None

# Where its programs write to, and how: who has it from an earlier call, as a logger does, goes on writing there.
_outputs = None


def guarded_main(cwd, exit_with_code):
    """What escapes from the program's end, such as an interrupted flush, is told and is no panic."""
    return _guarded_end(lambda: main(cwd, exit_with_code, os.environ.pop(SESSION, None)))


def guarded_again(arguments, variables, cwd, exit_with_code):
    """The same for an interpreter that lives on: arguments and environment are those of this program alone."""

    def run():
        sys.argv = list(arguments)
        _environment(variables)
        return main(cwd, exit_with_code, dict(variables).get(SESSION), lives_on=True)

    return _guarded_end(run)


def _environment(variables):
    environment = os.environ = command_line.ENVIRONMENT
    wanted = {os.fsencode(name): os.fsencode(value) for name, value in variables if name != SESSION}
    # Most calls of a session have the same ones.
    if environment._data != wanted:
        environment.clear()
        environment.update(pair for pair in variables if pair[0] != SESSION)


def _guarded_end(run):
    try:
        return run()
    except BaseException as error:
        sys.__excepthook__(type(error), error, error.__traceback__)
        return 1


def main(cwd, exit_with_code, kept, lives_on=False):
    """Returns the status. `exit_with_code` ends everything at once, for `os._exit`; `kept` is the file of a session's variables."""
    global _alive
    sys.orig_argv = list(sys.argv)
    _os_exit(exit_with_code)
    _change_folder(cwd)
    try:
        options = command_line.parse(sys.argv)
    except command_line.Usage as usage:
        os.write(2, str(usage).encode())
        return 2
    except command_line.Done as done:
        os.write(1, str(done).encode())
        return 0
    _configure(options)
    if kept and _alive is not None and _alive[0] == kept:
        module = _alive[1]
    else:
        module = types.ModuleType("__main__")
        module.__builtins__ = builtins
    # Those who unpickle functions look there.
    sys.modules["__main__"] = module
    if kept and _alive is None:
        session.prepare()
        for line in session.load(module, kept):
            print(line, file=sys.stderr)
    status = _run(options, module)
    if kept:
        lines = session.save(module, kept)
        if not lives_on:
            for line in lines:
                print(line, file=sys.stderr)
    if options.has("inspect") and options.kind != "stdin":
        status = _guarded(lambda: _interact(module, banner=""))
    if kept and lives_on:
        _alive = (kept, module)
        return _pause(status)
    return _finish(module, status)


def _os_exit(exit_with_code):
    def _exit(status):
        """Exit to the system with specified status, without normal exit processing."""
        exit_with_code(status & 0xFF)

    os._exit = sys.modules["posix"]._exit = _exit


def _change_folder(cwd):
    # The workspace itself is never gone.
    if cwd == "/workspace" == os.getcwd():
        return
    # Whoever starts us says where we are; a shell says it in PWD, too.
    for folder in (cwd, os.environ.get("PWD"), "/workspace"):
        if folder:
            try:
                os.chdir(folder)
                return
            except OSError:
                continue


def _configure(options):
    if options.flags:
        flags = {name: value for name, value in options.flags.items()}
        for name in ("safe_path", "dev_mode"):
            if name in flags:
                flags[name] = bool(flags[name])
        sys.flags = sys.flags.__replace__(**flags)
    if options.has("optimize"):
        _optimize()
    # Workspaces stay free of __pycache__: what a program changes is shown to a person.
    sys.dont_write_bytecode = True
    _streams(options)
    _search_path(options)
    if options.has("no_site"):
        for name in ("exit", "quit", "copyright", "credits", "license", "help"):
            if hasattr(builtins, name):
                delattr(builtins, name)
    if options.implementation:
        sys._xoptions.update(options.implementation)
    if options.warnings:
        sys.warnoptions[:] = options.warnings
        import warnings

        warnings._processoptions(options.warnings)
    if "WARDIAN_DISPLAY" in os.environ:
        import wardian

        wardian._shown = 0
        builtins.display = wardian.display


def _optimize():
    """The interpreter was started without -O; what it compiles from files of the workspace follows the option all the same."""
    from importlib._bootstrap_external import SourceLoader

    def source_to_code(self, data, path, *, _optimize=-1):
        return compile(data, path, "exec", dont_inherit=True, optimize=sys.flags.optimize)

    SourceLoader.source_to_code = source_to_code


def _streams(options):
    global _input, _outputs
    encoding, _, errors = (options.variable("PYTHONIOENCODING") or "").partition(":")
    encoding, errors = encoding or "utf-8", errors or "strict"

    def stream(descriptor, mode, name, errors_here, **buffering):
        raw = (_Input if mode == "r" else io.FileIO)(descriptor, mode, closefd=False)
        raw.name = name
        buffer = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
        text = io.TextIOWrapper(buffer, encoding, errors_here, None if mode == "r" else "\n", **buffering)
        text.mode = mode
        if mode == "r":

            def reconfigure(**changes):
                # The next program's is as it asks for.
                raw.is_used = True
                io.TextIOWrapper.reconfigure(text, **changes)

            text.reconfigure = reconfigure
        return text

    how = encoding, errors, options.is_unbuffered
    if _input is None or _input[0] != how or not _is_open(_input[1]) or _input[1].buffer.raw.is_used:
        _input = how, stream(0, "r", "<stdin>", errors)
    sys.stdin = sys.__stdin__ = _input[1]
    if _outputs is None or _outputs[0] != how or not (_is_open(_outputs[1]) and _is_open(_outputs[2])):
        # Written line by line even where nobody looks: a program that is ended has said what it said.
        now = {"write_through": True} if options.is_unbuffered else {}
        stdout = stream(1, "w", "<stdout>", errors, line_buffering=True, **now)
        _outputs = how, stdout, stream(2, "w", "<stderr>", "backslashreplace", line_buffering=True, **now)
    _, sys.stdout, sys.stderr = _outputs
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr


class _Input(io.FileIO):
    """Knows whether anybody has read from it, or changed how."""

    is_used = False

    def readinto(self, buffer):
        self.is_used = True
        return super().readinto(buffer)

    def readall(self):
        self.is_used = True
        return super().readall()

    def read(self, size=-1):
        self.is_used = True
        return super().read(size)


_Input.__name__ = _Input.__qualname__ = "FileIO"
_Input.__module__ = "_io"


def _is_open(stream):
    try:
        return not stream.closed
    except ValueError:
        # Its buffer is somebody else's now.
        return False


def _search_path(options):
    path = []
    variable = options.variable("PYTHONPATH")
    if variable:
        path += [entry and os.path.abspath(entry) for entry in variable.split(":")]
    path.append(archive.ROOT)
    if not options.has("no_site"):
        if not options.has("isolated"):
            path += _installed()
        path.append(archive.SITE)
    sys.path[:] = path
    sys.prefix = sys.exec_prefix = sys.base_prefix = sys.base_exec_prefix = archive.ROOT
    sys.executable = "/bin/python3"


def _installed():
    """Packages of the workspace: those of the nearest folder from here up that has some."""
    folder = os.getcwd()
    # Above the folders that are lent there is nothing.
    while folder != "/":
        installed = f"{folder}/{WORKSPACE_PACKAGES}"
        # Most have none, and asking that alone is the cheapest.
        if os.access(installed, os.F_OK) and os.path.isdir(installed):
            return [installed]
        folder = os.path.dirname(folder)
    return []


def _run(options, module):
    kind, program = options.kind, options.program
    if kind == "command":
        sys.argv[:] = ["-c", *options.arguments]
        _first_on_path(options, "")
        return _guarded(lambda: _execute(module, program, "<string>"))
    if kind == "module":
        sys.argv[:] = ["-m", *options.arguments]
        _first_on_path(options, os.getcwd())

        def run_module():
            import runpy

            runpy._run_module_as_main(program)

        return _guarded(run_module)
    if kind == "file":
        sys.argv[:] = [program, *options.arguments]
        return _run_file(options, module, program)
    sys.argv[:] = ["-" if program else "", *options.arguments]
    _first_on_path(options, "")
    if sys.stdin.isatty() or options.has("interactive"):
        return _guarded(lambda: _interact(module, banner="" if options.has("quiet") else None))
    return _guarded(lambda: _execute(module, sys.stdin.buffer.read(), "<stdin>"))


def _first_on_path(options, folder):
    if not options.has("safe_path"):
        sys.path.insert(0, folder)


def _run_file(options, module, program):
    path = os.path.abspath(program)
    if os.path.isdir(path) or _is_zip(path):
        sys.path.insert(0, program)

        def run_main():
            import runpy

            runpy._run_module_as_main("__main__", False)

        return _guarded(run_main)
    try:
        with io.open_code(path) as file:
            source = file.read()
    except OSError as error:
        text = f"{os.path.basename(sys.orig_argv[0])}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}\n"
        os.write(2, text.encode("utf-8", "backslashreplace"))
        return 2
    if options.skips_first_line:
        source = b"\n" + source.partition(b"\n")[2]
    _first_on_path(options, os.path.dirname(path))
    module.__file__ = path if os.path.isabs(program) else os.path.join(os.getcwd(), program)
    module.__cached__ = None
    from importlib.machinery import SourceFileLoader

    module.__loader__ = SourceFileLoader("__main__", module.__file__)
    return _guarded(lambda: _execute(module, source, module.__file__))


def _is_zip(path):
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def _execute(module, source, filename):
    if filename.startswith("<"):
        text = source if isinstance(source, str) else source.decode("utf-8", "replace")
        # Where tracebacks look for lines. The module may not have been asked for yet.
        lines = archive.WARM.get("linecache") or sys.modules["linecache"]
        lines.cache[filename] = (len(text), None, [line + "\n" for line in text.split("\n")], filename)
    code = compile(source, filename, "exec", dont_inherit=True, optimize=sys.flags.optimize)
    exec(code, module.__dict__)


def _guarded(work):
    """The status of what runs, after it was said what went wrong."""
    try:
        work()
    except SystemExit as stop:
        return _status(stop)
    except BaseException as error:
        return _report(error)
    return 0


def _status(stop):
    code = stop.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    _flush(sys.stdout)
    try:
        print(code, file=sys.stderr)
    except Exception:
        pass
    return 1


def _report(error):
    _flush(sys.stdout)
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == FILE:
        trace = trace.tb_next
    error.__traceback__ = trace
    sys.last_exc, sys.last_type, sys.last_value, sys.last_traceback = error, type(error), error, trace
    try:
        sys.excepthook(type(error), error, trace)
    except SystemExit as stop:
        return _status(stop)
    except BaseException as second:
        os.write(2, b"Error in sys.excepthook:\n")
        sys.__excepthook__(type(second), second, second.__traceback__.tb_next)
        os.write(2, b"\nOriginal exception was:\n")
        sys.__excepthook__(type(error), error, trace)
    if isinstance(error, KeyboardInterrupt):
        return 130
    return 1


def _interact(module, banner):
    import code

    if banner is None:
        banner = (
            f"Python {sys.version.split()[0]} in Wardian's sandbox\n"
            'Type "help", "copyright", "credits" or "license" for more information.'
        )
    startup = os.environ.get("PYTHONSTARTUP")
    if startup and not sys.flags.ignore_environment and os.path.isfile(startup):
        with open(startup, "rb") as file:
            exec(compile(file.read(), startup, "exec", dont_inherit=True), module.__dict__)
    code.interact(banner=banner, local=module.__dict__, exitmsg="")


def _pause(status):
    """As much of an end as an interpreter that lives on has."""
    _end_program()
    _flush_files()
    return _flushed(status)


def _end_program():
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()
    import atexit

    atexit._run_exitfuncs()
    # The program's, and ours where it has put others in their place.
    for stream in (sys.stdout, sys.stderr):
        _flush(stream)
    for stream in _outputs[1:]:
        if stream is not sys.stdout and stream is not sys.stderr:
            _flush(stream)


def _flushed(status):
    for stream in (sys.stdout, sys.stderr):
        if not _flush(stream) and status == 0:
            status = 120
    return status


def _finish(module, status):
    """What the interpreter does when it ends; it never does here, since nobody could see what is written afterwards."""
    _end_program()
    # Objects that say or write something when they go: those of the program, then those in its modules.
    ours = [module]
    for other in list(sys.modules.values()):
        file = getattr(other, "__file__", None)
        if isinstance(file, str) and not file.startswith(_FOREIGN):
            ours.append(other)
    del module
    for other in ours:
        names = vars(other)
        for name in [name for name in names if name[:1] == "_" and name[:2] != "__"]:
            names[name] = None
        for name in [name for name in names if name != "__builtins__"]:
            names[name] = None
    # Where nothing grew old, the young are all there are; and a look at all of them writes to many pages.
    gc.collect(2 if gc.get_objects(1) or gc.get_objects(2) else 0)
    _flush_files()
    return _flushed(status)


def _flush_files():
    """Files that are still held by somebody: text first, which may fill a buffer below."""
    objects = gc.get_objects()
    # Of many objects there are few types. By identity: a program's metaclass may forbid to hash its classes.
    types_there = {id(kind): kind for kind in map(type, objects)}
    kinds = {key for key, kind in types_there.items() if issubclass(kind, (io.TextIOWrapper, io.BufferedWriter))}
    open_files = [item for item in objects if id(type(item)) in kinds] if kinds else []
    for item in sorted(open_files, key=lambda item: isinstance(item, io.BufferedWriter)):
        if item is not sys.stdout and item is not sys.stderr:
            _flush(item)


def _flush(stream):
    try:
        if stream is not None and not stream.closed:
            stream.flush()
        return True
    except BrokenPipeError:
        return False
    except Exception:
        return False
