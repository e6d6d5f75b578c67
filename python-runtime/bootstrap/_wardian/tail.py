"""The last finder on `sys.meta_path`: says why what cannot work here is not there, and knows the baked packages."""

import sys

from _wardian import archive, absent


class Tail:
    @staticmethod
    def find_spec(name, path=None, target=None):
        reason = absent.MODULES.get(name)
        # Whoever only looks whether there is such a module is told that there is none.
        if reason is not None and _is_import():
            raise ModuleNotFoundError(f"No module named {name!r}: {reason}", name=name)
        return None

    @staticmethod
    def find_distributions(context=None):
        if archive.SITE not in getattr(context, "path", sys.path):
            return
        name = getattr(context, "name", None)
        wanted = None if name is None else _normal(name)
        for folder in sorted(archive.FOLDERS.get(archive.SITE, ())):
            if folder.endswith(".dist-info") and wanted in (None, _normal(folder.partition("-")[0])):
                yield _distribution(f"{archive.SITE}/{folder}")

    @staticmethod
    def invalidate_caches():
        pass


def _is_import():
    # Who asks is `_find_spec`, on behalf of an import or of `importlib.util.find_spec`.
    return sys._getframe(3).f_code.co_name == "_find_and_load_unlocked"


def _normal(name):
    return name.lower().replace("-", "_").replace(".", "_")


def _distribution(folder):
    from importlib.metadata import Distribution

    class Baked(Distribution):
        def read_text(self, filename):
            try:
                return archive.read(f"{folder}/{filename}").decode()
            except FileNotFoundError:
                return None

        def locate_file(self, path):
            import pathlib

            return pathlib.Path(archive.SITE, path)

    return Baked()
