"""Makes objects immortal that live as long as the interpreter.

Whoever uses an object counts its references, in the object itself. So a program that touches many objects of memory as it
was kept writes to as many of its pages, each of which the host then has to copy: most of what a short run costs. What
CPython holds for immortal it does not count.
"""

import array
import bisect
import struct

import wasm

CORE_MODULE, DATA = 1, 11
END, I32_CONST = 0x0B, 0x41

# `Include/refcount.h` of CPython, where pointers have 32 bits: what it gives to objects that are made immortal.
IMMORTAL = 5 << 28

# An object begins with its count, as a number of 32 bits, and the address of its type.
HEAD_BYTES = 8

# Objects that went between the moment they were listed and the one at which memory was kept: such as the lock of the module
# that was imported then.
GONE_MAX = 100


def made_immortal(component, addresses):
    """The same component, after each object was made immortal whose address is in `addresses`: 32 bits of the machine each,
    in turn with the address of its type."""
    lasting = array.array("I")
    lasting.frombytes(addresses)
    parts = list(wasm.sections(component))
    (number,) = [at for at, (kind, content) in enumerate(parts) if kind == CORE_MODULE and _has_data(content)]
    module = list(wasm.sections(parts[number][1]))
    (at,) = [at for at, (kind, _) in enumerate(module) if kind == DATA]
    data = bytearray(module[at][1])
    _write(data, list(zip(lasting[::2], lasting[1::2])))
    module[at] = DATA, bytes(data)
    parts[number] = CORE_MODULE, wasm.joined(parts[number][1][:8], module)
    return wasm.joined(component[:8], parts)


def _has_data(module):
    return any(kind == DATA for kind, _ in wasm.sections(module))


def _write(data, lasting):
    segments = sorted(_segments(data))
    starts = [start for start, _, _ in segments]
    gone = 0
    for address, kind in lasting:
        start, size, position = segments[bisect.bisect_right(starts, address) - 1]
        position += address - start
        # What is in no segment is 0.
        is_kept = start <= address <= start + size - HEAD_BYTES
        count, type_now = struct.unpack_from("<II", data, position) if is_kept else (0, 0)
        # Memory that was given back begins with the address of more such, or with 0. No object is used so often that its
        # count could be an address.
        if 0 < count < starts[0] and type_now == kind:
            struct.pack_into("<I", data, position, IMMORTAL)
        else:
            gone += 1
    if gone > GONE_MAX:
        raise wasm.Unknown(f"{gone} objects whose heads are no heads")


def _segments(data):
    """Of each: where in memory it begins, how many bytes it has, and where in `data` they are."""
    count, position = wasm.number(data, 0)
    for _ in range(count):
        if data[position] != 0 or data[position + 1] != I32_CONST:
            raise wasm.Unknown("data at no fixed place")
        start, position = wasm.signed(data, position + 2)
        if data[position] != END:
            raise wasm.Unknown("data at no fixed place")
        size, position = wasm.number(data, position + 1)
        yield start, size, position
        position += size
