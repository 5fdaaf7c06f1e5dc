"""What the service withstands: small files and slow clients that are made to occupy it.

Called by `service.py --attack`, which prints what this measures. For Linux, whose /proc it reads.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

import openpyxl
import pyarrow as pa
import pyarrow.parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds the service may work on a file, and may go on after SIGTERM.
ANSWER_SECONDS, GRACE_SECONDS = 20, 5
#: Slow clients: as many as the service once let keep others out, and more than it has connections for.
SLOW = (200, 600)
HEAD = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


def workbook(rows: bytes, formats: bytes = b"") -> bytes:
    """A workbook with these rows of XML and these cell formats."""
    plain, changed = io.BytesIO(), io.BytesIO()
    book = openpyxl.Workbook()
    book.active.append(["text"])
    book.save(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
        for name in old.namelist():
            content = old.read(name).replace(b"</sheetData>", rows + b"</sheetData>")
            if formats:
                content = re.sub(b"(?<=<cellXfs).*(?=</cellXfs>)", b">" + formats, content)
            new.writestr(name, content)
    return changed.getvalue()


def wide_rows(column: bytes) -> bytes:
    return b"".join(b'<row><c r="%s%d"><v>1</v></c></row>' % (column, i) for i in range(2, 8194))


def parquet(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    pa.parquet.write_table(table, stream, compression="zstd")
    return stream.getvalue()


def attacks() -> dict[str, tuple[str, bytes]]:
    """The query and the content of each file, by what it is."""
    texts = pa.array(["key invoices " * 1600] * 81_920)
    nothing = pa.array([[None] * 30_000_000], pa.list_(pa.int64()))
    keys = b'{"text": ""}\n' + b"".join(b'{"%d": 1}\n' % i for i in range(60_000))
    book = {
        "a row 2,000,000,000": workbook(b'<row r="2000000000"><c><v>1</v></c></row>'),
        "8,192 rows to column ZZZ": workbook(wide_rows(b"ZZZ")),
        "8,192 rows to column XFD": workbook(wide_rows(b"XFD")),
        "a million cell formats": workbook(b"", b"<xf/>" * 1_000_000),
        "a row of 12 million cells": workbook(b"<row>" + b"<c/>" * 12_000_000 + b"</row>"),
    }
    return {
        **{f"workbook into CSV, {name}": ("filename=t.xlsx&to=csv", content) for name, content in book.items()},
        "Parquet, 20 kB of text in 81,920 rows": ("filename=t.parquet", parquet(pa.table({"text": texts}))),
        "the same, into CSV": ("filename=t.parquet&to=csv", parquet(pa.table({"text": texts}))),
        "Parquet, a list of 30 million nulls": ("filename=t.parquet", parquet(pa.table({"text": ["x"], "n": nothing}))),
        "JSON lines, 60,000 keys, into CSV": ("filename=t.jsonl&to=csv", keys),
        "CSV of 100 MB of one cell, packed": ("filename=t.csv.gz", gzip.compress(b"text\n" + b"a" * 100_000_000)),
        "CSV of 40 million columns, packed": ("filename=t.csv.gz", gzip.compress(b"text" + b"," * 40_000_000)),
    }


class Processes:
    """The memory of the service and of its children, sampled while it runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.peak = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stopped.wait(0.02):
            self.peak = max(self.peak, *self.resident().values(), 0)

    def resident(self) -> dict[int, int]:
        """Resident bytes of each process."""
        found = {}
        for pid in family(self._pid):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            if size := re.search(r"VmRSS:\s+(\d+)", status):
                found[pid] = 1024 * int(size[1])
        return found

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()


def family(pid: int) -> list[int]:
    """A process and its children."""
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += map(int, task.read_text().split())
        except OSError:
            continue
    return [pid, *children]


