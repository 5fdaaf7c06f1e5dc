"""Rows as python-calamine reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from python_calamine import CalamineSheet


def whole_rows(sheet: CalamineSheet) -> Iterator[list[Any]]:
    """Return the rows of a sheet from its first cell, A1; the library leaves out the columns before the first used."""
    before = [""] * (sheet.start[1] if sheet.start else 0)
    rows: Iterator[list[Any]] = sheet.iter_rows()
    return (before + row for row in rows) if before else rows
