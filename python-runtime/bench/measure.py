"""Runs each program of this folder a few times and prints its best time in milliseconds and its result: one JSON object."""

import importlib
import json
import os
import sys
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3

results = {}
for name in sorted(os.listdir(FOLDER)):
    if name.endswith(".py") and name != os.path.basename(__file__):
        program = importlib.import_module(name[:-3])
        best = None
        for _ in range(ROUNDS):
            start = time.perf_counter()
            result = program.run()
            seconds = time.perf_counter() - start
            best = seconds if best is None else min(best, seconds)
        results[name[:-3]] = [best * 1000, str(result)]
print(json.dumps(results))
