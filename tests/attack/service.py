"""The service under hostile files and slow clients: others are answered meanwhile, and it ends when it should.

For Linux, whose /proc tells what memory the processes take.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from attack import tables
from attack.harness import PATIENCE, Found, Skip, Try
from workbooks import wide_rows, workbook

#: Seconds the service may work on a file, and may go on after SIGTERM.
ANSWER_SECONDS, GRACE_SECONDS = 20, 5
#: How files may be answered: scored, refused, or not now.
ANSWERS = {200, 400, 413, 415, 422, 503}
#: MB that its processes may grow by while thousands of requests are answered.
MOST_GROWTH = 30
#: Slow clients: as many as the service once let keep others out, and more than it has connections for.
SLOW = (200, 600)
HEAD = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


def parquet(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    pa.parquet.write_table(table, stream, compression="zstd")
    return stream.getvalue()


def attacks() -> dict[str, Callable[[], tuple[str, bytes]]]:
    """What makes the query and the content of each file, by what it is."""

    def book(rows: bytes, formats: bytes = b"") -> tuple[str, bytes]:
        return "filename=t.xlsx&to=csv", workbook(rows, formats)

    def texts(query: str) -> tuple[str, bytes]:
        return query, parquet(pa.table({"text": ["key invoices " * 1600] * 81_920}))

    def nothing() -> tuple[str, bytes]:
        inner = pa.nulls(30_000_000, pa.int64())
        return "filename=t.parquet", parquet(
            pa.table({"text": ["x"], "n": pa.ListArray.from_arrays([0, len(inner)], inner)})
        )

    def keys() -> tuple[str, bytes]:
        return "filename=t.jsonl&to=csv", b'{"text": ""}\n' + b"".join(b'{"%d": 1}\n' % i for i in range(60_000))

    def archive() -> tuple[str, bytes]:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("t.csv", b"text\n" + b"a\n" * 50_000_000)
        return "filename=t.csv.zip", out.getvalue()

    return {
        "workbook into CSV, a row 2,000,000,000": lambda: book(b'<row r="2000000000"><c><v>1</v></c></row>'),
        "workbook into CSV, 8,192 rows to column ZZZ": lambda: book(wide_rows(8192, b"ZZZ")),
        "workbook into CSV, 8,192 rows to column XFD": lambda: book(wide_rows(8192)),
        "workbook into CSV, a million cell formats": lambda: book(b"", b"<xf/>" * 1_000_000),
        "workbook into CSV, a row of 12 million cells": lambda: book(b"<row>" + b"<c/>" * 12_000_000 + b"</row>"),
        "Parquet, 20 kB of text in 81,920 rows": lambda: texts("filename=t.parquet"),
        "the same, into CSV": lambda: texts("filename=t.parquet&to=csv"),
        "Parquet, a list of 30 million nulls": nothing,
        "JSON lines, 60,000 keys, into CSV": keys,
        "CSV of 100 MB of one cell, gzip": lambda: ("filename=t.csv.gz", gzip.compress(b"text\n" + b"a" * 100_000_000)),
        "CSV of 40 million columns, gzip": lambda: ("filename=t.csv.gz", gzip.compress(b"text" + b"," * 40_000_000)),
        "CSV of 50 million rows, zip": archive,
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


class Service:
    """`outsort serve` in a process of its own, around a small model.

    Attributes:
        folder: for its log, and its temporary files.
        process: it.
        port: where it listens.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        """Start it, with some seconds for the answer to a file."""
        self.folder = folder
        folder.mkdir()
        limits = {"OUTSORT_ANSWER_SECONDS": str(seconds), "OUTSORT_GRACE_SECONDS": str(GRACE_SECONDS)}
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "outsort", "serve", "--port", "0"],
                stderr=log,
                env=os.environ | limits | {"TMPDIR": str(folder)},
                # Its processes are found by their group.
                start_new_session=True,
            )
        end = time.monotonic() + 60
        while not (ready := re.search(r"serving on http://\S+:(\d+) ", self.log())):
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError(f"the service does not start: {self.log()}")
            time.sleep(0.05)
        self.port = int(ready[1])

    def log(self) -> str:
        """Return what it has logged."""
        return (self.folder / "log").read_text()

    def said(self) -> str:
        """Return the last lines that it logged."""
        return "\n".join(self.log().splitlines()[-15:])

    @contextmanager
    def watched(self) -> Iterator[Processes]:
        """Sample the memory of its processes."""
        processes = Processes(self.process.pid)
        try:
            yield processes
        finally:
            processes.close()

    def check(self) -> None:
        """Check that it is still there, and has logged nothing that nobody expected.

        Raises:
            Found: it has ended, or logged a traceback.
        """
        if self.process.poll() is not None:
            raise Found("crashes", f"it ended with {self.process.returncode}\n{self.said()}")
        if re.search(r"Traceback|/\S* 500 \d+ ms|Error at ", self.log()):
            raise Found("tracebacks", self.said())

    def end(self) -> None:
        """Kill it with its processes, and wait until it is gone."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


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


def row(name: str, size: int | None, said: str, good: list[float], peak: int) -> str:
    """Return a row of the table in docs/serving.md."""
    shown = f"{size / 1000:,.1f} kB" if size is not None else ""
    return f"| {name} | {shown} | {said} | {max(good):.2f} s | {peak / 1e6:,.0f} MB |"


def attack_with_file(service: Service, name: str, query: str, content: bytes, patience: float) -> str:
    """Upload a file four times at once, which is twice as often as there are processes."""
    answers: list[int] = []

    def upload() -> None:
        with suppress(OSError, HTTPException):
            answers.append(post(service.port, f"/score?{query}", content)[0])

    threads = [threading.Thread(target=upload) for _ in range(4)]
    with service.watched() as processes:
        for thread in threads:
            thread.start()
        good = good_answers(service.port, lambda: not any(thread.is_alive() for thread in threads))
    check_good(good, patience)
    if len(answers) < len(threads) or not set(answers) <= ANSWERS:
        raise Found("lost", f"{name}: answered with {answers}\n{service.said()}")
    return row(name, len(content), ", ".join(map(str, sorted(set(answers)))), good, processes.peak)


def attack_with_slow_clients(service: Service, n: int, seconds: float) -> str:
    """Keep connections open that send a part of a request and no more."""
    end = time.monotonic() + seconds
    with service.watched() as processes, ExitStack() as stack:
        for _ in range(n):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", service.port)))
            with suppress(ConnectionError):
                connection.sendall(HEAD % 9999 + b"{")
        good = good_answers(service.port, lambda: time.monotonic() > end)
    check_good(good, 10)
    return row(f"{n} slow clients", None, "", good, processes.peak)


def check_good(good: list[float], patience: float) -> None:
    """Check that requests which do no harm were answered, and how soon."""
    if max(good) > patience:
        raise Found("lost", f"a good request was answered after {max(good):.1f} s, or not at all")


def attack_with_damage(service: Service, seed: int, folder: Path) -> None:
    """Upload tables, spoilt in every way, among good ones."""
    for k in range(10):
        rng = random.Random(seed * 1000 + k)
        style, output = rng.choice(tables.INPUTS), rng.choice(["csv", "jsonl", "parquet", "xlsx"])
        content = tables.spoilt_table(rng, style).raw
        (folder / f"{k}-{output}.{style}").write_bytes(content)
        status, _ = post(service.port, f"/score?filename=t.{style}&to={output}", content)
        if status not in ANSWERS:
            raise Found("tracebacks", f"number {k}, {style} into {output}: status {status}\n{service.said()}")


def ask_as_described(service: Service, seed: int, folder: Path) -> None:
    """Let Schemathesis make requests, good and bad, of the description."""
    program = Path(sys.executable).with_name("schemathesis")
    config = Path(__file__).parents[1] / "service" / "schemathesis.toml"
    address = f"http://127.0.0.1:{service.port}/openapi.json"
    done = subprocess.run(
        [
            *(program, "--config-file", config, "run", address, "--max-examples", "5", "--seed", str(seed)),
            *("--no-color", "--phases", "examples,coverage,fuzzing"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE - 20,
    )
    if done.returncode:
        (folder / "schemathesis.txt").write_text(done.stdout + done.stderr)
        raise Found("tracebacks", f"schemathesis ends with {done.returncode}:\n{done.stdout[-3000:]}\n{service.said()}")


def grow(service: Service, n_requests: int) -> str:
    """Ask by many clients: does it take more memory for the second half of the requests?"""
    sizes = []
    with service.watched() as processes:
        for _ in range(2):
            statuses = asyncio.run(ask_many(service.port, n_requests // 2, 64))
            sizes.append(sum(processes.resident().values()))
    growth = (sizes[1] - sizes[0]) / 1e6
    if not statuses.keys() <= {"200", "503"} or growth > MOST_GROWTH:
        raise Found("lost", f"statuses {statuses}, and {growth:+.1f} MB")
    return f"{n_requests:,} requests by 64 clients: {growth:+.1f} MB over the second half."


def end_under_attack(service: Service, query: str, content: bytes) -> str:
    """SIGTERM while files are being scored: how soon is it gone, and what is left?"""
    for _ in range(6):
        threading.Thread(target=_post_and_forget, args=(service.port, query, content), daemon=True).start()
    time.sleep(2)
    service.process.send_signal(signal.SIGTERM)
    begun = time.perf_counter()
    try:
        code = service.process.wait(GRACE_SECONDS + 20)
    except subprocess.TimeoutExpired:
        raise Found("crashes", "it goes on after SIGTERM and its grace period") from None
    seconds = time.perf_counter() - begun
    # Python's own helper processes notice a little later.
    end = time.monotonic() + 5
    while (processes := running(service.process.pid)) and time.monotonic() < end:
        time.sleep(0.05)
    left = [path.name for path in service.folder.iterdir() if path.name != "log"] + processes
    if left or code != 128 + signal.SIGTERM:
        raise Found("torn", f"exit code {code}; left behind: {', '.join(left)}\n{service.said()}")
    return f"Gone {seconds:.1f} s after SIGTERM with 6 files in work; the grace period was {GRACE_SECONDS} s."


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


@contextmanager
def start(folder: Path) -> Iterator[Try]:
    """Start the service; the tries are, in turn, of each kind. After an end, or a failure, it is started anew."""
    if not Path("/proc/self/status").exists():
        raise Skip("there is no /proc")
    files = dict.fromkeys(attacks())
    running: list[Service] = []

    def attempt(seed: int, its_folder: Path) -> str | None:
        if not running:
            running.append(Service(folder / "service", ANSWER_SECONDS))
        (one,) = running
        kinds: list[Callable[[], str | None]] = [
            lambda: attack_with_damage(one, seed, its_folder),
            lambda: ask_as_described(one, seed, its_folder),
            *(lambda n=n: attack_with_slow_clients(one, n, 5) for n in SLOW),
            lambda: end_under_attack(one, *attacks()["workbook into CSV, 8,192 rows to column XFD"]()),
            lambda: grow(one, 4000),
            *(lambda name=name: attack_with_file(one, name, *attacks()[name](), 10) for name in files),
        ]
        kind = seed % len(kinds)
        try:
            told = kinds[kind]()
            if kind != _END:
                one.check()
        except BaseException:
            running.clear()
            one.end()
            raise
        if kind == _END:
            running.clear()
            one.end()
        return told

    try:
        yield attempt
    finally:
        for one in running:
            one.end()


#: The place of the kind that ends the service.
_END = 2 + len(SLOW)
