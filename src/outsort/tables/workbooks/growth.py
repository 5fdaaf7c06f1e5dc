"""What changes around the rows of a sheet that gets new columns: its columns, filter and tables of Excel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from outsort.errors import DataError
from outsort.tables.letters import letters_of, place_of
from outsort.tables.workbooks.markup import (
    Element,
    MarkupError,
    Splice,
    appended,
    attribute,
    integer,
    outline,
    prefix_of,
    retagged,
    spliced,
    with_attributes,
)
from outsort.tables.workbooks.package import Package
from outsort.tables.workbooks.raw_rows import Cell, Row, SheetXml

_AREA = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})(?::\$?([A-Z]{1,3})\$?(\d{1,7}))?")
_NO_CELL = Cell(0, 0, 0, 0, has_value=False)
#: What the hidden name of a filter's range ends with: its last column, and its row.
_LAST_COLUMN = re.compile(rb"(.*:\$?)([A-Z]{1,3})(\$?\d+\s*)", re.DOTALL)


class Area(NamedTuple):
    """A rectangle of cells; columns and rows count from 1."""

    first_column: int
    first_row: int
    last_column: int
    last_row: int

    def __str__(self) -> str:
        """Return the reference, such as A1:D9."""
        first, last = letters_of(self.first_column - 1), letters_of(self.last_column - 1)
        return f"{first}{self.first_row}:{last}{self.last_row}"


def area_of(element: Element | None) -> Area | None:
    """Return the area that an element's reference such as A1:D9 names; None for others, such as whole columns.

    >>> print(area_of(Element("dimension", {"ref": "B2:D9"}, 0)))
    B2:D9
    """
    found = _AREA.fullmatch(element.attributes.get("ref", "")) if element else None
    if not found:
        return None
    first, last = 1 + place_of(found[1]), 1 + place_of(found[3] or found[1])
    return Area(first, int(found[2]), last, int(found[4] or found[2]))


class Table(NamedTuple):
    """A table of Excel on a sheet.

    Attributes:
        part: its part.
        content: its XML.
        root: the outline of it.
        area: its cells, the header and totals included.
    """

    part: str
    content: bytes
    root: Element
    area: Area

    @property
    def name(self) -> str:
        """Its name for formulas."""
        return self.root.attributes.get("displayName", self.part)

    @property
    def totals(self) -> range:
        """The numbers of its rows of totals."""
        n_totals = integer(self.root, "totalsRowCount", 0)
        return range(self.area.last_row - n_totals + 1, self.area.last_row + 1)


class SheetSurvey(NamedTuple):
    """What there is to know of a sheet before it gets new columns.

    Attributes:
        part: its part.
        header_row: the number of the row with the names of its columns.
        first_free: the first column from which on nothing stands in that row or below.
        last_row: the number of its last row.
        n_rows: how many rows it lists.
        header_style: the number of the format of the header's last cell.
        body_style: that of the cell below it.
        frame: its XML without the rows.
        root: the outline of the frame.
        tables: its tables of Excel that reach the header's row.
    """

    part: str
    header_row: int
    first_free: int
    last_row: int
    n_rows: int
    header_style: int
    body_style: int
    frame: bytes
    root: Element
    tables: list[Table]


def survey_sheet(package: Package, part: str, header_row: int, n_columns: int) -> SheetSurvey:
    """Read a sheet once.

    Args:
        package: the package of its workbook.
        part: its part.
        header_row: the number of the row with the names of its columns.
        n_columns: how many columns have a name.

    Raises:
        MarkupError: cells cannot be placed in it.
    """
    last_column = last_row = n_rows = header_style = body_style = 0
    with package.open(part) as stream:
        sheet = SheetXml(stream)
        for row in sheet:
            last_row, n_rows = row.number, n_rows + 1
            if row.number < header_row:
                continue
            last_column = max(last_column, _last_value(sheet, row, last_column))
            if row.number <= header_row + 1:
                cells = [cell for cell in sheet.cells(row) if cell.column <= n_columns]
                style = max(cells, default=_NO_CELL).style
                header_style, body_style = (style, 0) if row.number == header_row else (header_style, style)
    frame = sheet.head + sheet.tail
    root = outline(frame, 2)
    if root.name != "worksheet":
        raise MarkupError("the sheet is not one of cells")
    protection = root.child("sheetProtection")
    if protection and protection.attributes.get("sheet", "0") in ("1", "true"):
        raise MarkupError("the sheet is protected against changes")
    tables = [table for table in _tables_of(package, part) if table.area.last_row >= header_row]
    merged = root.child("mergeCells")
    areas = [area_of(element) for element in (merged.children if merged else ())]
    taken = [area.last_column for area in areas if area and area.last_row >= header_row]
    first_free = 1 + max([last_column, *taken, *(table.area.last_column for table in tables)])
    return SheetSurvey(part, header_row, first_free, last_row, n_rows, header_style, body_style, frame, root, tables)


def _last_value(sheet: SheetXml, row: Row, known: int) -> int:
    """Return the last column with a value in a row, if it is beyond the one that is known."""
    last = sheet.last_cell(row)
    if last is None or last.column <= known or last.has_value:
        return last.column if last else 0
    return max((cell.column for cell in sheet.cells(row) if cell.has_value), default=0)


def _tables_of(package: Package, part: str) -> list[Table]:
    tables = []
    for name in package.related(part, "table"):
        content = package.read(name)
        root = outline(content, 2)
        area = area_of(root)
        if area is None:
            raise MarkupError(f"{name} is a table without a range")
        tables.append(Table(name, content, root, area))
    return tables


def takes_in(table: Table, survey: SheetSurvey) -> bool:
    """Return whether a table of Excel begins at the header and ends where the new columns begin.

    Raises:
        MarkupError: it does, but takes its rows from a database, which knows no such columns.
    """
    has_header = table.root.attributes.get("headerRowCount", "1") != "0"
    begins, ends = table.area.first_row == survey.header_row, table.area.last_column == survey.first_free - 1
    if not (has_header and begins and ends):
        return False
    if table.root.attributes.get("tableType", "worksheet") != "worksheet":
        raise MarkupError(f"its table {table.name!r} is filled from another source, which has no such columns")
    return True


def grown_table(table: Table, names: Sequence[str]) -> bytes:
    """Return the XML of a table of Excel with new columns at its end.

    Raises:
        DataError: it has a column of such a name, but for capitals.
    """
    content, root, listed = table.content, table.root, table.root.child("tableColumns")
    if listed is None or not listed.children:
        raise MarkupError(f"{table.part} lists no columns")
    taken = {element.attributes.get("name", "").casefold() for element in listed.children}
    clash = [name for name in names if name.casefold() in taken]
    if clash:
        raise DataError(
            f"the table {table.name!r} has a column {clash[0]!r} already, but for capitals, which Excel does not "
            "distinguish. Name a --prefix for new columns."
        )
    first_id = 1 + max(integer(element, "id", 0) for element in listed.children)
    prefix, last = prefix_of(content, listed), table.area.last_column + len(names)
    new = b"".join(
        b'<%stableColumn id="%d" name=%s/>' % (prefix, number, attribute(name))
        for number, name in enumerate(names, first_id)
    )
    splices = [
        retagged(content, root, {"ref": table.area._replace(last_column=last)}),
        retagged(content, listed, {"count": len(listed.children) + len(names)}),
        appended(content, listed, new),
    ]
    filters = root.child("autoFilter")
    filtered = area_of(filters)
    if filters and filtered:
        splices.append(retagged(content, filters, {"ref": filtered._replace(last_column=last)}))
    return spliced(content, splices)


def covered(package: Package, survey: SheetSurvey, last: int) -> list[str]:
    """Return the cells at which charts, pictures and text boxes begin that lie over new columns up to `last`."""
    found = []
    for name in package.related(survey.part, "drawing"):
        content = package.read(name)
        for anchor in outline(content, 3).children:
            start, end = anchor.child("from"), anchor.child("to") or anchor.child("from")
            if start is None or end is None:
                continue
            (left, top), (right, bottom) = _corner(content, start), _corner(content, end)
            if left <= last and right >= survey.first_free and bottom >= survey.header_row:
                found.append(f"{letters_of(left - 1)}{top}")
    return found


def _corner(content: bytes, anchor: Element) -> tuple[int, int]:
    """Return the column and row, from 1, that a corner of a drawing is in; 0 where it does not say."""
    texts = {child.name: content[child.inner : child.inner_end].strip() for child in anchor.children}
    column, row = (texts.get(name, b"") for name in ("col", "row"))
    return (1 + int(column) if column.isdigit() else 0), (1 + int(row) if row.isdigit() else 0)


def filter_of(survey: SheetSurvey) -> Area | None:
    """Return the range of the sheet's filter, if it is on the header."""
    area = area_of(survey.root.child("autoFilter"))
    return area if area and area.first_row == survey.header_row else None


