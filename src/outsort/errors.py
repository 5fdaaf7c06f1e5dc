"""Errors, with messages for the person who has to fix them."""


class OutsortError(Exception):
    """Base class of the errors this package raises on purpose.

    The message says what went wrong, where (file, row, column) and what to do next.
    """


class DataError(OutsortError, ValueError):
    """Input data that cannot be used as they are."""


class ModelError(OutsortError, ValueError):
    """A model, or a model file, that cannot be used."""


class OutputError(OutsortError, OSError):
    """An output that already exists or cannot be written."""


class ServiceError(OutsortError, OSError):
    """A service that cannot start with these options."""


class ClusterError(OutsortError, RuntimeError):
    """A cluster that cannot be reached, or lacks something the work needs."""


class DataWarning(UserWarning):
    """A guess about the data, or a cell that an output can only hold in another form."""


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, without a final full stop."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
