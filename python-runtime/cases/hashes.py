import base64
import hashlib
import hmac
import zlib

data = b"wardian" * 100
for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b"):
    print(name, hashlib.new(name, data).hexdigest()[:32])
print(hmac.new(b"key", data, "sha256").hexdigest()[:32], zlib.crc32(data), zlib.adler32(data))
packed = zlib.compress(data, 9)
print(len(packed) < 40, zlib.decompress(packed) == data, base64.b64encode(data[:10]), base64.b85encode(b"abc"))
