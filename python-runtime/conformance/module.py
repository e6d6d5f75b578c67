"""Runs one module of CPython's own tests, in the sandbox: prints one line of JSON last.

    python3 module.py test_json
"""

import json
import sys
import unittest


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.failed = {}
        self.ended = 0

    def stopTest(self, test):
        super().stopTest(test)
        self.ended += 1

    def _failed(self, test, err):
        # `test_x (module.Class.test_x)` and `setUpClass (module.Class)`, as one word.
        name = test.id() if hasattr(test, "id") else str(test)
        name = name.removeprefix(f"test.{sys.argv[1]}.").partition(" (<")[0].partition(" [")[0]
        text = " ".join(f"{err[0].__name__}: {err[1]}".split())
        self.failed.setdefault(name, text[:100].strip())

    def addError(self, test, err):
        super().addError(test, err)
        self._failed(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._failed(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._failed(test, err)


def _leave_out(name, module):
    """What skipped.txt names. Each line is: MODULE CLASS.TEST | REASON."""
    with open("skipped.txt", encoding="utf-8") as lines:
        for line in lines:
            test, _, reason = line.strip().partition(" | ")
            of, _, test = test.partition(" ")
            if of == name:
                case, _, method = test.partition(".")
                case = getattr(module, case)
                setattr(case, method, unittest.skip(reason)(getattr(case, method)))


def suite(name):
    module = __import__(f"test.{name}", fromlist=["*"])
    _leave_out(name, module)
    if hasattr(module, "test_main") and not hasattr(module, "load_tests"):
        loader = unittest.TestLoader()
        found = loader.loadTestsFromModule(module)
        if found.countTestCases():
            return found
    return unittest.defaultTestLoader.loadTestsFromModule(module)


def main():
    result = Result()
    skipped = None
    try:
        suite(sys.argv[1]).run(result)
    except unittest.SkipTest as reason:
        skipped = str(reason)
    except ImportError as error:
        skipped = f"cannot be imported: {error}"
    json.dump(
        {
            "ran": result.testsRun - len(result.skipped),
            "skipped": skipped or len(result.skipped),
            # By name, and why.
            "failed": dict(sorted(result.failed.items())),
        },
        sys.__stdout__,
    )
    print(file=sys.__stdout__)


if __name__ == "__main__":
    main()
