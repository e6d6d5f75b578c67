import os
import pathlib
import shutil
import tempfile

with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "one.txt").write_text("1\n2\n3\n")
    (root / "a" / "b" / "two.bin").write_bytes(bytes(range(10)))
    for path in sorted(root.rglob("*")):
        print(path.relative_to(root).as_posix(), path.is_dir(), path.suffix, path.stat().st_size if path.is_file() else "-")
    with open(root / "a" / "one.txt", "r+") as file:
        file.seek(2)
        print(file.read(), file.tell())
        file.write("4\n")
    print((root / "a" / "one.txt").read_text().split())
    shutil.copytree(root / "a", root / "copy")
    os.rename(root / "copy" / "one.txt", root / "copy" / "renamed.txt")
    print(sorted(os.listdir(root / "copy")), [sorted(names) for _, _, names in os.walk(root / "copy")])
    shutil.rmtree(root / "copy")
    print((root / "copy").exists(), os.path.getsize(root / "a" / "b" / "two.bin"))
print(os.path.exists(folder))
