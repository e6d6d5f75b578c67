import importlib.metadata
import importlib.resources
import pkgutil

print(importlib.metadata.version("attrs") >= "20", importlib.metadata.metadata("PyYAML")["Name"])
print(importlib.resources.files("tzdata").joinpath("zones").read_text().splitlines()[0] != "", "json" in {m.name for m in pkgutil.iter_modules()})
