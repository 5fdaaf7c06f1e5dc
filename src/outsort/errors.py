"""What can go wrong, in words for the person who has to mend it."""

from __future__ import annotations


class OutsortError(Exception):
    """Base of every error this package raises on purpose.

    The message is one text: what went wrong, where (file, row, column), what to do next.
    """


class DataError(OutsortError, ValueError):
    """Input data that cannot be used as it is."""


class ModelError(OutsortError, ValueError):
    """A model, or a model file, that cannot be used."""


class OutputError(OutsortError, OSError):
    """An output that is in the way or cannot be written."""


class ServiceError(OutsortError, OSError):
    """A service that cannot start as it was asked to."""


class ClusterError(OutsortError, RuntimeError):
    """A cluster that cannot be reached, or that lacks what the work needs."""


def first_line(error: BaseException) -> str:
    """Return the first line of what an error of a library says."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
