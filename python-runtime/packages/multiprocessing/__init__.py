"""As much of multiprocessing as a sandbox without processes has: how many processors there are, and who runs.

What would start a process says so when it is called.
"""

import errno as _errno

_SENTENCE = (
    "Wardian's sandbox starts no processes from Python; call the function directly, or use "
    "concurrent.futures.ThreadPoolExecutor, which runs one thing at a time here"
)


class ProcessError(Exception):
    pass


class TimeoutError(ProcessError):
    pass


class _Main:
    name = "MainProcess"
    pid = 1
    daemon = False
    exitcode = None

    def is_alive(self):
        return True


_main = _Main()


def current_process():
    return _main


def parent_process():
    return None


def active_children():
    return []


def cpu_count():
    return 1


def freeze_support():
    pass


def get_start_method(allow_none=False):
    return "spawn"


def set_start_method(method, force=False):
    pass


def get_all_start_methods():
    return ["spawn"]


def get_logger():
    import logging

    return logging.getLogger("multiprocessing")


def _refused(*args, **kwargs):
    raise OSError(_errno.ENOSYS, _SENTENCE)


Process = Pool = Manager = Pipe = Queue = SimpleQueue = JoinableQueue = Value = Array = _refused
Lock = RLock = Semaphore = BoundedSemaphore = Event = Condition = Barrier = get_context = _refused