@contextmanager
def service(folder: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`outsort serve` and its port."""
    limits = {"OUTSORT_ANSWER_SECONDS": str(ANSWER_SECONDS), "OUTSORT_GRACE_SECONDS": str(GRACE_SECONDS)}
    with (Path(folder) / "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "outsort", "serve", "--port", "0"],
            stderr=log,
            text=True,
            env=os.environ | limits | {"TMPDIR": folder},
            start_new_session=True,
        )
        try:
            while not (ready := re.search(r"serving on http://\S+:(\d+) ", Path(log.name).read_text())):
                time.sleep(0.05)
            yield process, int(ready[1])
        finally:
            process.kill()
            process.wait()


def post(port: int, path: str, body: bytes) -> tuple[int, float]:
    """The status of the response, and the seconds until it came."""
    begun = time.perf_counter()
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST", path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        response.read()
    finally:
        connection.close()
    return response.status, time.perf_counter() - begun


def good_answers(port: int, until: Callable[[], bool]) -> list[float]:
    """Seconds that good requests took while something went on; all must be answered."""
    times = []
    body = json.dumps({"texts": ["Type 300 supplier invoices a day into SAP"]}).encode()
    while not times or not until():
        status, seconds = post(port, "/predict", body)
        times.append(seconds if status == 200 else float("inf"))
        time.sleep(0.05)
    return times


def row(name: str, size: str, said: str, seconds: float, good: list[float], peak: int) -> None:
    print(f"| {name} | {size} | {said} | {seconds:.1f} s | {max(good):.2f} s | {peak / 1e6:,.0f} MB |", flush=True)


def attack_with_file(port: int, pid: int, name: str, query: str, content: bytes) -> None:
    """Upload a file four times at once, which is twice as often as there are processes."""
    answers: list[tuple[int, float]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(post(port, f"/score?{query}", content))) for _ in range(4)
    ]
    watched = Processes(pid)
    for thread in threads:
        thread.start()
    good = good_answers(port, lambda: not any(thread.is_alive() for thread in threads))
    watched.close()
    said = ", ".join(sorted({str(status) for status, _ in answers}))
    row(name, f"{len(content) / 1000:,.1f} kB", said, max(seconds for _, seconds in answers), good, watched.peak)


def attack_with_slow_clients(port: int, pid: int, n: int, seconds: float) -> None:
    """Keep connections open that send a part of a request and no more."""
    watched = Processes(pid)
    end = time.monotonic() + seconds
    with ExitStack() as stack:
        for _ in range(n):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(HEAD % 9999 + b"{")
        good = good_answers(port, lambda: time.monotonic() > end)
    watched.close()
    row(f"{n} slow clients of /predict", "", "", seconds, good, watched.peak)


def end_under_attack(process: subprocess.Popen[str], port: int, folder: str, query: str, content: bytes) -> None:
    """SIGTERM while files are being scored: how soon is it gone, and what is left?"""
    for _ in range(6):
        threading.Thread(target=_post_and_forget, args=(port, query, content), daemon=True).start()
    time.sleep(2)
    log = Path(folder) / "log"
    n_before = len(log.read_text().splitlines())
    process.send_signal(signal.SIGTERM)
    begun = time.perf_counter()
    process.wait(60)
    seconds = time.perf_counter() - begun
    # Python's own helper processes notice a little later.
    end = time.monotonic() + 3
    while (processes := running(process.pid)) and time.monotonic() < end:
        time.sleep(0.05)
    left = [path.name for path in Path(folder).iterdir() if path != log] + processes
    said = [line[24:] for line in log.read_text().splitlines()[n_before:] if " POST " not in line]
    print(f"\nGone {seconds:.1f} s after SIGTERM with 6 files in work; the grace period was {GRACE_SECONDS} s.")
    print(f"Left behind: {', '.join(left) or 'nothing'}. It logged: {'; '.join(said)}.")


def running(group: int) -> list[str]:
    """The processes of a group, by name and state; a zombie is one that its parent has yet to notice."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = path.read_text().rpartition(")")
            state, _parent, of_group = rest.split()[:3]
            if int(of_group) == group:
                found.append(f"{name}) {state}")
    return found


def _post_and_forget(port: int, query: str, content: bytes) -> None:
    with suppress(OSError, HTTPException):
        post(port, f"/score?{query}", content)


async def ask_many(port: int, n_requests: int, n_clients: int) -> dict[str, int]:
    """Ask as many times, by as many clients; return how often each status came."""
    body = json.dumps({"texts": ["Prior art search for a battery patent"]}).encode()
    request = HEAD % len(body) + body
    statuses: dict[str, int] = {}
    left = n_requests

    async def client() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left > 0:
            left -= 1
            writer.write(request)
            said = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(re.search(r"content-length: (\d+)", said)[1]))
            status = said.split()[1]
            statuses[status] = statuses.get(status, 0) + 1
            if status == "503":
                await asyncio.sleep(0.02)
        writer.close()

    await asyncio.gather(*(client() for _ in range(n_clients)))
    return statuses


def grow(port: int, pid: int, n_requests: int) -> None:
    """How much memory does the service take more for the second half of many requests?"""
    processes = Processes(pid)
    sizes = []
    for _ in range(2):
        statuses = asyncio.run(ask_many(port, n_requests // 2, 64))
        sizes.append(sum(processes.resident().values()))
    processes.close()
    growth = (sizes[1] - sizes[0]) / 1e6
    print(f"\n{n_requests:,} requests by 64 clients: {growth:+.1f} MB over the second half (statuses {statuses}).")


def run(*, quick: bool) -> None:
    """Attack the service, and print as Markdown what it does."""
    with tempfile.TemporaryDirectory() as folder, service(folder) as (process, port):
        print("| attack | size | answered | after | slowest good answer | peak of a process |")
        print("| --- | ---: | --- | ---: | ---: | ---: |")
        files = attacks()
        for name, (query, content) in list(files.items())[: 2 if quick else None]:
            attack_with_file(port, process.pid, name, query, content)
        for n in SLOW:
            attack_with_slow_clients(port, process.pid, n, 2 if quick else 15)
        grow(port, process.pid, 1000 if quick else 20_000)
        end_under_attack(process, port, folder, *files["workbook into CSV, 8,192 rows to column XFD"])
