"""HTML: blocks of text by their tags."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from html.parser import HTMLParser
from typing import IO

from outsort.encodings import is_encoding
from outsort.tables.documents.cells import row_blocks
from outsort.tables.documents.passages import (
    HEADING,
    ITEM,
    PARAGRAPH,
    Block,
    Passage,
    flat,
    looks_like_heading,
    numeral,
    passages,
)

_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6", "caption", "legend", "summary"}
_BOLD = {"b", "strong"}
_HIDDEN = {"script", "style", "template", "title", "nav", "svg", "math", "select", "iframe", "object"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
#: Tags that part blocks.
_PARTING = _HEADINGS | set(
    """
    address article aside blockquote body br center dd details dialog div dl dt fieldset figcaption figure footer form
    header hr html li main ol p pre section table tbody td tfoot th thead tr ul
    """.split()  # noqa: SIM905 - a list of quoted words is harder to read
)
#: Tags that end a heading that has no end of its own.
_ENDING_HEADINGS = {"p", "ol", "ul", "dl", "table", "section", "article"}
_META = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def read(stream: IO[bytes], encoding: str = "") -> Iterator[int | str | Passage]:
    """Yield what `documents.reading.Reader` takes of a document: its passages."""
    raw = stream.read()
    yield from passages(blocks_of(text_of(raw, encoding)))


def text_of(raw: bytes, encoding: str = "") -> str:
    """Return the text of a page: in the encoding given, or by its mark, or the one it names, UTF-8 or Windows-1252."""
    named = _META.search(raw[:4096])
    own = named[1].decode() if named and is_encoding(named[1].decode()) else ""
    marked = next((name for mark, name in _MARKS.items() if raw.startswith(mark)), "")
    for name in filter(None, (encoding, marked, own, "utf-8")):
        with suppress(UnicodeDecodeError):
            return raw.decode(name)
    return raw.decode("cp1252", "replace")


def blocks_of(page: str) -> list[Block]:
    """Return the blocks of a page."""
    found = _Blocks()
    found.feed(page)
    found.close()
    found.part()
    return found.blocks


class _Blocks(HTMLParser):
    """The blocks of a page, as they come."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._text: list[str] = []
        self._n_pre = 0
        self._is_heading = False
        #: How many tags for bold are open, and whether all text of the block is in one.
        self._n_bold, self._is_bold = 0, True
        #: Whether the cell that is open is of a header; its tag need not have an end.
        self._is_header = False
        #: Tags in a part that is not shown; the first one hides the others.
        self._hidden: list[str] = []
        #: Of each open list the next number and its type; None for one of bullets.
        self._lists: list[tuple[int, str] | None] = []
        #: The number of an item that has no text so far; None outside of such.
        self._item: str | None = None
        #: Of each open table the cells of its row, each as the blocks in it.
        self._rows: list[list[list[Block]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if self._is_hidden(tag, given):
            return
        self._n_bold += tag in _BOLD
        if tag not in _PARTING:
            return
        self.part()
        if tag in _HEADINGS or tag in _ENDING_HEADINGS:
            self._is_heading = tag in _HEADINGS
        if tag == "pre":
            self._n_pre += 1
        elif tag in ("ol", "ul"):
            self._lists.append(_numbering(given) if tag == "ol" else None)
        elif tag == "li":
            self._item = self._next_number(given)
        elif tag == "table":
            self._rows.append([])
        elif tag == "tr" and self._rows:
            self._end_row()
        elif tag in ("td", "th") and self._rows:
            self._rows[-1].append([])
            self._is_header = tag == "th"

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag in self._hidden:
                while self._hidden.pop() != tag:
                    pass
            return
        self._n_bold = max(0, self._n_bold - (tag in _BOLD))
        if tag not in _PARTING:
            return
        self.part()
        if tag in ("ol", "ul") and self._lists:
            self._lists.pop()
        elif tag == "li":
            self._item = None
        elif tag == "tr" and self._rows:
            self._end_row()
        elif tag == "table" and self._rows:
            self._end_row()
            self._rows.pop()
        elif tag == "pre":
            self._n_pre = max(0, self._n_pre - 1)
        self._is_heading &= tag not in _HEADINGS

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._text.append(data)
            self._is_bold &= self._n_bold > 0 or self._is_header or not data.strip()

    def part(self) -> None:
        """End the block that is open."""
        text, is_bold = "".join(self._text), self._is_bold
        self._text, self._is_bold = [], True
        if not flat(text):
            return
        is_heading = self._is_heading or (is_bold and self._item is None and looks_like_heading(flat(text)))
        lines = text.split("\n") if self._n_pre else [text]
        for line in filter(flat, lines):
            kind = HEADING if is_heading else PARAGRAPH
            block = Block(kind, line)
            if self._item is not None:
                block.kind, block.number = ITEM if kind == PARAGRAPH else kind, self._item
                self._item = None
            (self._rows[-1][-1] if self._rows and self._rows[-1] else self.blocks).append(block)

    def _is_hidden(self, tag: str, given: dict[str, str]) -> bool:
        """Return whether a part is not shown that a tag begins, or that it is in."""
        if self._hidden == ["p"] and tag in _PARTING:
            # A paragraph need not have an end of its own.
            self._hidden.clear()
        hides = tag in _HIDDEN or "hidden" in given or _HIDING.search(given.get("style", ""))
        if tag not in _VOID and (self._hidden or hides):
            self._hidden.append(tag)
        return bool(self._hidden)

    def _next_number(self, given: dict[str, str]) -> str:
        """Return the number of the next item of the list that is open; "" for a bullet."""
        if not self._lists or self._lists[-1] is None:
            return ""
        number, style = self._lists[-1]
        number = int(given["value"]) if given.get("value", "").isdecimal() else number
        self._lists[-1] = (number + 1, style)
        return numeral(number, style)

    def _end_row(self) -> None:
        """Turn the cells of a row into blocks."""
        self._is_header = False
        cells, self._rows[-1] = self._rows[-1], []
        outer = self._rows[-2][-1] if len(self._rows) > 1 and self._rows[-2] else self.blocks
        outer += row_blocks(cells)


def _numbering(given: dict[str, str]) -> tuple[int, str] | None:
    """Return the first number of an ordered list and its type; None for one without numbers."""
    if re.search(r"list-style(-type)?\s*:\s*none", given.get("style", "")):
        return None
    start = given.get("start", "")
    return (int(start) if start.isdecimal() and len(start) < 9 else 1), given.get("type", "1")
