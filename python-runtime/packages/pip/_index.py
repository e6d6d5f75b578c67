"""Asks an index what there is of a package (the simple repository API, as JSON or HTML), and fetches wheels."""

import hashlib
import html.parser
import io
import json
import os
import urllib.error
import urllib.parse
import urllib.request
import zipfile

from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

# Of what an index may say, and of a wheel.
PAGE_BYTES_MAX = 64 << 20
WHEEL_BYTES_MAX = 128 << 20
SECONDS_MAX = 60

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
PYTHON = Version("3.14.0")


class Wrong(Exception):
    pass


class Candidate:
    """A wheel that could be installed."""

    def __init__(self, name, version, filename, url, sha256=None, metadata_sha256=None):
        self.name = name
        self.version = version
        self.filename = filename
        self.url = url
        self.extras = frozenset()
        self._sha256 = sha256
        # True: there is such a file, and nobody says what it must be.
        self._metadata_sha256 = metadata_sha256
        self._shared = {}

    key = property(lambda self: canonicalize_name(self.name))

    def with_extras(self, extras):
        other = Candidate(self.name, self.version, self.filename, self.url, self._sha256, self._metadata_sha256)
        other._shared = self._shared
        other.extras = extras
        return other

    def wheel(self):
        if "wheel" not in self._shared:
            data = _get(self.url, WHEEL_BYTES_MAX)[0]
            _check(data, self._sha256, self.filename)
            self._shared["wheel"] = data
        return self._shared["wheel"]

    def requirements(self):
        """What it needs, of what applies here."""
        if "requires" not in self._shared:
            self._shared["requires"] = [Requirement(text) for text in parse_email(self._metadata())[0].get("requires_dist", ())]
        for need in self._shared["requires"]:
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in self.extras or ("",)):
                yield need

    def _metadata(self):
        if self._metadata_sha256 and "wheel" not in self._shared:
            data = _get(self.url + ".metadata", PAGE_BYTES_MAX)[0]
            if self._metadata_sha256 is not True:
                _check(data, self._metadata_sha256, self.filename + ".metadata")
            return data
        with zipfile.ZipFile(io.BytesIO(self.wheel())) as archive:
            names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1]
            if len(names) != 1:
                raise Wrong(f"{self.filename} is no wheel: it has {len(names)} METADATA files")
            return archive.read(names[0])

    def __repr__(self):
        return f"{self.name} {self.version}"


def local(text):
    """A wheel by its file or its URL."""
    place = urllib.parse.urlsplit(text)
    filename = urllib.parse.unquote(place.path.rpartition("/")[2]) if place.scheme else os.path.basename(text)
    if not filename.endswith(".whl"):
        raise Wrong(f"{text} is no wheel; nothing is built here")
    name, version, tags = _wheel_name(filename)
    if not _is_pure(tags):
        raise Wrong(_native(f"{name} {version}"))
    sha256 = urllib.parse.parse_qs(place.fragment).get("sha256", [None])[0]
    url = urllib.parse.urlunsplit(place._replace(fragment=""))
    return Candidate(name, version, filename, url, sha256)


class Index:
    def __init__(self, url, pre, say):
        self._url = url if url.endswith("/") else url + "/"
        self._pre = pre
        self._say = say
        self._known = {}

    def candidates(self, name):
        """Wheels of that name, the newest first. None is none; then there is a reason."""
        key = canonicalize_name(name)
        if key not in self._known:
            self._say(f"Collecting {name}")
            self._known[key] = _sorted(self._ask(key), name)
        return self._known[key]

    def allows(self, specifier, version):
        is_wanted = self._pre or not version.is_prerelease or bool(specifier.prereleases)
        return is_wanted and specifier.contains(version, prereleases=True)

    def _ask(self, key):
        url = urllib.parse.urljoin(self._url, key + "/")
        try:
            page, kind, url = _get(url, PAGE_BYTES_MAX, {"Accept": ACCEPT})
        except urllib.error.HTTPError as error:
            if error.code in (404, 410):
                raise Wrong(f"there is no package {key} at {_shown(self._url)}") from None
            raise Wrong(f"{_shown(url)} answers with HTTP status {error.code}") from None
        try:
            return _from_json(page, url) if "json" in kind else _from_html(page, url)
        except (ValueError, KeyError, TypeError) as error:
            raise Wrong(f"{_shown(url)} is no page of an index: {error}") from None


