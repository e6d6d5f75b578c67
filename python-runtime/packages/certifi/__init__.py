"""Where certificates are that are trusted: outside of the sandbox, and TLS is spoken there."""

__all__ = ["contents", "where"]


def where():
    return "/dev/null"


def contents():
    return ""
