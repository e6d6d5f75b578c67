"""As much of pip as a sandbox needs: pure-Python packages, from an index or a file, into a folder of the workspace."""

__version__ = "26.3"
