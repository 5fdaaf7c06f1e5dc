"""Signals at random moments of long commands: files stay whole, old or new, and what comes after completes the work."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from attack.harness import PATIENCE, Found, Skip, Try, command
from models import WORDS, random_model
from outsort import model_file
from outsort.data.identity import key_of
from outsort.scoring.folder import MANIFEST

TICKETS = Path(__file__).parents[2] / "data" / "tickets.csv"
#: Rows of a table that takes about a second to score, and to merge.
ROWS, VERDICTS = 24_000, 2_000
OLD = b"what was there before\n"


@contextmanager
def start(folder: Path) -> Iterator[Try]:
    """Make the inputs. Each work is done once undisturbed: what it makes, and how long it takes."""
    if not TICKETS.exists():
        raise Skip(f"{TICKETS} is missing")
    source = folder / "source"
    source.mkdir()
    write_inputs(source)
    works = [*map(Score, ("csv", "jsonl", "parquet", "xlsx", "csv.gz")), *[Merge(), Retrain(), Folder()] * 2]

    @cache
    def undisturbed(work: Work) -> tuple[float, dict[str, object]]:
        made = folder / f"{type(work).__name__}-{getattr(work, 'style', '')}"
        made.mkdir()
        work.prepare(source, made)
        begun = time.monotonic()
        outcome = command(*work.arguments(source, made))
        if outcome.code:
            raise RuntimeError(f"{work}, undisturbed: {outcome.err}")
        return time.monotonic() - begun, contents(made)

    def attempt(seed: int, its_folder: Path) -> None:
        rng = random.Random(seed)
        work = rng.choice(works)
        seconds, expected = undisturbed(work)
        work.prepare(source, its_folder)
        interrupt(rng, work, source, its_folder, seconds, expected)

    yield attempt


def write_inputs(folder: Path) -> None:
    """Write the model, and the tables that the works take."""
    rng = random.Random(0)
    model_file.save(random_model(3, with_out_of_scope=True), folder / "model.joblib")
    rows = [(f"r{i:06d}", " ".join(rng.choices(WORDS, k=8)), i) for i in range(ROWS)]
    write_csv(folder / "in.csv", ["id", "text", "n"], rows)
    labels = ["label 00", "label 01", "label 02"]
    known = [(f"text {i} of {row[1]}", labels[i % 3]) for i, row in enumerate(rows[:VERDICTS])]
    write_csv(folder / "labelled.csv", ["text", "label"], known)
    texts = [f"new {i} of {row[1]}" for i, row in enumerate(rows[:VERDICTS])]
    verdicts = [(key_of(text), text, labels[i % 3], "me", "2026-01-02") for i, text in enumerate(texts)]
    write_csv(folder / "queue.csv", ["key", "text", "label", "reviewer", "decided_at"], verdicts)
    (folder / "parts").mkdir()
    for i in range(6):
        write_csv(folder / "parts" / f"p{i}.csv", ["id", "text", "n"], rows[i * 4000 : (i + 1) * 4000])
    with TICKETS.open(encoding="utf-8", newline="") as file:
        tickets = list(csv.reader(file))
    write_csv(folder / "tickets.csv", tickets[0], tickets[1::2])
    write_csv(folder / "known.csv", tickets[0], tickets[1::4])


def write_csv(path: Path, header: list[str], rows: list[tuple[object, ...]]) -> None:
    """Write a table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([header, *rows])


class Score:
    """Score a table over an older file."""

    def __init__(self, style: str) -> None:
        self.style = style

    def prepare(self, source: Path, folder: Path) -> None:  # noqa: ARG002 - as others do
        (folder / f"out.{self.style}").write_bytes(OLD)

    def arguments(self, source: Path, folder: Path) -> list[object]:
        return ["score", source / "in.csv", "-o", folder / f"out.{self.style}", "--force", *_by(source)]

    again = arguments


class Merge:
    """Merge a queue into labelled rows."""

    def prepare(self, source: Path, folder: Path) -> None:
        shutil.copy(source / "labelled.csv", folder)

    def arguments(self, source: Path, folder: Path) -> list[object]:
        return ["merge", source / "queue.csv", "--into", folder / "labelled.csv", *_by(source)]

    again = arguments


class Retrain:
    """Train a model in the place of its base."""

    def prepare(self, source: Path, folder: Path) -> None:
        if not (source / "base.joblib").exists():
            outcome = command("train", source / "known.csv", "-o", source / "base.joblib", "--folds", 0)
            if outcome.code:
                raise RuntimeError(outcome.err)
        shutil.copy(source / "base.joblib", folder)

    def arguments(self, source: Path, folder: Path) -> list[object]:
        base = ["--base", source / "base.joblib"]
        return ["retrain", source / "tickets.csv", *base, "-o", folder / "base.joblib", "--force", "--folds", 2]

    again = arguments


