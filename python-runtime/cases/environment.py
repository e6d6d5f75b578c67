import os

os.environ["NEW"] = "value"
print(os.environ.get("NEW"), os.getenv("MISSING", "default"), os.path.expandvars("$NEW/x"), "PATH" in os.environ or True)
del os.environ["NEW"]
print("NEW" in os.environ, os.sep, os.linesep == "\n", os.path.join("a", "..", "b"), os.path.normpath("a/../b"))
