"""How fast is a workbook read at once, beside the way cell by cell that is left for unusual ones.

    python benchmarks/reading.py

Each way reads the same workbook in turns, each time in a process of its own that has read a small one before, so
that imports and compiled code are not timed. Seconds are of CPU; memory is the peak of the process.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEXTS = (
    "type supplier invoices into the ledger",
    "draft a patent claim chart",
    "answer customer calls",
    "review an audit",
)
WAYS = ("at once", "cell by cell")
#: How many times as fast the first way is asked to be.
ASKED = 8


def write_workbook(path: Path, n_rows: int) -> None:
    import xlsxwriter

    rng = random.Random(0)
    book = xlsxwriter.Workbook(path)
    page, day = book.add_worksheet("Tenders"), book.add_format({"num_format": "yyyy-mm-dd"})
    page.write_row(0, 0, ["Ref", "Description", "Supplier", "Closing", "Amount"])
    for i in range(1, n_rows + 1):
        page.write_row(i, 0, [f"C-{i}", f"{', '.join(rng.choices(TEXTS, k=3))} {i}", f"Supplier {i % 500}"])
        page.write_datetime(i, 3, datetime.datetime(2026, 1, 1) + datetime.timedelta(i % 900), day)
        page.write(i, 4, round(rng.random() * 1e5, 2))
    book.close()


def read(way: str, small: str, large: str) -> None:
    """Be the process of one way: read both workbooks and say what the second took."""
    from outsort.tables.base import ReadOptions
    from outsort.tables.sources import opened
    from outsort.tables.workbooks import sheet_rows

    if way == WAYS[1]:
        sheet_rows.MAX_AT_ONCE = -1

    def count(path: str) -> int:
        with opened(path, ReadOptions()) as table:
            return sum(len(batch) for batch in table.reader)

    count(small)
    start = time.process_time()
    n_rows = count(large)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": n_rows, "seconds": seconds, "peak": peak}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--way", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        read(*options.way)
        return
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.xlsx"), Path(folder, "large.xlsx")
        write_workbook(small, 50)
        write_workbook(large, options.rows)
        rounds: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(options.rounds):
            for way in WAYS:
                command = [sys.executable, __file__, "--way", way, str(small), str(large)]
                done = subprocess.run(
                    command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, check=True
                )
                rounds[way].append(json.loads(done.stdout))
    print("| way | rows | seconds of CPU | peak memory, MB |\n|---|---|---|---|")
    for way, figures in rounds.items():
        seconds, peak = (statistics.median(f[name] for f in figures) for name in ("seconds", "peak"))
        print(f"| {way} | {figures[0]['rows']:,.0f} | {seconds:.2f} | {peak:.0f} |")
    faster = statistics.median(b["seconds"] / a["seconds"] for a, b in zip(*rounds.values(), strict=True))
    print(f"\n{faster:.1f} times as fast at once; {ASKED} asked")


if __name__ == "__main__":
    main()
