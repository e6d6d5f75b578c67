"""For programs that run in Wardian: showing pictures and data to whoever asked, and calling other tools.

    import wardian
    wardian.display("chart.png")
    found = wardian.call("Grep", pattern="TODO")
"""

import os as _os

__all__ = ["CallError", "CallRefused", "Result", "call", "display"]

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


class CallError(RuntimeError):
    """A tool did not do what it was asked to. `kind` is `failed`, `invalid-input`, `unknown-tool`, `limit` …"""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class CallRefused(CallError, PermissionError):
    """A call that was not permitted: by a rule, by the user, or because no session is here."""


class Result(str):
    """The text that a tool answered with. `data` is the same for programs, `images` are pairs of a media type and bytes,
    `files` are paths, and `truncated` says that something was left out."""

    data = None
    images = ()
    files = ()
    truncated = False


def call(tool, /, **input):
    """Calls another tool of the session, with its input as keywords, and returns its `Result`.

    It is asked for, checked and recorded as a call of the model's is; only its result comes here.
    """
    import json
    from wit_world.imports import others

    try:
        text = json.dumps(input)
    except (TypeError, ValueError) as error:
        raise CallError("invalid-input", f"the input of {tool} is no JSON: {error}") from None
    try:
        outcome = others.call(str(tool), text)
    except Exception as error:
        # The bindings raise what a function of the host refuses, wrapped once.
        refusal = getattr(error, "value", None)
        if refusal is None:
            raise
        kind = CallRefused if refusal.kind == "not-permitted" else CallError
        failed = kind(refusal.kind, f"{tool}: {refusal.message}")
    else:
        return _result(outcome, json)
    raise failed


def _result(outcome, json):
    parts = [part.value for part in outcome.parts]
    result = Result("\n".join(part for part in parts if isinstance(part, str)))
    result.data = None if outcome.data is None else json.loads(outcome.data)
    files = [part for part in parts if hasattr(part, "path")]
    images = [part for part in parts if hasattr(part, "media_type") and part not in files]
    result.images = tuple((image.media_type, bytes(image.bytes)) for image in images)
    result.files = tuple(file.path for file in files)
    result.truncated = outcome.truncated
    return result


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
