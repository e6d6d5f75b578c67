"""An asyncio event loop without sockets: timers, callbacks, tasks. Waiting is sleeping."""

import time

from _wardian import absent


class _Clock:
    """Stands where a loop has its selector: nothing ever becomes readable here, only time passes."""

    def select(self, timeout=None):
        if timeout is None:
            raise RuntimeError(
                "every task waits and nothing can wake them: this event loop has no sockets, threads or signals"
            )
        if timeout > 0:
            time.sleep(timeout)
        return []

    def close(self):
        pass


def install(asyncio):
    from asyncio import base_events, events, unix_events

    class SandboxEventLoop(base_events.BaseEventLoop):
        def __init__(self, selector=None):
            super().__init__()
            self._selector = _Clock()

        def _process_events(self, event_list):
            pass

        def _write_to_self(self):
            pass

        async def shutdown_default_executor(self, timeout=None):
            self._executor_shutdown_called = True
            if self._default_executor is not None:
                self._default_executor.shutdown()

        async def subprocess_exec(self, *args, **kwargs):
            absent.refuse(absent.PROCESSES)()

        subprocess_shell = subprocess_exec

        def add_signal_handler(self, *args, **kwargs):
            raise NotImplementedError("Wardian's sandbox has no signals; a task that is cancelled ends")

        def remove_signal_handler(self, sig):
            return False

        def _refuse_descriptor(self, *args, **kwargs):
            raise NotImplementedError("Wardian's sandbox cannot wait for descriptors; read and write them directly")

        add_reader = remove_reader = add_writer = remove_writer = _refuse_descriptor

    SandboxEventLoop.__module__ = "asyncio.unix_events"
    for module in (asyncio, unix_events):
        module.SelectorEventLoop = module.EventLoop = SandboxEventLoop
    for name in ("_UnixDefaultEventLoopPolicy", "_DefaultEventLoopPolicy"):
        policy = getattr(unix_events, name, None)
        if policy is not None:
            policy._loop_factory = SandboxEventLoop
    unix_events._UnixSelectorEventLoop = SandboxEventLoop
    events._event_loop_policy = None
