import gzip
import io
import tarfile
import zipfile

buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("a/b.txt", "text" * 100)
    archive.writestr("c.bin", bytes(100))
with zipfile.ZipFile(buffer) as archive:
    print(archive.namelist(), archive.read("a/b.txt")[:8], archive.testzip(), archive.getinfo("c.bin").compress_size < 20)
tar = io.BytesIO()
with tarfile.open(fileobj=tar, mode="w:gz") as archive:
    info = tarfile.TarInfo("x.txt")
    info.size = 3
    archive.addfile(info, io.BytesIO(b"abc"))
tar.seek(0)
with tarfile.open(fileobj=tar) as archive:
    print(archive.getnames(), archive.extractfile("x.txt").read())
print(gzip.decompress(gzip.compress(b"x" * 1000))[:3])
