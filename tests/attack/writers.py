"""Several processes write one file at once, and some are killed: no row is lost, no file is torn."""

from __future__ import annotations

import csv
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attack.harness import PATIENCE, Found, Try, command
from attack.interruptions import contents, is_own, write_csv
from models import WORDS, random_model
from outsort import model_file
from outsort.data.identity import key_of


@contextmanager
def start(folder: Path) -> Iterator[Try]:
    """Make the inputs; each try has some processes write at once."""
    rng = random.Random(0)
    model_file.save(random_model(3, with_out_of_scope=True), folder / "model.joblib")
    texts = [" ".join(rng.choices(WORDS, k=8)) + f" {i}" for i in range(9000)]
    write_csv(folder / "in.csv", ["text", "n"], [(text, i) for i, text in enumerate(texts)])
    outcome = command("score", folder / "in.csv", "-o", folder / "out.csv", "--model", folder / "model.joblib")
    if outcome.code:
        raise RuntimeError(outcome.err)
    yield lambda seed, its_folder: rng_choice(random.Random(seed), folder, its_folder)


def rng_choice(rng: random.Random, source: Path, folder: Path) -> None:
    """Let merges, or scores, write one file."""
    rng.choice([merge_at_once, merge_at_once, score_at_once])(rng, source, folder)


def merge_at_once(rng: random.Random, source: Path, folder: Path) -> None:
    """Merge queues into one table at once; what the killed ones were to add is there whole, or not at all."""
    into, n = folder / "labelled.csv", rng.randrange(2, 6)
    write_csv(into, ["text", "label"], [(f"old {i}", "label 00") for i in range(rng.choice([1, 3000]))])
    old = texts_in(into)
    queues = [[f"queue {k} row {i}" for i in range(rng.randrange(1, 80))] for k in range(n)]
    processes = []
    for k, texts in enumerate(queues):
        queue = folder / f"queue{k}.csv"
        write_csv(queue, ["key", "text", "label"], [(key_of(text), text, "label 01") for text in texts])
        processes.append(started("merge", queue, "--into", into, "--model", source / "model.joblib"))
        time.sleep(rng.choice([0, 0, 0.1]))
    codes = ended(rng, processes)
    found = texts_in(into)
    if doubled := [text for text, times in Counter(found).items() if times > 1]:
        raise Found("lost", f"{len(doubled)} rows came twice, the first is {doubled[0]!r}")
    if found[: len(old)] != old:
        raise Found("lost", "the rows before were lost or moved")
    for texts, code in zip(queues, codes, strict=True):
        there = [text for text in found if text in set(texts)]
        if there != texts and (code == 0 or there):
            raise Found("lost", f"of {len(texts)} rows of a queue {len(there)} are there; exit code {code}")
    check_rest(folder, {into.name, *(f"queue{k}.csv" for k in range(n))}, codes)


def score_at_once(rng: random.Random, source: Path, folder: Path) -> None:
    """Score into one output at once: whoever is first makes it, with --force everybody does."""
    n, force = rng.randrange(2, 5), rng.random() < 0.5
    arguments = ["score", source / "in.csv", "-o", folder / "out.csv", "--model", source / "model.joblib"]
    codes = ended(rng, [started(*arguments, *(["--force"] if force else [])) for _ in range(n)])
    alive = [code for code in codes if code != -signal.SIGKILL]
    if alive.count(0) > (n if force else 1) or (force and any(alive)) or set(alive) - {0, 1}:
        raise Found("lost", f"exit codes {codes}, {'with' if force else 'without'} --force")
    # A process may be killed after its file is there.
    if (folder / "out.csv").exists():
        if contents(folder)["out.csv"] != (source / "out.csv").read_bytes():
            raise Found("torn", "the output is not what one process writes")
    elif 0 in codes:
        raise Found("lost", f"there is no output; exit codes {codes}")
    check_rest(folder, {"out.csv"}, codes)


def started(*arguments: object) -> subprocess.Popen[str]:
    """Start a command."""
    return subprocess.Popen(
        [sys.executable, "-m", "outsort", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(rng: random.Random, processes: list[subprocess.Popen[str]]) -> list[int]:
    """Wait for processes, kill some of them perhaps, and return their exit codes."""
    if rng.random() < 0.4:
        time.sleep(rng.uniform(0.3, 2))
        rng.choice(processes).kill()
    try:
        said = [process.communicate(timeout=PATIENCE / 2)[1] for process in processes]
    except subprocess.TimeoutExpired:
        for process in processes:
            process.kill()
        raise Found("crashes", "processes wait for each other") from None
    for process, err in zip(processes, said, strict=True):
        if "Traceback" in err or process.returncode not in (0, 1, -signal.SIGKILL):
            raise Found("tracebacks", f"exit code {process.returncode}:\n{err[-3000:]}")
    return [process.returncode for process in processes]


def texts_in(path: Path) -> list[str]:
    """Return the texts of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file, strict=True)]


def check_rest(folder: Path, expected: set[str], codes: list[int]) -> None:
    """Check that nothing is left but what a killed process may leave."""
    is_killed = -signal.SIGKILL in codes
    rest = {path.name for path in folder.iterdir()} - expected
    if any(not (is_own(name) and is_killed) for name in rest):
        raise Found("torn", f"{sorted(rest)} are left; exit codes {codes}")
