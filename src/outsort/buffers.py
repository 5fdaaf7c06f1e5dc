"""Many texts as one run of bytes: what compiled code reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa
    from numpy.typing import NDArray

_NOTHING = np.frombuffer(b"\0", np.uint8)


class Utf8Column(NamedTuple):
    """Some texts in UTF-8, one after another.

    Attributes:
        data: uint8, their bytes, read-only; at least one, of no meaning where there is no text.
        offsets: int64 (n_texts + 1,), where each begins and the last ends.
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @property
    def n_texts(self) -> int:
        """How many there are."""
        return len(self.offsets) - 1

    def part(self, start: int, stop: int) -> Utf8Column:
        """Return those from `start` to before `stop`."""
        return Utf8Column(self.data, self.offsets[start : stop + 1])

    def text(self, place: int) -> str:
        """Return one of them."""
        raw = self.data[self.offsets[place] : self.offsets[place + 1]].tobytes()
        return raw.decode("utf-8", "surrogatepass")

    def to_pylist(self) -> list[str]:
        """Return all of them."""
        return [self.text(place) for place in range(self.n_texts)]


def utf8_column(texts: Utf8Column | Iterable[str] | pa.Array | pa.ChunkedArray) -> Utf8Column:
    """Return texts, whatever they come as, as one run of bytes; a null is an empty text.

    Raises:
        TypeError: a text is no string.

    >>> utf8_column(["tax", "", "audit"]).offsets.tolist()
    [0, 3, 3, 8]
    """
    if isinstance(texts, Utf8Column):
        return texts
    return _of_arrow(texts) if hasattr(texts, "type") else _of_strings(list(checked(texts)))


def _of_strings(texts: list[str]) -> Utf8Column:
    together = "".join(texts)
    # In ASCII a character is a byte: no need to encode text by text.
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
        return Utf8Column(_NOTHING, np.zeros(1, np.int64))
    offsets = np.frombuffer(places, width)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    data = np.frombuffer(content, np.uint8) if content is not None and content.size else _NOTHING
    return Utf8Column(data, offsets)


def checked(texts: Iterable[str]) -> Iterable[str]:
    """Pass texts on, one by one, and refuse what is no collection of strings.

    Raises:
        TypeError: `texts` is one string, or holds something that is no string.
    """
    if isinstance(texts, str):
        raise TypeError("expected a list of texts, got one string: put it in a list")
    for place, item in enumerate(texts):
        if not isinstance(item, str):
            raise TypeError(f"text {place} is {item!r}, a {type(item).__name__}, not a string")
        yield item
