import tempfile

import statistics

print(statistics.mine, tempfile.gettempdir() != "")