def _from_json(page, url):
    for file in json.loads(page)["files"]:
        metadata = file.get("core-metadata", file.get("data-dist-info-metadata"))
        yield {
            "filename": file["filename"],
            "url": urllib.parse.urljoin(url, file["url"]),
            "sha256": file.get("hashes", {}).get("sha256"),
            "metadata": metadata.get("sha256", True) if isinstance(metadata, dict) else metadata,
            "requires_python": file.get("requires-python"),
            "is_yanked": file.get("yanked", False) is not False,
        }


class _Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []
        self._attributes = None

    def handle_starttag(self, tag, attributes):
        self._attributes = dict(attributes) if tag == "a" else None

    def handle_data(self, data):
        if self._attributes is not None and data.strip():
            self.found.append((data.strip(), self._attributes))
            self._attributes = None


def _from_html(page, url):
    links = _Links()
    links.feed(page.decode("utf-8", "replace"))
    links.close()
    for filename, attributes in links.found:
        place, _, fragment = urllib.parse.urljoin(url, attributes["href"]).partition("#")
        metadata = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata"))
        yield {
            "filename": filename,
            "url": place,
            "sha256": urllib.parse.parse_qs(fragment).get("sha256", [None])[0],
            "metadata": metadata.partition("=")[2] or True if metadata else None,
            "requires_python": attributes.get("data-requires-python"),
            "is_yanked": "data-yanked" in attributes,
        }


def _sorted(files, name):
    found, is_native, is_source, is_old = [], False, False, False
    for file in files:
        filename = file["filename"]
        if not filename.endswith(".whl"):
            is_source |= filename.endswith((".tar.gz", ".zip"))
            continue
        try:
            _, version, tags = _wheel_name(filename)
            fits = PYTHON in SpecifierSet(file["requires_python"] or "")
        except (Wrong, InvalidSpecifier, InvalidVersion):
            continue
        if not _is_pure(tags):
            is_native = True
        elif not fits:
            is_old = True
        elif not file["is_yanked"]:
            found.append(Candidate(name, version, filename, file["url"], file["sha256"], file["metadata"]))
    if not found:
        if is_native:
            raise Wrong(_native(name))
        if is_source:
            raise Wrong(f"{name} has no wheel, and nothing is built in Wardian's sandbox")
        raise Wrong(f"no version of {name} is for Python 3.14" if is_old else f"there is no version of {name}")
    return sorted(found, key=lambda candidate: candidate.version, reverse=True)


def _native(what):
    return f"{what} has native code for other machines in its wheels, and Wardian's sandbox loads none; find a pure-Python package"


def _wheel_name(filename):
    try:
        name, version, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise Wrong(str(error)) from None
    return name, version, tags


def _is_pure(tags):
    def fits(tag):
        python = tag.interpreter
        known = python in ("py3", "py314", "cp314") or (python.startswith("py3") and python[3:].isdecimal() and int(python[3:]) <= 14)
        return known and tag.abi == "none" and tag.platform == "any"

    return any(fits(tag) for tag in tags)


def _check(data, sha256, what):
    if sha256 and hashlib.sha256(data).hexdigest() != sha256.lower():
        raise Wrong(f"{what} is not what the index says it is: its SHA-256 differs")


def _get(url, bytes_max, headers={}):
    """The body, its content type, and the URL that it came from."""
    if "://" not in url:
        with open(url, "rb") as file:
            return file.read(), "", url
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise Wrong(f"{_shown(url)}: only http and https can be fetched")
    request = urllib.request.Request(url, headers={"User-Agent": "pip (Wardian)", **headers})
    with urllib.request.urlopen(request, timeout=SECONDS_MAX) as response:
        data = response.read(bytes_max + 1)
        if len(data) > bytes_max:
            raise Wrong(f"{_shown(url)} has more than {bytes_max} bytes")
        return data, response.headers.get("content-type", ""), response.url


def _shown(url):
    """Without a password."""
    place = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(place._replace(netloc=place.netloc.rpartition("@")[2]))
