"""Word: blocks of text by its paragraphs and tables, numbered as Word numbers them.

Tracked changes are read as accepted. Headers, footers and comments are not read; footnotes and text boxes are.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import IO
from xml.etree.ElementTree import Element, iterparse

from outsort.errors import DataError
from outsort.tables.documents.cells import row_blocks
from outsort.tables.documents.numbering import Numbering
from outsort.tables.documents.passages import (
    HEADER,
    HEADING,
    ITEM,
    PARAGRAPH,
    Block,
    Passage,
    flat,
    looks_like_heading,
    passages,
)
from outsort.tables.packing import check_growth

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
#: The same names in the strict form of the format.
_STRICT = re.compile(r"\{http://purl\.oclc\.org/ooxml/wordprocessingml/main\}")
#: What is not part of the text: deleted, moved away, codes of fields, properties, the second form of a text box.
_LEFT_OUT = {f"{W}{name}" for name in ("del", "moveFrom", "delText", "instrText", "pPr", "rPr", "tblPr", "sdtPr")}
_BREAKS = {f"{W}br": "\n", f"{W}cr": "\n", f"{W}tab": "\t", f"{W}noBreakHyphen": "-", f"{W}softHyphen": "\u00ad"}
_HEADING_NAME = re.compile(r"(heading|überschrift|titre|título) ?\d|title|subtitle", re.IGNORECASE)
_MAIN = "word/document.xml"


def read(stream: IO[bytes], encoding: str = "") -> Iterator[int | str | Passage]:  # noqa: ARG001 - of text formats
    """Yield what `documents.reading.Reader` takes of a document: what a person should know of it, and its passages.

    Raises:
        DataError: a part grows beyond reason.
    """
    with zipfile.ZipFile(stream) as archive:
        parts = {info.filename: info for info in archive.infolist()}
        if _MAIN not in parts:
            raise DataError("has no text of a Word document in it. Save it as .docx.")
        for info in parts.values():
            _check_size(info)
        if "word/comments.xml" in parts:
            yield "comments, not read"
        document = _Document(*_styles(archive, parts), Numbering.read(_elements(archive, parts, "word/numbering.xml")))
        blocks = list(document.blocks(archive, parts))
        if document.is_tracked:
            yield "tracked changes, read as accepted"
        if document.is_struck:
            yield "struck-out text, not read"
        if document.n_breaks:
            # Word has laid it out, and left a mark where each page begins.
            yield document.n_breaks + 1
            blocks = [replace(block, page=block.page + 1) for block in blocks]
        yield from passages(blocks)


def _check_size(info: zipfile.ZipInfo) -> None:
    try:
        check_growth("", info.file_size, info.compress_size)
    except DataError as error:
        # Whoever asked knows the name of the file.
        raise DataError(str(error).removeprefix(": ")) from None


def tag_of(name: str) -> str:
    """Return a name of the strict form of the format as that of the usual one."""
    return _STRICT.sub(W, name)


def _elements(
    archive: zipfile.ZipFile, parts: Iterable[str], name: str, wanted: frozenset[str] = frozenset()
) -> Iterator[Element]:
    """Yield the elements of a part that are right below its root, or below one of these; each is dropped after."""
    if name not in parts:
        return
    path: list[Element] = []
    with archive.open(name) as content:
        for event, element in iterparse(content, ("start", "end")):  # noqa: S314 - expat bounds what entities grow to
            if event == "start":
                element.tag = tag_of(element.tag)
                path.append(element)
                continue
            path.pop()
            above = path[-1] if path else None
            if above is not None and (len(path) == 1 or above.tag in wanted) and element.tag not in wanted:
                yield element
                above.remove(element)


@dataclass
class Style:
    """What a style says of its paragraphs."""

    name: str
    base: str
    level: int | None
    number: Element | None


def _styles(archive: zipfile.ZipFile, parts: Iterable[str]) -> tuple[dict[str, Style], str]:
    """Return the styles of paragraphs by their ids, and the id of the usual one."""
    styles, usual = {}, ""
    for element in _elements(archive, parts, "word/styles.xml"):
        if element.tag != f"{W}style" or element.get(f"{W}type") != "paragraph":
            continue
        key = element.get(f"{W}styleId", "")
        level = element.find(f"{W}pPr/{W}outlineLvl")
        styles[key] = Style(
            _value(element.find(f"{W}name")),
            _value(element.find(f"{W}basedOn")),
            int(_value(level) or 9) if level is not None else None,
            element.find(f"{W}pPr/{W}numPr"),
        )
        usual = key if element.get(f"{W}default") in ("1", "true") else usual
    return styles, usual


def _value(element: Element | None) -> str:
    return "" if element is None else element.get(f"{W}val", "")


@dataclass
class _Document:
    """The document that is being read."""

    styles: dict[str, Style]
    usual: str
    numbering: Numbering
    n_breaks: int = 0
    is_tracked: bool = False
    is_struck: bool = False
    _boxes: list[Element] = field(default_factory=list)

    def blocks(self, archive: zipfile.ZipFile, parts: Iterable[str]) -> Iterator[Block]:
        """Yield the blocks of the body, then those of the notes."""
        body = frozenset([f"{W}body"])
        for element in _elements(archive, parts, _MAIN, body):
            yield from self._of(element)
        for name in ("word/footnotes.xml", "word/endnotes.xml"):
            for note in _elements(archive, parts, name):
                if note.get(f"{W}type") in (None, "normal"):
                    yield from (block for child in note for block in self._of(child))

    def _of(self, element: Element, *, is_contents: bool = False) -> Iterator[Block]:
        """Yield the blocks of a paragraph, a table, or what holds such."""
        if element.tag in (f"{W}p", f"{W}tbl"):
            found = self._paragraph(element) if element.tag == f"{W}p" else self._table(element)
            for block in found:
                block.is_contents |= is_contents
                yield block
            return
        if element.tag in _LEFT_OUT:
            self.is_tracked |= element.tag != f"{W}sdtPr"
            return
        gallery = element.find(f"{W}sdtPr/{W}docPartObj/{W}docPartGallery")
        is_contents |= _value(gallery) == "Table of Contents"
        for child in element:
            yield from self._of(child, is_contents=is_contents)

    def _paragraph(self, element: Element) -> Iterator[Block]:
        text, page = self._text(element), self.n_breaks
        properties = element.find(f"{W}pPr")
        style = _value(properties.find(f"{W}pStyle")) if properties is not None else ""
        chain = self._chain(style or self.usual)
        number, is_bullet = "", False
        if flat(text):
            number, is_bullet = self._number(properties, chain)
        level = properties.find(f"{W}outlineLvl") if properties is not None else None
        is_heading = self._is_heading(chain) if level is None else int(_value(level) or 9) < 9
        names = [one.name.casefold() for one in chain]
        is_heading |= not is_bullet and _is_bold(element) and looks_like_heading(flat(text) or ".")
        kind = HEADING if is_heading else ITEM if is_bullet else PARAGRAPH
        for line in filter(flat, text.split("\n")):
            yield Block(kind, line, page, number, is_contents=any(re.match(r"toc \d", name) for name in names))
            kind, number = (HEADING if is_heading else PARAGRAPH), ""
        boxes, self._boxes = self._boxes, []
        for box in boxes:
            yield from (block for child in box for block in self._of(child))

    def _chain(self, style: str) -> list[Style]:
        """Return a style and those that it is based on."""
        found: dict[str, Style] = {}
        while style in self.styles and style not in found:
            found[style] = self.styles[style]
            style = found[style].base
        return list(found.values())

    def _is_heading(self, chain: list[Style]) -> bool:
        level = next((style.level for style in chain if style.level is not None), None)
        return (level is not None and level < 9) or any(_HEADING_NAME.fullmatch(style.name) for style in chain)

    def _number(self, properties: Element | None, chain: list[Style]) -> tuple[str, bool]:
        """Return the number that Word shows before a paragraph, "" for none, and whether it shows a bullet."""
        own = properties.find(f"{W}numPr") if properties is not None else None
        found = own if own is not None else next((one.number for one in chain if one.number is not None), None)
        if found is None:
            return "", False
        key = _value(found.find(f"{W}numId"))
        of_style = next((one.number for one in chain if one.number is not None), None)
        if not key and of_style is not None:
            key = _value(of_style.find(f"{W}numId"))
        level = _value(found.find(f"{W}ilvl"))
        if not level and own is None and key:
            level = str(next((one.level for one in chain if one.level is not None), 0))
        return self.numbering.next(key, int(level) if level.isdecimal() else 0)

    def _text(self, element: Element) -> str:
        """Return the text of a paragraph; text boxes in it are kept for later."""
        parts: list[str] = []
        self._collect(element, parts)
        return "".join(parts)

    def _collect(self, element: Element, parts: list[str]) -> None:
        # By hand, because what is nested may be too deep to recurse into.
        waiting = [element]
        while waiting:
            found = waiting.pop()
            if found.tag in _LEFT_OUT or found.tag == _FALLBACK:
                self.is_tracked |= found.tag in (f"{W}del", f"{W}moveFrom")
                continue
            self.is_tracked |= found.tag == f"{W}ins"
            if found.tag == f"{W}txbxContent":
                self._boxes.append(found)
            elif found.tag == f"{W}r" and _has(found, "vanish"):
                continue
            elif found.tag == f"{W}r" and (_has(found, "strike") or _has(found, "dstrike")):
                self.is_struck |= any(flat(part.text or "") for part in found.iter(f"{W}t"))
            elif found.tag == f"{W}t":
                parts.append(found.text or "")
            elif found.tag == f"{W}lastRenderedPageBreak":
                self.n_breaks += 1
            elif found.tag in _BREAKS:
                parts.append(_BREAKS[found.tag])
            else:
                waiting += reversed(found)

    def _table(self, table: Element) -> Iterator[Block]:
        """Yield the rows of a table; where one cell alone has text, its paragraphs."""
        for row in _inner(table, f"{W}tr"):
            if row.find(f"{W}trPr/{W}del") is not None:
                self.is_tracked = True
                continue
            cells = [[block for child in cell for block in self._of(child)] for cell in _inner(row, f"{W}tc")]
            blocks = row_blocks(cells)
            if row.find(f"{W}trPr/{W}tblHeader") is not None and len(blocks) == 1:
                blocks[0].kind = HEADER
            yield from blocks


def _inner(element: Element, tag: str) -> Iterator[Element]:
    """Yield the rows of a table or the cells of a row, also those within controls."""
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag in (f"{W}sdt", f"{W}sdtContent", f"{W}customXml", f"{W}ins", f"{W}smartTag"):
            yield from _inner(child, tag)


def _is_bold(paragraph: Element) -> bool:
    """Return whether all text of a paragraph is in bold: what has no style of headings may be one."""
    runs = [run for run in paragraph.iter(f"{W}r") if any(flat(part.text or "") for part in run.iter(f"{W}t"))]
    return bool(runs) and all(_has(run, "b") for run in runs)


def _has(run: Element, name: str) -> bool:
    """Return whether a run has a property, such as bold, which may be there and off."""
    mark = run.find(f"{W}rPr/{W}{name}")
    return mark is not None and _value(mark) not in ("0", "false")
