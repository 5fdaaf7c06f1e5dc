"""Read a document, in a process of its own: see `outsort.tables.bounded`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import IO, Any

from outsort.errors import DataError


def answers(stream: IO[bytes], module: str, encoding: str = "") -> Iterator[Any]:
    """Yield the number of pages of a document, what a person should know of it, and its passages.

    Args:
        stream: the document.
        module: the module of this package that reads it.
        encoding: of text; "" to find it, or where the format leaves no choice.

    Raises:
        DataError: it cannot be read, or a library is missing.
    """
    try:
        reads = import_module(f"outsort.tables.documents.{module}")
    except ModuleNotFoundError as error:
        message = f"needs {error.name}; install it with pip install 'outsort[documents]'."
        raise DataError(message) from None
    yield from reads.read(stream, encoding)
