import array
import struct

packed = struct.pack("<HhIq4sd?", 1, -2, 3, -4, b"abcd", 1.5, True)
print(packed.hex(), struct.unpack("<HhIq4sd?", packed), struct.calcsize("<HI"))
view = memoryview(bytearray(b"hello"))
view[1:3] = b"EL"
print(bytes(view), view[::-1].tobytes(), bytes.fromhex("de ad"), int.from_bytes(b"\x01\x00", "big"), (1000).to_bytes(2, "little"))
print(array.array("d", [1, 2.5]).tolist(), bytes(3), b"a,b".split(b","), b"%d" % 5)
