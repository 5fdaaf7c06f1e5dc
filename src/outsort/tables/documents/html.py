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
_HIDDEN = {"script", "style", "template", "title", "svg", "math", "select", "iframe", "object"}
#: Tags, roles, classes and ids of what a site has around its pages; what may be the whole page is read.
_AROUND = {"nav", "footer"}
_ROLES = {"navigation", "search", "contentinfo", "dialog", "alertdialog", "menu", "menubar"}
_CLASSES = re.compile(
    r"(?:(?:site|page|global|main|top|side)[-_]?)?(?:nav|navbar|navigation|menu|footer)|breadcrumbs?|cookies?|gdpr"
    r"|(?:cookie|consent|gdpr)(?:[-_]?(?:consent|banner|bar|box|dialog|message|modal|notice|overlay|popup|wrapper))+"
    r"|skip[-_]?(?:links?|nav|to[-_]\w+)|(?:social|share)(?:[-_]?media)?[-_]?(?:bar|buttons?|icons?|links?|list|nav)",
    re.IGNORECASE,
)
_WHOLE = {"html", "body", "main", "article", "form"}
#: Tags whose ids many programs make of their titles, which may be those of work.
_TITLED = {"section", "h1", "h2", "h3", "h4", "h5", "h6"}
#: Classes of code that is text.
_TEXT = {f"language-{name}" for name in ("text", "txt", "plain", "plaintext", "md", "markdown")}
_STRUCK = {"s", "strike", "del"}
#: What a person is told of.
_AROUND_NOT_READ = "menus, cookie notices, footers and the like, not read"
_STRUCK_NOT_READ, _CODE_NOT_READ = "struck-out text, not read", "code, not read"
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
#: Tags that part blocks.
_PARTING = _HEADINGS | set(
    """
    address article aside blockquote body br center dd details dialog div dl dt fieldset figcaption figure footer form
    header hr html li main ol p pre section table tbody td tfoot th thead tr ul
    """.split()  # noqa: SIM905 - a list of quoted words is harder to read
)
#: Tags that part words.
_SPACED = {"label", "input", "textarea"}
#: Tags of tables and of lists of terms, which are read as such, of what begins a row in them, and of their cells.
_TABLES, _ROWS, _CELLS = {"table", "dl"}, {"tr", "dt"}, {"td", "th", "dt", "dd"}
#: Tags that need no end of their own where another of these begins.
_OPEN_ENDED = {"li", "tr"} | _CELLS
#: Tags that end a heading that has no end of its own.
_ENDING_HEADINGS = {"p", "ol", "ul", "dl", "table", "section", "article"}
_META = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def read(stream: IO[bytes], encoding: str = "") -> Iterator[int | str | Passage]:
    """Yield what `documents.reading.Reader` takes of a document: what a person should know of it, and its passages."""
    blocks, remarks = blocks_of(text_of(stream.read(), encoding))
    yield from remarks
    yield from passages(blocks)


def text_of(raw: bytes, encoding: str = "") -> str:
    """Return the text of a page: in the encoding given, or by its mark, or the one it names, UTF-8 or Windows-1252."""
    named = _META.search(raw[:4096])
    own = named[1].decode() if named and is_encoding(named[1].decode()) else ""
    marked = next((name for mark, name in _MARKS.items() if raw.startswith(mark)), "")
    for name in filter(None, (encoding, marked, own, "utf-8")):
        with suppress(UnicodeDecodeError):
            return raw.decode(name)
    return raw.decode("cp1252", "replace")


def blocks_of(page: str) -> tuple[list[Block], list[str]]:
    """Return the blocks of a page, and what is not read of which a person should know."""
    found = _Blocks()
    found.feed(page)
    found.close()
    found.part()
    return found.blocks, found.remarks


class _Blocks(HTMLParser):
    """The blocks of a page, as they come, and what is not read of which a person should know."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.remarks: list[str] = []
        self._text: list[str] = []
        self._n_pre = 0
        self._is_heading = False
        #: How many tags for bold are open, and whether all text of the block is in one.
        self._n_bold, self._is_bold = 0, True
        #: Whether the cell that is open is of a header; its tag need not have an end.
        self._is_header = False
        #: Tags in a part that is not shown; the first one hides the others.
        self._hidden: list[str] = []
        #: What is to be told of such a part if there are words in it.
        self._remark = ""
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
        if tag in _SPACED:
            self._text.append(" ")
        if tag not in _PARTING:
            return
        self.part()
        if tag in _HEADINGS or tag in _ENDING_HEADINGS:
            self._is_heading = tag in _HEADINGS
        self._begin(tag, given)

    def _begin(self, tag: str, given: dict[str, str]) -> None:
        """Begin a list, a table, or a part of one."""
        if tag == "pre":
            self._n_pre += 1
        elif tag in ("ol", "ul"):
            self._lists.append(_numbering(given) if tag == "ol" else None)
        elif tag == "li":
            self._item = self._next_number(given)
        elif tag in _TABLES:
            self._rows.append([])
        elif tag in _ROWS and self._rows:
            self._end_row()
        if tag in _CELLS and self._rows:
            self._rows[-1].append([])
            self._is_header = tag == "th"

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and not self._ends_around_hidden(tag):
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
        elif tag in _TABLES and self._rows:
            self._end_row()
            self._rows.pop()
        elif tag == "pre":
            self._n_pre = max(0, self._n_pre - 1)
        self._is_heading &= tag not in _HEADINGS

    def handle_data(self, data: str) -> None:
        if self._hidden:
            if self._remark and self._remark not in self.remarks and flat(data):
                self.remarks.append(self._remark)
        else:
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
        is_over = self._hidden == ["p"] and tag in _PARTING
        if is_over or (len(self._hidden) == 1 and {tag, *self._hidden} <= _OPEN_ENDED):
            # A paragraph, an item or a cell need not have an end of its own.
            self._hidden.clear()
        if tag in _VOID:
            return bool(self._hidden)
        remark = "" if self._hidden else _remark(tag, given)
        # The titles of parts that open and close are on buttons.
        is_control = tag == "button" and not self._is_heading
        is_unseen = tag in _HIDDEN or "hidden" in given or _HIDING.search(given.get("style", ""))
        if self._hidden or remark or is_control or is_unseen:
            self._remark = self._remark if self._hidden else remark
            self._hidden.append(tag)
        return bool(self._hidden)

    def _ends_around_hidden(self, tag: str) -> bool:
        """End what an end tag ends of a hidden part; return whether it is of what is around this."""
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
            return False
        if tag not in _PARTING or tag == "p":
            return False
        # The hidden part has no end of its own.
        self._hidden.clear()
        return True

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


def _remark(tag: str, given: dict[str, str]) -> str:
    """Return what is to be told of a part that is shown, but not read; "" for others."""
    names = f"{given.get('class', '')} {'' if tag in _TITLED else given.get('id', '')}".split()
    is_named = given.get("role") in _ROLES or any(map(_CLASSES.fullmatch, names))
    if tag in _AROUND or (is_named and tag not in _WHOLE):
        return _AROUND_NOT_READ
    is_code = tag == "code" and any(name.startswith("language-") and name not in _TEXT for name in names)
    return _STRUCK_NOT_READ if tag in _STRUCK else _CODE_NOT_READ if is_code else ""


def _numbering(given: dict[str, str]) -> tuple[int, str] | None:
    """Return the first number of an ordered list and its type; None for one without numbers."""
    if re.search(r"list-style(-type)?\s*:\s*none", given.get("style", "")):
        return None
    start = given.get("start", "")
    return (int(start) if start.isdecimal() and len(start) < 9 else 1), given.get("type", "1")
