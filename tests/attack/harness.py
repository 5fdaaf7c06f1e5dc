"""Run tries in a process of their own, watch it, and count what became of them."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import queue
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, NamedTuple

#: What may go wrong. `crashes` are processes that ended by a signal, or that did not end.
KINDS = ("lost", "torn", "tracebacks", "crashes")
#: Seconds that one try may take.
PATIENCE = 180
#: A try: from its seed, in an empty folder of its own. It returns a line to tell of it, or None; it raises `Found`.
Try = Callable[[int, Path], str | None]


class Found(Exception):  # noqa: N818 - it is what is looked for
    """Something went wrong in a try: which of `KINDS`, and what."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(what)
        self.kind = kind


class Part(NamedTuple):
    """A part of the attack.

    Attributes:
        what: what is attacked, in words.
        share: of the time.
        start: prepares the tries in a folder; yields the function that makes one.
    """

    what: str
    share: float
    start: Callable[[Path], AbstractContextManager[Try]]


@dataclass
class Tally:
    """What became of the tries of a part; `peak` is in bytes, of its largest process."""

    tries: int = 0
    survived: int = 0
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    peak: int = 0
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    skipped: str = ""

    def fail(self, kind: str, seed: int, what: str, folder: Path, kept: Path) -> None:
        """Count a failure, and keep the folder of the try."""
        self.found[kind] += 1
        place = kept / f"{folder.parent.name}-{seed}"
        shutil.rmtree(place, ignore_errors=True)
        if folder.exists():
            shutil.move(folder, place)
        self.failures.append(
            f"{kind}, seed {seed}, files in {place}\n    " + what.strip()[-2000:].replace("\n", "\n    ")
        )


class Skip(Exception):  # noqa: N818 - likewise
    """A part cannot be tried on this machine: why."""


# --- in the process of a part --------------------------------------------------------------------------


def make_tries(part: Part, folder: Path, first: int, seconds: float, n_tries: int | None) -> None:
    """Make tries until the time is over, and tell of each on stdout as a line of JSON."""
    events = os.fdopen(os.dup(1), "w", buffering=1)
    # Whatever else is printed must not be taken for one of these lines.
    os.dup2(2, 1)

    def tell(*event: object) -> None:
        events.write(json.dumps(event) + "\n")

    end = time.monotonic() + seconds
    try:
        with part.start(folder) as attempt:
            seed = first
            while (n_tries is None or seed < first + n_tries) and (seed == first or time.monotonic() < end):
                its_folder = folder / f"try-{seed}"
                its_folder.mkdir()
                tell("try", seed)
                kind, what = "", None
                try:
                    what = attempt(seed, its_folder)
                except Found as found:
                    kind, what = found.kind, str(found)
                except Exception:  # noqa: BLE001 - anything that is not expected is what is looked for
                    kind, what = "tracebacks", traceback.format_exc()
                if seed % 20 == 0:
                    # The command line lets garbage lie, because it soon ends.
                    gc.collect()
                if not kind:
                    shutil.rmtree(its_folder, ignore_errors=True)
                tell("done", seed, kind, what, peak())
                seed += 1
    except Skip as why:
        tell("skip", str(why))


def peak() -> int:
    """Return the most bytes that this process, or one that it waited for, had in memory."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return 1024 * max(usage.ru_maxrss for usage in usages)


class Outcome(NamedTuple):
    """What a command left: its exit code and its messages."""

    code: int
    err: str


def command(*arguments: object, **options: object) -> Outcome:
    """Run the command line in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "outsort", *map(str, arguments)],
        **({"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "timeout": PATIENCE} | options),
    )
    return Outcome(done.returncode, done.stderr.decode(errors="replace"))


def command_here(*arguments: object) -> Outcome:
    """Run the command line in this process, which is a hundred times as fast."""
    main = _prepared_main()
    err, code = io.StringIO(), 0
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            code = stopped.code or 0
    return Outcome(code, err.getvalue())


@cache
def _prepared_main() -> Callable[[list[str]], None]:
    from typer.main import get_command

    from outsort.cli import main as module

    # Typer reads all commands anew each time, which takes longer than to score a small table.
    module.app = get_command(module.app)
    return module.main


def check_refusal(outcome: Outcome, name: str = "") -> None:
    """Check that a command ended with one message, which names the file."""
    said = [line for line in outcome.err.splitlines() if line.startswith("outsort: ")]
    is_one = outcome.code == 1 and len(said) == 1 and outcome.err.endswith(f"{said[0]}\n") and name in said[0]
    if not is_one or "Traceback" in outcome.err:
        raise Found("tracebacks", f"exit code {outcome.code}, and the messages:\n{outcome.err[-3000:]}")


# --- in the process that watches -------------------------------------------------------------------------


def watch(name: str, folder: Path, kept: Path, first: int, seconds: float, n_tries: int | None) -> Tally:
    """Have a part's tries made by other processes, one after the other if they crash."""
    tally, end = Tally(), time.monotonic() + seconds
    seed = first
    while seed == first or (time.monotonic() < end and (n_tries is None or seed < first + n_tries)):
        folder.mkdir(exist_ok=True)
        left = None if n_tries is None else first + n_tries - seed
        last = _watch_one(tally, name, folder, kept, seed, end - time.monotonic(), left)
        _clear(folder)
        if last is None:
            break
        seed = last + 1
    return tally


def _watch_one(
    tally: Tally, name: str, folder: Path, kept: Path, first: int, seconds: float, n_tries: int | None
) -> int | None:
    """Watch one process; return the seed of the try in which it crashed, None if it did not."""
    arguments = ["--child", folder, "--only", name, "--seed", first, "--seconds", max(0.0, seconds)]
    process = subprocess.Popen(
        [sys.executable, Path(__file__).parent, *map(str, arguments), *(["--tries", str(n_tries)] if n_tries else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)},
        # Of what it starts, nothing is left when it is ended.
        start_new_session=True,
    )
    trying, line = None, "?"
    lines, errors = _lines_of(process.stdout), _lines_of(process.stderr)
    try:
        with contextlib.suppress(queue.Empty):
            while line := lines.get(timeout=PATIENCE + 30):
                event, *rest = json.loads(line)
                if event == "try":
                    trying = rest[0]
                    tally.tries += 1
                elif event == "skip":
                    tally.skipped = rest[0]
                else:
                    _, kind, what, size = rest
                    tally.peak = max(tally.peak, size)
                    if kind:
                        tally.fail(kind, trying, what, folder / f"try-{trying}", kept)
                    else:
                        tally.survived += 1
                        tally.notes += [what] if what else []
                    trying = None
    finally:
        # Too slow, or this process is ended.
        if line:
            os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    if not code:
        return None
    said = "".join(iter(errors.get, ""))[-3000:]
    why = f"a try took more than {PATIENCE} seconds" if line else f"the process ended with {code}\n{said}"
    if trying is None:
        # Not one try, but what prepares them.
        raise SystemExit(f"{name}: {why}")
    tally.fail("crashes", trying, why, folder / f"try-{trying}", kept)
    return trying


def _lines_of(stream: IO[str]) -> queue.Queue[str]:
    """Return the lines of a stream as they come, then "", so that whoever writes it need not wait."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        with stream:
            for line in stream:
                lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    return lines


def _clear(folder: Path) -> None:
    """Remove a part's folder, and the disks mounted in it by a process that was killed."""
    for path in folder.rglob("*"):
        if path.is_dir() and path.is_mount():
            subprocess.run(["umount", "--lazy", path], check=False)
    shutil.rmtree(folder, ignore_errors=True)