class Folder:
    """Score several tables into a folder, and resume."""

    def prepare(self, source: Path, folder: Path) -> None:
        pass

    def arguments(self, source: Path, folder: Path) -> list[object]:
        return ["score", source / "parts" / "*.csv", "-o", f"{folder / 'out'}/", *_by(source)]

    def again(self, source: Path, folder: Path) -> list[object]:
        return [*self.arguments(source, folder), "--resume"]


Work = Score | Merge | Retrain | Folder


def _by(source: Path) -> list[object]:
    return ["--model", source / "model.joblib"]


def contents(folder: Path) -> dict[str, object]:
    """Return what the files of a folder hold, by name; of a workbook its sheets, because it tells when it was made."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = str(path.relative_to(folder))
        found[name] = path.read_bytes()
        if name.endswith(".xlsx") and found[name] != OLD:
            with zipfile.ZipFile(path) as book:
                found[name] = {part: book.read(part) for part in book.namelist() if "core.xml" not in part}
        if path.name == MANIFEST:
            found[name] = json.loads(found[name])
    return found


def is_own(name: str) -> bool:
    """Return whether a file is one that a killed process may leave: the next writer removes it."""
    return Path(name).name.startswith(".") and name.endswith((".outsort.part", ".outsort.lock"))


def interrupt(
    rng: random.Random, work: Work, source: Path, folder: Path, seconds: float, expected: dict[str, object]
) -> None:
    """Send a signal some time after a work has begun, perhaps again and again, then let it be completed.

    Raises:
        Found: a file is neither old nor new, something is left, or the work cannot be completed.
    """
    before = contents(folder)
    arguments: Callable[[Path, Path], list[object]] = work.arguments
    is_killed = False
    for _ in range(rng.choice([1, 1, 2])):
        number = rng.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
        # Most of the writing is at the end.
        delay = seconds * rng.choice([rng.uniform(0.1, 1.1), rng.uniform(0.7, 1.05)])
        code, err = run_interrupted(arguments(source, folder), number, delay)
        check_end(number, code, err)
        # What a killed process left, the next one may not have come to remove.
        is_killed = is_killed or number == signal.SIGKILL
        check_files(work, before, contents(folder), expected, is_killed=is_killed)
        if isinstance(work, Folder) and (folder / "out" / MANIFEST).exists():
            arguments = work.again
    outcome = command(*arguments(source, folder))
    found = contents(folder)
    if outcome.code or without_manifest(found) != without_manifest(expected):
        differ = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise Found("lost", f"completed with exit code {outcome.code}, and {differ} differ\n{outcome.err[-2000:]}")


def without_manifest(found: dict[str, object]) -> dict[str, object]:
    """Return files without the record of a run, which names folders."""
    return {name: content for name, content in found.items() if not name.endswith(MANIFEST)}


def run_interrupted(arguments: list[object], number: int, delay: float) -> tuple[int, str]:
    """Run a command and send it a signal; return its exit code and its messages."""
    # Not through a pipe, which is open for as long as processes that it has started.
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "outsort", *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        try:
            process.wait(PATIENCE / 3)
            # Who is killed cannot end what it has started: that may go on for a while.
            if number != signal.SIGKILL and not is_group_gone(process.pid):
                raise Found("crashes", f"processes that it started go on after {signal.Signals(number).name}")
        except subprocess.TimeoutExpired:
            raise Found("crashes", f"goes on after {signal.Signals(number).name}") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said.seek(0)
        return process.returncode, said.read()


def is_group_gone(group: int) -> bool:
    """Return whether all processes of a group end soon."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def check_end(number: int, code: int, err: str) -> None:
    """Check how a command ended: by its own, or as a signal ends a process."""
    # Before `main` begins, and after it has ended, Python itself answers.
    is_python = code == -number or (number == signal.SIGINT and "in main\n" not in err and "KeyboardInterrupt" in err)
    if is_python and number != signal.SIGKILL:
        return
    if "Traceback" in err or "Exception ignored" in err:
        raise Found("tracebacks", f"{signal.Signals(number).name}, exit code {code}:\n{err[-3000:]}")
    if code not in (0, -number if number == signal.SIGKILL else 128 + number):
        raise Found("crashes", f"{signal.Signals(number).name}, exit code {code}:\n{err[-3000:]}")


def check_files(
    work: Work, before: dict[str, object], found: dict[str, object], expected: dict[str, object], *, is_killed: bool
) -> None:
    """Check that each file is what it was, or what it becomes, and that nothing else is there."""
    for name, content in found.items():
        if is_own(name) and is_killed:
            continue
        if name.endswith(MANIFEST) and isinstance(content, dict):
            continue
        if content not in (before.get(name), expected.get(name)):
            raise Found("torn", f"{type(work).__name__}: {name} is neither what it was nor what it becomes")
    if lost := before.keys() - found.keys():
        raise Found("lost", f"{type(work).__name__}: {sorted(lost)} went")
