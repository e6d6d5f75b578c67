"""For programs that run in Wardian: showing pictures and data to whoever asked.

    import wardian
    wardian.display("chart.png")
"""

import os as _os

__all__ = ["display"]

# Says where files for the tool's result go; without it a program runs by itself.
_FOLDER = "WARDIAN_DISPLAY"
_ITEMS_MAX = 16
_BYTES_MAX = 8 << 20
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"), (b"<svg", "svg"),
    (b"<?xml", "svg"),
)  # fmt: skip
_METHODS = (("_repr_png_", "png"), ("_repr_jpeg_", "jpg"), ("_repr_svg_", "svg"))

_shown = 0


def display(*items):
    """Shows each item: an image as the bytes of a PNG, JPEG, GIF, WebP or SVG, as the path of such a file, or as an object
    that can draw itself (`_repr_png_`, `_repr_svg_`, `savefig`); anything else as its `repr`.

    As part of the tool Python, images come with the result. Elsewhere the path of a file is printed.
    """
    for item in items:
        image = _image(item)
        if image is None:
            print(item if isinstance(item, str) else repr(item))
        else:
            _attach(*image)


def _image(item):
    for method, ending in _METHODS:
        draw = getattr(item, method, None)
        if draw is not None and not isinstance(item, type):
            drawn = draw()
            if drawn is not None:
                return (drawn.encode() if isinstance(drawn, str) else bytes(drawn)), ending
    if hasattr(item, "savefig"):
        import io

        stream = io.BytesIO()
        item.savefig(stream, format="png")
        return stream.getvalue(), "png"
    if isinstance(item, (bytes, bytearray, memoryview)):
        return _checked(bytes(item), "these bytes are")
    if isinstance(item, str) and item.lstrip().startswith("<svg"):
        return item.encode(), "svg"
    if isinstance(item, (str, _os.PathLike)) and _os.path.isfile(item):
        if _os.path.getsize(item) > _BYTES_MAX:
            raise ValueError(f"{_os.fspath(item)} is larger than {_BYTES_MAX} bytes")
        with open(item, "rb") as file:
            return _checked(file.read(), f"{_os.fspath(item)} is")
    return None


def _checked(data, what):
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return data, "webp"
    for magic, ending in _MAGIC:
        if data.lstrip()[: len(magic)] == magic or data[: len(magic)] == magic:
            return data, ending
    raise ValueError(f"{what} no PNG, JPEG, GIF, WebP or SVG image")


def _attach(data, ending):
    global _shown
    if len(data) > _BYTES_MAX:
        raise ValueError(f"the image is larger than {_BYTES_MAX} bytes")
    folder = _os.environ.get(_FOLDER)
    if folder and _shown >= _ITEMS_MAX:
        raise ValueError(f"more than {_ITEMS_MAX} images in one run")
    if not folder:
        folder = _os.environ.get("TMPDIR") or "/tmp"
    _shown += 1
    path = f"{folder}/display-{_shown:02}.{ending}"
    _os.makedirs(folder, exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    if _FOLDER not in _os.environ:
        print(f"[image: {path}]")
