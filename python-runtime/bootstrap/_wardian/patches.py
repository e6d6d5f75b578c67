"""Modules of the standard library as a sandbox without threads, processes and sockets needs them.

Each function gets the module after it ran. What works in another way is replaced; what cannot work says so when called.
"""

import sys

from _wardian import absent, archive, loop, wire


def _thread(module):
    def start_new_thread(*args, **kwargs):
        raise RuntimeError(f"can't start new thread: {absent.THREADS}")

    module.start_new_thread = module.start_new = module.start_joinable_thread = start_new_thread


def _executor(module):
    """Work is done when it is handed in, on the only thread that there is."""

    class ThreadPoolExecutor(module.ThreadPoolExecutor):
        __doc__ = module.ThreadPoolExecutor.__doc__

        def submit(self, fn, /, *args, **kwargs):
            if self._broken:
                raise module.BrokenThreadPool(self._broken)
            if self._shutdown:
                raise RuntimeError("cannot schedule new futures after shutdown")
            future = module._base.Future()
            future.set_running_or_notify_cancel()
            try:
                if not hasattr(self, "_context"):
                    self._context = self._create_worker_context()
                    self._context.initialize()
                task = self._resolve_work_item_task(fn, args, kwargs)
                result = self._context.run(task)
            except BaseException as error:
                future.set_exception(error)
                if not isinstance(error, Exception):
                    raise
            else:
                future.set_result(result)
            return future

        def shutdown(self, wait=True, *, cancel_futures=False):
            self._shutdown = True

    ThreadPoolExecutor.__module__ = module.__name__
    ThreadPoolExecutor.__qualname__ = "ThreadPoolExecutor"
    module.ThreadPoolExecutor = ThreadPoolExecutor


def _socket(module):
    wire.install(module)


def _urllib_request(module):
    """Redirects are followed outside; which URL answered, a header says."""
    original = module.AbstractHTTPHandler.do_open

    def do_open(self, http_class, req, **http_conn_args):
        response = original(self, http_class, req, **http_conn_args)
        response.url = response.headers.get("wardian-url") or response.url
        return response

    module.AbstractHTTPHandler.do_open = do_open


def _requests_adapters(module):
    """The same; and certificates are checked outside, with those that are trusted there."""
    original = module.HTTPAdapter.build_response

    def build_response(self, req, resp):
        response = original(self, req, resp)
        response.url = response.headers.get("wardian-url") or response.url
        return response

    module.HTTPAdapter.build_response = build_response
    module.HTTPAdapter.cert_verify = lambda self, conn, url, verify, cert: None


def _subprocess(module):
    refused = absent.refuse(absent.PROCESSES)

    class Popen(module.Popen):
        __doc__ = module.Popen.__doc__
        # For what is collected before it was started.
        _child_created = False

        def __init__(self, *args, **kwargs):
            refused()

    Popen.__module__ = module.__name__
    Popen.__qualname__ = "Popen"
    module.Popen = Popen


def _os(module):
    """Called once: `os` is there before any program."""
    refused = absent.refuse(absent.PROCESSES)
    module.system = refused
    module.popen = refused

    def __getattr__(name):
        reason = absent.OS_FUNCTIONS.get(name)
        text = f"module 'os' has no attribute {name!r}"
        raise AttributeError(f"{text}: {reason}" if reason else text, name=name, obj=module)

    module.__getattr__ = __getattr__
    module.umask = lambda mask: 0o022
    module.cpu_count = module.process_cpu_count = lambda: 1


def _asyncio(module):
    loop.install(module)


def _pytest_capture(module):
    """Descriptors cannot be duplicated; what goes through `sys.stdout` is captured."""
    module.FDCapture, module.FDCaptureBinary = module.SysCapture, module.SysCaptureBinary


def _pytest_faulthandler(module):
    """The same; and nothing that crashes here lives to write a report."""
    module.pytest_configure = module.pytest_unconfigure = lambda config: None


def _pytest_compat(module):
    """There are no users to tell apart."""
    module.get_user_id = lambda: None


PATCHES = {
    "concurrent.futures.thread": _executor,
    "requests.adapters": _requests_adapters,
    "socket": _socket,
    "urllib.request": _urllib_request,
    "subprocess": _subprocess,
    "asyncio": _asyncio,
    "_pytest.capture": _pytest_capture,
    "_pytest.compat": _pytest_compat,
    "_pytest.faulthandler": _pytest_faulthandler,
}


def install():
    archive.PATCHES.update(PATCHES)
    import select

    wire.poll(select)
    _thread(sys.modules["_thread"])
    _os(sys.modules["os"])
