"""Read a workbook of another format, in a process of its own: see `outsort.tables.bounded`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

from python_calamine import CalamineWorkbook, PasswordError

from outsort.errors import DataError
from outsort.tables.workbooks.calamine import whole_rows


def answers(stream: IO[bytes], task: str, sheet: str = "", n_rows: str = "1") -> Iterator[Any]:
    """Yield the sheets of a workbook as one list, or the merged cells of one and then its rows in blocks.

    Args:
        stream: the workbook.
        task: list or rows.
        sheet: the name of the sheet.
        n_rows: the most rows of a block.

    Raises:
        DataError: it is locked.
    """
    try:
        book = CalamineWorkbook.from_filelike(stream)
    except PasswordError:
        raise DataError("is protected by a password. Save it without one.") from None
    if task == "list":
        yield [
            (found.name, str(found.visible).endswith("Visible"), str(found.typ).endswith("WorkSheet"))
            for found in book.sheets_metadata
        ]
        return
    page = book.get_sheet_by_name(sheet)
    yield page.merged_cell_ranges or []
    rows = whole_rows(page)
    while block := list(islice(rows, int(n_rows))):
        yield block
