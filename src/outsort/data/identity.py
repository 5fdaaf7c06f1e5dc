"""When two texts are the same text."""

import hashlib
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from outsort.files import for_workbook


def hashes_of(texts: Iterable[str]) -> NDArray[np.uint32]:
    """Return a hash of each of n texts: uint32 (n,), the same for texts that differ in case or spacing only.

    A model keeps those of its training texts, to tell them from others without holding any. Of a million
    texts that are not among 36,000, about eight look as if they were.
    """
    digests = b"".join(
        hashlib.blake2b(same_text(text).encode("utf-8", "surrogatepass"), digest_size=4).digest() for text in texts
    )
    return np.frombuffer(digests, dtype="<u4").astype(np.uint32)


def key_of(text: str) -> str:
    """Return the key of a text in a review: the letter k and BLAKE2b of 64 bits in hexadecimal.

    Texts that differ in case or spacing only have one key, or in signs that a workbook cannot hold: it
    outlives programs that change those.
    Without the letter, some keys would look like numbers, which spreadsheets shorten.

    >>> key_of("Data entry")
    'k2ffc7e5996f99d96'
    """
    return "k" + hashlib.blake2b(same_text(for_workbook(text)).encode(), digest_size=8).hexdigest()


def same_text(text: str) -> str:
    """Return what two texts share when they differ only in case and white space.

    >>> same_text("  Data  Entry ") == same_text("data entry")
    True
    """
    return " ".join(text.split()).casefold()


def as_text(cell: object) -> str:
    """Return a cell as text: a missing value of a frame is blank."""
    if isinstance(cell, str):
        return cell
    return "" if pd.api.types.is_scalar(cell) and pd.isna(cell) else str(cell)  # type: ignore[call-overload]
