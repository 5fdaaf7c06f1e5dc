"""A column of texts in one buffer, for compiled code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

_EMPTY = np.frombuffer(b"\0", np.uint8)


class Utf8Column(NamedTuple):
    """Texts in UTF-8, concatenated, with offsets.

    Attributes:
        data: uint8, the bytes; never empty, because compiled code needs a pointer.
        offsets: int64 (n_texts + 1,), the start of each text and the end of the last.
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @property
    def n_texts(self) -> int:
        """Number of texts."""
        return len(self.offsets) - 1

    def part(self, start: int, stop: int) -> Utf8Column:
        """Return texts `start` to `stop` (exclusive), without copying."""
        return Utf8Column(self.data, self.offsets[start : stop + 1])

    def text(self, i: int) -> str:
        """Return one text."""
        raw = self.data[self.offsets[i] : self.offsets[i + 1]].tobytes()
        return raw.decode("utf-8", "surrogatepass")

    def to_pylist(self) -> list[str]:
        """Return all texts."""
        data = self.data[self.offsets[0] : self.offsets[-1]]
        together, places = data.tobytes().decode("utf-8", "surrogatepass"), self.offsets - self.offsets[0]
        if len(together) < len(data):
            # Every byte but those that continue a character begins one.
            begun = np.zeros(len(data) + 1, np.int64)
            np.cumsum((data & 0xC0) != 0x80, out=begun[1:])
            places = begun[places]
        return [together[start:end] for start, end in pairwise(places.tolist())]


#: Bytes that white space begins with in UTF-8.
_SPACES = np.frombuffer(b"\t\n\v\f\r\x1c\x1d\x1e\x1f \xc2\xe1\xe2\xe3", np.uint8)


def blank_texts(texts: Utf8Column) -> NDArray[np.intp]:
    """Return which texts are empty or white space: intp (n_blank,), ascending.

    >>> blank_texts(utf8_column(["tax", "", " ", "\u3000", "audit"])).tolist()
    [1, 2, 3]
    """
    lengths = np.diff(texts.offsets)
    firsts = texts.data[np.minimum(texts.offsets[:-1], len(texts.data) - 1)]
    found = np.flatnonzero((lengths == 0) | np.isin(firsts, _SPACES))
    return found[[lengths[i] == 0 or not texts.text(i).strip() for i in found.tolist()]]


def first_told(columns: Iterable[Utf8Column]) -> Utf8Column:
    """Return, for each row, the text of the first column that is not blank there; none is read in vain.

    >>> first_told(map(utf8_column, (["tax", "", ""], ["a", "b", ""]))).to_pylist()
    ['tax', 'b', '']
    """
    rest = iter(columns)
    texts = next(rest)
    blank = blank_texts(texts)
    while blank.size and (others := next(rest, None)):
        texts = _replaced(texts, blank, others)
        blank = blank_texts(texts)
    return texts


def _replaced(texts: Utf8Column, places: NDArray[np.intp], others: Utf8Column) -> Utf8Column:
    """Return texts with those at some places, in ascending order, replaced by those of another column."""
    pieces = []
    start = texts.offsets[0]
    for i in places.tolist():
        pieces += [texts.data[start : texts.offsets[i]], others.data[others.offsets[i] : others.offsets[i + 1]]]
        start = texts.offsets[i + 1]
    pieces.append(texts.data[start : texts.offsets[-1]])
    lengths = np.diff(texts.offsets)
    lengths[places] = np.diff(others.offsets)[places]
    offsets = np.zeros(texts.n_texts + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    data = np.concatenate(pieces)
    return Utf8Column(data if data.size else _EMPTY, offsets)


def utf8_column(texts: Utf8Column | Iterable[str] | pa.Array | pa.ChunkedArray) -> Utf8Column:
    """Convert texts to a `Utf8Column`; a null becomes an empty text.

    Raises:
        TypeError: a text is not a string.

    >>> utf8_column(["tax", "", "audit"]).offsets.tolist()
    [0, 3, 3, 8]
    """
    if isinstance(texts, Utf8Column):
        return texts
    return _of_arrow(texts) if hasattr(texts, "type") else _of_strings(list(checked(texts)))


def _of_strings(texts: list[str]) -> Utf8Column:
    together = "".join(texts)
    # In ASCII, characters are bytes: there is no need to encode text by text.
    parts: list[str] | list[bytes] = texts
    if not together.isascii():
        parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    return Utf8Column(np.frombuffer(together.encode("utf-8", "surrogatepass") or b"\0", np.uint8), offsets)


def _of_arrow(array: pa.Array | pa.ChunkedArray) -> Utf8Column:
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        array = array.cast(pa.large_string())
    if array.null_count:
        array = array.fill_null("")
    width = np.int64 if pa.types.is_large_string(array.type) else np.int32
    _, places, content = array.buffers()
    if len(array) == 0:
        return Utf8Column(_EMPTY, np.zeros(1, np.int64))
    offsets = np.frombuffer(places, width)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    data = np.frombuffer(content, np.uint8) if content is not None and content.size else _EMPTY
    return Utf8Column(data, offsets)


def checked(texts: Iterable[str]) -> Iterator[str]:
    """Return an iterator over texts that checks that each is a string.

    Raises:
        TypeError: `texts` is no iterable of texts in an order, or contains something that is not a string.
    """
    wrong = _wrong(texts)
    if wrong:
        raise TypeError(f"expected a list of texts, got {wrong}")
    return _strings(texts)


def _wrong(texts: object) -> str:
    """Return what is given in the place of texts, and the way out; "" for an iterable in which to look for them."""
    kind = type(texts).__name__
    if isinstance(texts, str):
        return "one string: put it in a list"
    if isinstance(texts, (bytes, bytearray)):
        return f"{kind}: decode them, as in texts.decode()"
    if hasattr(texts, "columns"):
        return f"a {kind}: pass its column of texts, such as table['text'], or the whole to outsort.score"
    if isinstance(texts, Mapping):
        return f"a {kind}: pass its texts, as in list(texts.values())"
    if isinstance(texts, (set, frozenset)):
        return f"a {kind}, which has no order: pass sorted(texts)"
    return "" if isinstance(texts, Iterable) else f"{texts!r}, a {kind}"


def _strings(texts: Iterable[str]) -> Iterator[str]:
    for i, item in enumerate(texts):
        if not isinstance(item, str):
            raise TypeError(
                f"text {i} is {item!r}, a {type(item).__name__}, not a string: turn it into one, or leave it out"
            )
        yield item
