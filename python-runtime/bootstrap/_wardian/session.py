"""Variables that outlive a program: what the next call of a session finds.

A session's interpreter lives on where the host lets it, and has them all. For the one after it a program's `__main__` is
pickled when the program ends, and is there again when the next one begins. Functions and classes go along by value, and
functions see the variables of the program that calls them. What cannot be pickled is named.
"""

import gc
import io
import os
import sys
import types

# The largest state that is kept.
BYTES_MAX = 64 << 20

_NOT_KEPT = {
    "__builtins__", "__name__", "__doc__", "__package__", "__loader__", "__spec__", "__file__", "__cached__",
    "__warningregistry__",
}  # fmt: skip

# Most programs change nothing. What was written last, as its size and hash; and its values where no program can have
# changed them.
_written = None
_plain = None

_UNCHANGEABLE = (int, float, complex, bool, str, bytes, type(None))

# The class that pickles; there is none before a session needs it.
_Pickler = None


def prepare():
    """Before the program has objects: what keeps them is made, and everything that is there is no longer the collector's.

    Who looks through all objects at the end of every program, for open files, then meets the program's alone.
    """
    global _Pickler
    import cloudpickle

    class _Pickler(cloudpickle.Pickler):
        def _dynamic_function_reduce(self, func):
            made, arguments, state, *rest = super()._dynamic_function_reduce(func)
            if func.__globals__ is sys.modules["__main__"].__dict__:
                made = _in_main
                state[1]["__globals__"] = {}
            return (made, arguments, state, *rest)

    gc.freeze()


def load(module, path):
    """Brings back what was kept, if anything was, and returns in lines what was not."""
    try:
        with open(path, "rb") as file:
            state = file.read()
    except FileNotFoundError:
        return []
    import pickle

    try:
        values, lost = pickle.loads(state)
        module.__dict__.update(values)
    except Exception as error:
        return [f"the variables of earlier calls are lost ({type(error).__name__}: {error})"]
    return [f"the interpreter was started anew, without {name} ({reason})" for name, reason in lost.items()]


def save(module, path):
    """Keeps what can be kept, and returns in lines what cannot."""
    global _plain
    values = {name: value for name, value in vars(module).items() if name not in _NOT_KEPT}
    if _is_written(values, path):
        return []
    _plain = None
    lost = {}
    try:
        state = _pickled((values, lost))
    except Exception:
        # Together, so that what is shared stays so; one by one only to find the culprits.
        for name, value in list(values.items()):
            try:
                _pickled({name: value})
            except Exception as error:
                lost[name] = f"{type(value).__name__}: {error}"
                del values[name]
        try:
            state = _pickled((values, lost))
        except Exception as error:
            lost["all variables"] = str(error)
            state = _pickled(({}, lost))
    if len(state) > BYTES_MAX:
        lost["all variables"] = f"{len(state)} bytes are more than the {BYTES_MAX} that a session keeps"
        state = _pickled(({}, lost))
    try:
        _write(state, path)
    except OSError as error:
        lost["all variables"] = str(error)
    if not lost and all(type(value) in _UNCHANGEABLE for value in values.values()):
        _plain = values
    return [f"not kept for the next call: {name} ({reason})" for name, reason in lost.items()]


def _is_written(values, path):
    if _plain is None or len(values) != len(_plain) or _written is None or _written[0] != path:
        return False
    for name, value in values.items():
        if _plain.get(name, _plain) is not value:
            return False
    return os.access(path, os.F_OK)


def _write(state, path):
    global _written
    mark = (path, len(state), hash(state))
    if mark == _written and os.access(path, os.F_OK):
        return
    # Calls that end at once do not write to the same file.
    beside = f"{path}.{os.urandom(8).hex()}"
    try:
        with open(beside, "wb") as file:
            file.write(state)
        os.replace(beside, path)
    except OSError:
        try:
            os.remove(beside)
        except OSError:
            pass
        raise
    _written = mark


def _pickled(values):
    stream = io.BytesIO()
    _Pickler(stream).dump(values)
    return stream.getvalue()


def _in_main(code, globals, name=None, defaults=None, closure=None):
    return types.FunctionType(code, sys.modules["__main__"].__dict__, name, defaults, closure)
