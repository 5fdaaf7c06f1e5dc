"""Read a workbook of another format in a process of its own, which may end without harm to the one that asked.

A few bytes of such a file can claim more cells than there is memory, on which the library stops its process. It is
started as ``python -P foreign_child.py list|rows SHEET N-ROWS BYTES`` with the workbook, a regular file, as standard
input, and writes lines of JSON. It imports nothing of this package.
"""

from __future__ import annotations

import datetime
import json
import sys
from itertools import islice
from typing import Any

#: The most seconds of processor time.
_SECONDS = 900


def _limit(n_bytes: int) -> None:
    """Take no more memory than this, and no more time than any workbook needs, where the system can see to that."""
    try:
        import resource
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (n_bytes if most < 0 else min(n_bytes, most), most))
    # Should the one that asked end without notice, so does this one.
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS if most < 0 else min(_SECONDS, most), most))


def _coded(value: Any) -> Any:  # noqa: ANN401 - of a cell
    if isinstance(value, datetime.timedelta):
        return {"timedelta": value.total_seconds()}
    return {type(value).__name__: value.isoformat()}


def _write(content: object) -> None:
    sys.stdout.write(json.dumps(content, default=_coded) + "\n")


def main(task: str, sheet: str = "", n_rows: str = "0", n_bytes: str = "0") -> int:
    """Write what is asked for; return the exit code."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    _limit(int(n_bytes))
    # Whoever opened the file may have read from it.
    sys.stdin.buffer.seek(0)
    try:
        book = CalamineWorkbook.from_filelike(sys.stdin.buffer)
        if task == "list":
            _write(
                [
                    (found.name, str(found.visible).endswith("Visible"), str(found.typ).endswith("WorkSheet"))
                    for found in book.sheets_metadata
                ]
            )
            return 0
        page = book.get_sheet_by_name(sheet)
        _write(page.merged_cell_ranges or [])
        rows = page.iter_rows()
        while block := list(islice(rows, int(n_rows))):
            _write(block)
    except PasswordError:
        _write({"error": "password"})
        return 3
    except CalamineError as error:
        _write({"error": str(error)})
        return 3
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.exit(main(*sys.argv[1:]))
