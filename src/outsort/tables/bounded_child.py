"""The process that `bounded` starts: ``python -P bounded_child.py BYTES SECONDS MODULE ARGUMENT…``.

A few bytes of a file can claim more than there is memory, on which a library stops its process. The file, a regular
one, is its standard input; it writes lines of JSON: the answers of the module, and an object last where that fails.
"""

from __future__ import annotations

import datetime
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def _limit(n_bytes: int, n_seconds: int) -> None:
    """Take no more memory and processor time than this, where the system can see to that."""
    try:
        import resource
    except ImportError:
        return
    # Should the one that asked end without notice, so does this one.
    for kind, wanted in ((resource.RLIMIT_AS, n_bytes), (resource.RLIMIT_CPU, n_seconds)):
        _, most = resource.getrlimit(kind)
        resource.setrlimit(kind, (wanted if most < 0 else min(wanted, most), most))


def _coded(value: Any) -> Any:  # noqa: ANN401 - of a cell
    if isinstance(value, datetime.timedelta):
        return {"timedelta": value.total_seconds()}
    return {type(value).__name__: value.isoformat()}


def _write(content: object) -> None:
    sys.stdout.write(json.dumps(content, default=_coded) + "\n")


def main(n_bytes: str, n_seconds: str, module: str, *arguments: str) -> int:
    """Write what a module answers; return the exit code."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from outsort.errors import DataError, first_line

    found = import_module(f"outsort.tables.{module}")
    _limit(int(n_bytes), int(n_seconds))
    # Whoever opened the file may have read from it.
    sys.stdin.buffer.seek(0)
    try:
        for answer in found.answers(sys.stdin.buffer, *arguments):
            _write(answer)
    except DataError as error:
        _write({"refused": str(error)})
        return 3
    # The system refuses to map a library that there is no memory for.
    except (MemoryError, ImportError):
        return 4
    # A damaged file makes a library raise whatever it happens to hit.
    except Exception as error:  # noqa: BLE001
        _write({"error": first_line(error)})
        return 3
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.exit(main(*sys.argv[1:]))
