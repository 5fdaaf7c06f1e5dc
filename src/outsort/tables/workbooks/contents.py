"""What a workbook of Excel says of itself: its sheets and where they are, its styles, its calendar."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, iterparse

#: The most sheets, relations and the like that are looked at.
_MAX_ELEMENTS = 1_000_000


class Relation(NamedTuple):
    """A relation of a part.

    Attributes:
        id: by which the part's XML names it.
        kind: such as worksheet, the last word of its type.
        target: the name of the other part; a URI if it is external.
    """

    id: str
    kind: str
    target: str


class SheetPart(NamedTuple):
    """A sheet of a workbook.

    Attributes:
        name: its name.
        path: where its XML is in the package.
        is_visible: whether a person sees its tab.
        is_worksheet: whether it has cells; a chart or a macro sheet has none to read.
    """

    name: str
    path: str = ""
    is_visible: bool = True
    is_worksheet: bool = True


class Contents(NamedTuple):
    """What a workbook holds.

    Attributes:
        sheets: its sheets, in the order of their tabs.
        strings: where its shared strings are; "" for none.
        styles: the number format of each style; that of an unknown one is missing.
        counts_from_1904: whether day 0 is 1904-01-01.
    """

    sheets: Sequence[SheetPart]
    strings: str
    styles: Sequence[str]
    counts_from_1904: bool


def contents_of(archive: zipfile.ZipFile) -> Contents:
    """Return what a workbook holds.

    Raises:
        Exception: it is damaged.
    """
    book = workbook_part(archive) or "xl/workbook.xml"
    by_kind = {relation.kind: relation.target for relation in relations_of(archive, book)}
    sheets, from_1904 = sheets_of(archive, book)
    styles = _number_formats(archive, by_kind["styles"]) if by_kind.get("styles") in archive.namelist() else ["General"]
    strings = by_kind.get("sharedStrings", "")
    return Contents(sheets, strings if strings in archive.namelist() else "", styles, from_1904)


def workbook_part(archive: zipfile.ZipFile) -> str:
    """Return the name of the part that lists the sheets; "" for none."""
    return next((relation.target for relation in relations_of(archive, "") if relation.kind == "officeDocument"), "")


def sheets_of(archive: zipfile.ZipFile, book: str) -> tuple[list[SheetPart], bool]:
    """Return the sheets in the order of their tabs, also those of charts, and whether day 0 is 1904-01-01."""
    parts = {relation.id: relation for relation in relations_of(archive, book)}
    sheets: list[SheetPart] = []
    from_1904 = False
    for element in _elements(archive, book):
        name = _local(element.tag)
        if name == "sheet":
            _, kind, path = parts.get(_attribute(element, "id"), ("", "", ""))
            state = element.get("state", "visible")
            sheets.append(SheetPart(element.get("name", ""), path, state == "visible", kind == "worksheet"))
        elif name == "workbookPr":
            from_1904 = element.get("date1904", "0") in ("1", "true", "on")
    return sheets, from_1904


def relations_part(part: str) -> str:
    """Return the name of the part that holds the relations of a part.

    >>> relations_part("xl/workbook.xml"), relations_part("")
    ('xl/_rels/workbook.xml.rels', '_rels/.rels')
    """
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def relations_of(archive: zipfile.ZipFile, part: str) -> list[Relation]:
    """Return the relations of a part; of the package for ""."""
    path = relations_part(part)
    if path not in archive.namelist():
        return []
    folder = posixpath.dirname(part)
    found = []
    for element in _elements(archive, path):
        if _local(element.tag) == "Relationship":
            target = element.get("Target", "")
            if element.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            found.append(Relation(element.get("Id", ""), posixpath.basename(element.get("Type", "")), target))
    return found


def _number_formats(archive: zipfile.ZipFile, path: str) -> list[str]:
    from openpyxl.styles.numbers import BUILTIN_FORMATS

    codes: dict[int, str] = dict(BUILTIN_FORMATS)
    ids: list[int] = []
    in_cells = False
    for element in _elements(archive, path, starts=("cellXfs",)):
        name = _local(element.tag)
        if name == "numFmt":
            codes[int(element.get("numFmtId", "0"))] = element.get("formatCode", "General")
        elif name == "cellXfs":
            # Once when it begins, and again when it ends.
            in_cells = not in_cells
        elif name == "xf" and in_cells:
            ids.append(int(element.get("numFmtId", "0")))
    return [codes.get(number, "General") for number in ids] or ["General"]


def _elements(archive: zipfile.ZipFile, path: str, starts: Sequence[str] = ()) -> Iterator[Element]:
    """Yield the elements of a part as they end, and some of them also as they begin."""
    with archive.open(path) as content:
        for n, (event, element) in enumerate(iterparse(content, ("start", "end"))):  # noqa: S314 - expat is bounded
            if n > 2 * _MAX_ELEMENTS:
                raise ValueError(f"{path} has too many elements")
            if event == "end" or _local(element.tag) in starts:
                yield element
            if event == "end":
                element.clear()


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _attribute(element: Element, name: str) -> str:
    """Return an attribute in whatever namespace."""
    return next((value for key, value in element.attrib.items() if _local(key) == name), "")
