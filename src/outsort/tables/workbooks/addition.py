"""Whole sheets added to a copy of a workbook, with their charts and pictures."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import IO

from outsort.tables.workbooks.contents import relations_part
from outsort.tables.workbooks.markup import (
    MarkupError,
    Splice,
    appended,
    attribute,
    integer,
    outline,
    prefix_of,
    spliced,
)
from outsort.tables.workbooks.package import CONTENT_TYPES, RELATIONS, Package, PackageCopy
from outsort.tables.workbooks.styles import Styles

_CELL_FORMAT = re.compile(rb'(<(?:c|row)\b[^>]*? s=|<col\b[^>]*? style=)"(\d+)"')
#: Where the drawings and charts of sheets are.
_DRAWN = ("xl/drawings/", "xl/charts/")
_OTHER_FORMAT = re.compile(rb'( dxfId=)"(\d+)"')


def lists_no_more(package: Package) -> bool:
    """Return whether a workbook's list of sheets is protected against changes."""
    protection = outline(package.read(package.workbook), 1).child("workbookProtection")
    return protection is not None and protection.attributes.get("lockStructure", "0") in ("1", "true")


def add_sheets(
    copy: PackageCopy, styles: Styles, built: IO[bytes], replaced: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Add all sheets of a workbook that XlsxWriter has built behind those of a copy, or in the place of one of these.

    Names that formulas could use, such as print areas, stay behind. Sheets come without formulas, and with their texts
    in their cells, as in a workbook of constant memory.

    Args:
        copy: the copy.
        styles: the style sheet of the copy, which gets the formats; its content is written by the caller.
        built: the workbook, whose sheets have names that are free (`free_title`): its charts refer to them.
        replaced: sheets of the copy, part by name, in whose place one of their name goes. Their charts go with them.

    Raises:
        MarkupError: the workbook's list of sheets is protected, or a name is taken.
    """
    other = Package(built)
    if lists_no_more(copy.package):
        raise MarkupError("its list of sheets is protected against changes")
    taken = {sheet.name.casefold() for sheet in copy.package.sheets if sheet.name not in replaced}
    if taken & {sheet.name.casefold() for sheet in other.sheets}:
        raise MarkupError("it has a sheet of such a name already")
    formats, others = styles.adopt(Styles(other.read(other.related(other.workbook, "styles")[0])))
    for sheet in other.sheets:
        place = replaced.get(sheet.name)
        if place:
            _drop(copy, place)
        names = _free_names(copy, other, sheet.path) | ({sheet.path: place} if place else {})
        for old, new in names.items():
            part = other.read(old)
            if old == sheet.path:
                part = _fitted(part, formats, others)
            _add(copy, other, old, new, part)
            if other.has(relations_part(old)):
                copy.replace(relations_part(new), _with_targets(other, old, names))
        if not place:
            _list(copy, sheet.name, names[sheet.path])


def _drop(copy: PackageCopy, part: str) -> None:
    """Leave out a sheet with its drawings and charts; pictures stay, as other sheets may show them."""
    copy.drop(part)
    for relation in copy.package.relations(part):
        if relation.target.startswith(_DRAWN) and copy.has(relation.target):
            _drop(copy, relation.target)


def _fitted(sheet: bytes, formats: Sequence[int], others: Sequence[int]) -> bytes:
    """Return the XML of a sheet with the copy's numbers of formats."""
    sheet = _CELL_FORMAT.sub(lambda found: b'%b"%d"' % (found[1], formats[int(found[2])]), sheet)
    sheet = _OTHER_FORMAT.sub(lambda found: b'%b"%d"' % (found[1], others[int(found[2])]), sheet)
    # The sheet that was open stays the only one chosen: what is typed into chosen sheets goes into all of them.
    return sheet.replace(b' tabSelected="1"', b"")


def _free_names(copy: PackageCopy, other: Package, part: str) -> dict[str, str]:
    """Return a part and all that it leads to, each with a name that is free in the copy."""
    names: dict[str, str] = {}
    waiting = [part]
    while waiting:
        name = waiting.pop()
        if name in names or not other.has(name):
            continue
        stem, suffix = re.sub(r"\d*(\.\w+)$", "", name), posixpath.splitext(name)[1]
        n = 1
        while copy.has(f"{stem}{n}{suffix}") or f"{stem}{n}{suffix}" in names.values():
            n += 1
        names[name] = f"{stem}{n}{suffix}"
        waiting += (relation.target for relation in other.relations(name))
    return names


def _add(copy: PackageCopy, other: Package, old: str, new: str, content: bytes) -> None:
    """Add a part with the content type that it had."""
    types = outline(other.read(CONTENT_TYPES), 1).children
    by_part = {element.attributes.get("PartName"): element.attributes["ContentType"] for element in types}
    by_suffix = {element.attributes.get("Extension"): element.attributes["ContentType"] for element in types}
    copy.add(new, content, by_part.get(f"/{old}") or by_suffix[posixpath.splitext(old)[1].removeprefix(".")])


def _with_targets(other: Package, part: str, names: dict[str, str]) -> bytes:
    """Return the relations of a part that, like those it leads to, has a new name."""
    content = other.read(relations_part(part))
    splices = []
    for element, relation in zip(outline(content, 1).children, other.relations(part), strict=True):
        if relation.target in names:
            tag = content[element.start : element.inner]
            given = re.search(rb' Target="[^"]*"', tag)
            if given:
                at = element.start
                new = b" Target=" + attribute(f"/{names[relation.target]}")
                splices.append(Splice(at + given.start(), at + given.end(), new))
    return spliced(content, splices)


def _list(copy: PackageCopy, title: str, part: str) -> None:
    """Add a sheet to the list of a workbook."""
    relation = copy.relate(copy.package.workbook, "worksheet", part)
    content = copy.read(copy.package.workbook)
    sheets = outline(content, 2).child("sheets")
    if sheets is None or not sheets.children:
        raise MarkupError("it lists no sheets")
    number = 1 + max(integer(sheet, "sheetId") for sheet in sheets.children)
    # What sheets are related by is declared again: openpyxl with lxml declares it on each sheet, not on the whole.
    last = sheets.children[-1]
    related = re.search(rb"\s([\w.-]+):id\s*=", content[last.start : last.inner])
    name = related[1] if related else b"r"
    declared = re.search(rb"\sxmlns:%b\s*=\s*([\"'][^\"']*[\"'])" % re.escape(name), content)
    entry = b'<%bsheet xmlns:%b=%b name=%b sheetId="%d" %b:id="%b"/>' % (
        prefix_of(content, sheets),
        name,
        declared[1] if declared else attribute(RELATIONS),
        attribute(title),
        number,
        name,
        relation.encode(),
    )
    copy.replace(copy.package.workbook, spliced(content, [appended(content, sheets, entry)]))
