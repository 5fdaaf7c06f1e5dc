"""Disks that fill: one message, and the old file whole."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from attack.harness import Found, Try, check_refusal, command
from attack.interruptions import OLD, contents, write_csv
from models import WORDS, random_model
from outsort import model_file
from outsort.data.identity import key_of

STYLES = ["csv", "tsv", "jsonl", "json", "parquet", "xlsx", "csv.gz", "json.gz", "jsonl.zst"]


@contextmanager
def start(folder: Path) -> Iterator[Try]:
    """Make the inputs; each try runs a command where there is little room."""
    rng = random.Random(0)
    model_file.save(random_model(3, with_out_of_scope=True), folder / "model.joblib")
    texts = [" ".join(rng.choices(WORDS, k=8)) + f" {i}" for i in range(3000)]
    write_csv(folder / "in.csv", ["text", "n"], [(text, i) for i, text in enumerate(texts)])
    write_csv(folder / "labelled.csv", ["text", "label"], [(f"old {text}", "label 00") for text in texts])
    verdicts = [(key_of(text), text, "label 01", "2026-01-02") for text in texts]
    write_csv(folder / "queue.csv", ["key", "text", "label", "decided_at"], verdicts)
    yield lambda seed, its_folder: attempt(random.Random(seed), folder, its_folder)


def attempt(rng: random.Random, source: Path, folder: Path) -> None:
    """Run one command on a full disk, and check what is left."""
    work = rng.choice(["score", "score", "score", "review", "merge", "folder", "stdout"])
    style, size = rng.choice(STYLES), int(2 ** rng.uniform(0, 19))
    by = ["--model", source / "model.joblib"]
    if work == "stdout":
        # The device is opened for writing, and takes nothing.
        with open("/dev/full", "wb") as full:  # noqa: PTH123
            outcome = command("score", source / "in.csv", "-o", "-", "--to", style.partition(".")[0], *by, stdout=full)
        check_refusal(outcome)
        return
    disk = folder / "disk"
    disk.mkdir()
    is_mounted = os.geteuid() == 0 and rng.random() < 0.5
    with mounted(disk, 4096 * (2 + size // 4096)) if is_mounted else nullcontext() as has_disk:
        is_mounted = bool(has_disk)
        arguments = prepared(work, style, source, disk)
        before = contents(disk)
        options = {} if is_mounted else {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))}
        # What is written meanwhile may find no room either.
        scratch = folder if rng.random() < 0.7 or not is_mounted else disk
        outcome = command(
            *arguments, *by, env=os.environ | {"TMPDIR": str(scratch), "PYTHONDONTWRITEBYTECODE": "1"}, **options
        )
        found = contents(disk)
        if outcome.code:
            check_refusal(outcome)
            # Of several files, those that are complete may stay.
            if work != "folder" and found != before:
                raise Found("torn", f"{work}, {style}, {size} bytes: {sorted(found)} differ from before\n{outcome.err}")
            if rest := [name for name in found if name.endswith((".part", ".lock"))]:
                raise Found("torn", f"{work}, {style}, {size} bytes: {rest} are left\n{outcome.err}")
        elif found == before:
            raise Found("lost", f"{work}, {style}, {size} bytes: nothing was written, and nothing told")


def prepared(work: str, style: str, source: Path, disk: Path) -> list[object]:
    """Put old files on a disk, as far as there is room, and return the command."""
    if work == "folder":
        return ["score", source / "in.csv", "-o", f"{disk}/out/"]
    if work == "merge":
        try:
            shutil.copy(source / "labelled.csv", disk)
        except OSError:
            (disk / "labelled.csv").unlink()
        return ["merge", source / "queue.csv", "--into", disk / "labelled.csv"]
    style = style if work == "score" else "xlsx" if "xlsx" in style else "csv"
    (disk / f"out.{style}").write_bytes(OLD)
    return [work, source / "in.csv", "-o", disk / f"out.{style}", "--force"]


@contextmanager
def mounted(folder: Path, size: int) -> Iterator[bool]:
    """Mount a small disk in memory; yield whether the system permits it."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "outsort-attack", folder]
    is_permitted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield is_permitted
    finally:
        if is_permitted:
            subprocess.run(["umount", folder], check=True)
