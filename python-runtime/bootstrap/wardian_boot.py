"""What componentize-py wraps into the component: fills the snapshot at build time, runs a program afterwards.

The last line runs once, while the component is built; memory is kept as it is at the end of that.
"""

from wit_world import exports
from wit_world.imports import environment, exit as wasi_exit, others, outgoing_handler, streams, wasi_http_types  # noqa: F401

from _wardian import harvest, runner


class Run(exports.Run):
    def run(self):
        status = runner.guarded_main(environment.initial_cwd(), wasi_exit.exit_with_code)
        # The status of `wasi:cli/run` is success or failure alone.
        if status != 0:
            wasi_exit.exit_with_code(status)


class Again(exports.Again):
    def run(self, argv, env, cwd):
        return runner.guarded_again(argv, env, cwd, wasi_exit.exit_with_code)


harvest.fill()