def grown_frame(survey: SheetSurvey, widths: Sequence[float]) -> tuple[bytes, bytes]:
    """Return the XML before and after the rows, with new columns of these widths."""
    frame, root = survey.frame, survey.root
    last = survey.first_free + len(widths) - 1
    splices = [_with_widths(survey, widths)]
    dimension, filters = root.child("dimension"), root.child("autoFilter")
    area, filtered = area_of(dimension), filter_of(survey)
    if dimension and area:
        wider = area._replace(
            first_row=min(area.first_row, survey.header_row),
            last_column=max(area.last_column, last),
            last_row=max(area.last_row, survey.last_row),
        )
        splices.append(retagged(frame, dimension, {"ref": wider}))
    if filters and filtered:
        # All of the new columns: rows are sorted whole or come apart.
        wider = filtered._replace(last_column=max(filtered.last_column, last))
        splices.append(retagged(frame, filters, {"ref": wider}))
    at = _rows_of(survey).inner
    before = [splice for splice in splices if splice.end <= at]
    after = [Splice(start - at, end - at, new) for start, end, new in splices if start >= at]
    return spliced(frame[:at], before), spliced(frame[at:], after)


def _with_widths(survey: SheetSurvey, widths: Sequence[float]) -> Splice:
    """Give the new columns their widths, and leave the others what they have."""
    frame, root = survey.frame, survey.root
    prefix, end = prefix_of(frame, root), survey.first_free + len(widths)
    new = b"".join(
        b'<%scol min="%d" max="%d" width="%g" customWidth="1"/>' % (prefix, column, column, width)
        for column, width in enumerate(widths, survey.first_free)
    )
    listed = root.child("cols")
    if listed is None:
        at = _rows_of(survey).start
        return Splice(at, at, b"<%scols>" % prefix + new + b"</%scols>" % prefix)
    before, after = [], []
    for element in listed.children:
        tag, rest = frame[element.start : element.inner], frame[element.inner : element.end]
        low, high = integer(element, "min"), integer(element, "max")
        if low < survey.first_free:
            before.append(with_attributes(tag, {"max": min(high, survey.first_free - 1)}) + rest)
        if high >= end:
            after.append(with_attributes(tag, {"min": max(low, end)}) + rest)
    tag = b"<%scols>" % prefix
    return Splice(listed.start, listed.end, tag + b"".join([*before, new, *after]) + tag.replace(b"<", b"</"))


def _rows_of(survey: SheetSurvey) -> Element:
    """Return the element that holds the rows."""
    found = survey.root.child("sheetData")
    if found is None:
        raise MarkupError("the sheet has no rows")
    return found


def with_wider_filter(workbook: bytes, place: int, last_column: int) -> bytes:
    """Return the part of a workbook with the hidden name that Excel gives to the range of a sheet's filter.

    Args:
        workbook: the part.
        place: of the sheet among all, from 0.
        last_column: to which the filter reaches.
    """
    names = outline(workbook, 2).child("definedNames")
    splices = []
    for element in names.children if names else ():
        given = element.attributes
        if given.get("name") != "_xlnm._FilterDatabase" or given.get("localSheetId") != str(place):
            continue
        found = _LAST_COLUMN.fullmatch(workbook[element.inner : element.inner_end])
        if found and place_of(found[2].decode()) < last_column - 1:
            new = found[1] + letters_of(last_column - 1).encode() + found[3]
            splices.append(Splice(element.inner, element.inner_end, new))
    return spliced(workbook, splices)
