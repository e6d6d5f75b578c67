"""Chooses versions that go together, and writes them to a folder."""

import importlib.metadata
import io
import os
import shutil
import zipfile

import resolvelib
from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.exceptions import InvalidWheelSource
from installer.sources import WheelFile
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from pip import _index

ROUNDS_MAX = 10_000

# What unpacking may write.
BYTES_MAX = 1 << 30


class Wrong(Exception):
    pass


class Present:
    """A package that is there already. What it needs came with it."""

    extras = frozenset()

    def __init__(self, distribution):
        self.name = distribution.name
        self.version = Version(distribution.version)

    key = property(lambda self: canonicalize_name(self.name))

    def with_extras(self, extras):
        return self

    def requirements(self):
        return ()


class Provider(resolvelib.AbstractProvider):
    def __init__(self, index, present, upgraded, with_needs):
        self._index = index
        self._present = present
        self._upgraded = upgraded
        self._with_needs = with_needs

    def identify(self, requirement_or_candidate):
        item = requirement_or_candidate
        if isinstance(item, Requirement):
            return canonicalize_name(item.name), frozenset(item.extras)
        return item.key, item.extras

    def get_preference(self, identifier, resolutions, candidates, information, backtrack_causes):
        pinned = any(
            str(entry.requirement.specifier).startswith("==")
            for entry in information[identifier]
            if isinstance(entry.requirement, Requirement)
        )
        return not pinned, identifier[0], sorted(identifier[1])

    def find_matches(self, identifier, requirements, incompatibilities):
        name, extras = identifier
        wanted = list(requirements[identifier])
        bad = {candidate.version for candidate in incompatibilities[identifier]}
        given = [item for item in wanted if not isinstance(item, Requirement)]
        specifier = SpecifierSet()
        for item in wanted:
            if isinstance(item, Requirement):
                if item.url:
                    given.append(_index.local(item.url))
                specifier &= item.specifier
        if given:
            candidates = given[:1]
        else:
            present = self._present.get(name)
            candidates = []
            if present is not None and not extras and name not in self._upgraded:
                candidates = [present]
            if not [item for item in candidates if self._fits(specifier, item)]:
                candidates = self._index.candidates(wanted[0].name)
                released = [item for item in candidates if self._index.allows(specifier, item.version)]
                # Versions that are not released yet, where there are no others.
                candidates = released or [item for item in candidates if self._fits(specifier, item)]
        return [item.with_extras(extras) for item in candidates if item.version not in bad and self._fits(specifier, item)]

    def _fits(self, specifier, candidate):
        return specifier.contains(candidate.version, prereleases=True)

    def is_satisfied_by(self, requirement, candidate):
        if not isinstance(requirement, Requirement):
            return requirement.version == candidate.version
        return bool(requirement.url) or self._fits(requirement.specifier, candidate)

    def get_dependencies(self, candidate):
        if not self._with_needs:
            return []
        needs = list(candidate.requirements())
        if candidate.extras:
            # Whoever wants more of a package wants the package itself, in the same version.
            needs.append(Requirement(f"{candidate.name}=={candidate.version}"))
        return needs


def resolve(index, wanted, target, is_alone, upgrade, with_needs):
    """What has to be installed. A target that is alone counts nothing that is elsewhere."""
    wanted = [item for item in wanted if not isinstance(item, Requirement) or not item.marker or item.marker.evaluate()]
    present = {}
    elsewhere = () if is_alone else importlib.metadata.distributions()
    for distribution in (*importlib.metadata.distributions(path=[target]), *elsewhere):
        if distribution.name:
            present.setdefault(canonicalize_name(distribution.name), Present(distribution))
    names = {canonicalize_name(item.name) for item in wanted} if upgrade else set()
    provider = Provider(index, present, names, with_needs)
    try:
        result = resolvelib.Resolver(provider, resolvelib.BaseReporter()).resolve(wanted, max_rounds=ROUNDS_MAX)
    except resolvelib.ResolutionImpossible as error:
        causes = [f"{cause.requirement}{' of ' + str(cause.parent) if cause.parent else ''}" for cause in error.causes]
        raise Wrong("no versions go together: " + ", ".join(dict.fromkeys(causes))) from None
    except resolvelib.ResolutionTooDeep:
        raise Wrong(f"no versions that go together were found in {ROUNDS_MAX} rounds") from None
    chosen = {}
    for candidate in result.mapping.values():
        if not isinstance(candidate, Present):
            chosen.setdefault(candidate.key, candidate)
    return [chosen[key] for key in sorted(chosen)]


def put(candidate, target):
    data = candidate.wheel()
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile:
        raise Wrong(f"{candidate.filename} is no wheel: it is no zip file") from None
    with archive:
        size = sum(entry.file_size for entry in archive.infolist())
        if size > BYTES_MAX:
            raise Wrong(f"{candidate.filename} has {size} bytes inside, more than {BYTES_MAX}")
        if any(entry.filename.endswith((".so", ".pyd", ".dylib", ".dll")) for entry in archive.infolist()):
            raise Wrong(_index._native(f"{candidate.name} {candidate.version}"))
    os.makedirs(target, exist_ok=True)
    for distribution in importlib.metadata.distributions(path=[target]):
        if distribution.name and canonicalize_name(distribution.name) == candidate.key:
            remove(distribution)
    scheme = {"purelib": target, "platlib": target, "scripts": os.path.join(target, "bin")}
    scheme |= {"headers": os.path.join(target, "include"), "data": target}
    destination = SchemeDictionaryDestination(scheme, "/bin/python3", "posix", overwrite_existing=True)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        # Its name says which of the folders inside describes it.
        archive.filename = candidate.filename
        try:
            source = WheelFile(archive)
            # What is compared is written to nowhere, where there is such a place.
            source.validate_record(validate_contents=os.path.exists(os.devnull))
            install(source, destination, {"INSTALLER": b"pip\n"})
        except (WheelFile.validation_error, InvalidWheelSource, ValueError, KeyError, AssertionError) as error:
            raise Wrong(f"{candidate.filename} is no sound wheel: {error}") from None


def remove(distribution):
    files = distribution.files
    if files is None:
        raise Wrong(f"{distribution.name} does not say which files are its own")
    root = os.path.abspath(str(distribution.locate_file("")))
    folders = set()
    for file in files:
        path = os.path.normpath(os.path.join(root, str(file)))
        # What a package says of itself reaches no further than where packages are.
        if not path.startswith(root + "/"):
            continue
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        folder = os.path.dirname(path)
        while folder != root:
            folders.add(folder)
            folder = os.path.dirname(folder)
    for folder in sorted(folders, key=len, reverse=True):
        shutil.rmtree(os.path.join(folder, "__pycache__"), ignore_errors=True)
        try:
            os.rmdir(folder)
        except OSError:
            pass
