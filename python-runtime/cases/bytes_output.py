import sys

sys.stdout.buffer.write(bytes(range(256)))
sys.stdout.flush()
print("text", file=sys.stderr, flush=True)
