"""As much of WebAssembly's binary format as build.py changes."""

CORE_VERSION = b"\x01\x00\x00\x00"


def number(binary, position):
    """LEB128 without a sign: the number, and where it ends."""
    value = shift = 0
    while True:
        byte = binary[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def signed(binary, position):
    """LEB128 with a sign."""
    value = shift = 0
    while True:
        byte = binary[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value - (1 << shift) if byte & 0x40 else value), position


def encoded(value):
    result = bytearray()
    while value >= 0x80:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)


def encoded_signed(value):
    result = bytearray()
    while not -64 <= value < 64:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value & 0x7F)
    return bytes(result)


def text(binary, position):
    size, start = number(binary, position)
    return binary[start : start + size].decode(), start + size


def is_module(binary):
    return binary[4:8] == CORE_VERSION


def sections(binary):
    """Each section's kind and content."""
    position = 8
    while position < len(binary):
        size, start = number(binary, position + 1)
        yield binary[position], binary[start : start + size]
        position = start + size


def joined(header, parts):
    """The reverse of `sections`, for what begins with the bytes `header`."""
    return header + b"".join(bytes([kind]) + encoded(len(content)) + content for kind, content in parts)


class Unknown(Exception):
    """An instruction or a form that this does not read: better no component than a wrong one."""


def _skip_numbers(count):
    def skip(code, position):
        for _ in range(count):
            while code[position] >= 0x80:
                position += 1
            position += 1
        return position

    return skip


def _skip_bytes(count):
    return lambda code, position: position + count


def _skip_memory(code, position):
    flags, position = number(code, position)
    if flags & 0x40:
        position = _ONE(code, position)
    return _ONE(code, position)


def _skip_table_of_labels(code, position):
    count, position = number(code, position)
    return _skip_numbers(count + 1)(code, position)


def _skip_types(code, position):
    count, position = number(code, position)
    return position + count


def _skip_bulk(code, position):
    kind, position = number(code, position)
    if kind > 17:
        raise Unknown(f"instruction 0xfc {kind}")
    return _skip_numbers((0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1)[kind])(code, position)


def _skip_vector(code, position):
    kind, position = number(code, position)
    if kind <= 11 or 92 <= kind <= 93:
        return _skip_memory(code, position)
    if kind <= 13:
        return position + 16
    if 21 <= kind <= 34:
        return position + 1
    if 84 <= kind <= 91:
        return _skip_memory(code, position) + 1
    return position


_ONE = _skip_numbers(1)

# What follows each operation's byte. None: there is no such operation, or it is unknown here.
_SKIP = [None] * 256
for _operation in (0x00, 0x01, 0x05, 0x0B, 0x0F, 0x1A, 0x1B, 0xD1, *range(0x45, 0xC5)):
    _SKIP[_operation] = _skip_bytes(0)
for _operation in (0x02, 0x03, 0x04, 0x0C, 0x0D, 0x10, 0x12, *range(0x20, 0x27), 0x3F, 0x40, 0x41, 0x42, 0xD0, 0xD2):
    _SKIP[_operation] = _ONE
for _operation in (0x11, 0x13):
    _SKIP[_operation] = _skip_numbers(2)
for _operation in range(0x28, 0x3F):
    _SKIP[_operation] = _skip_memory
_SKIP[0x0E] = _skip_table_of_labels
_SKIP[0x1C] = _skip_types
_SKIP[0x43] = _skip_bytes(4)
_SKIP[0x44] = _skip_bytes(8)
_SKIP[0xFC] = _skip_bulk
_SKIP[0xFD] = _skip_vector


def after(code, position):
    """Where the instruction at `position` ends."""
    skip = _SKIP[code[position]]
    if skip is None:
        raise Unknown(f"instruction {code[position]:#x}")
    return skip(code, position + 1)
