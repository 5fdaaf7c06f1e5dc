"""Rows as python-calamine reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from python_calamine import CalamineSheet


def whole_rows(sheet: CalamineSheet) -> Iterator[list[Any]]:
    """Yield the rows of a sheet from its first cell, A1; the library leaves out the columns before the first used."""
    before = [""] * (sheet.start[1] if sheet.start else 0)
    for row in sheet.iter_rows():
        yield before + row
