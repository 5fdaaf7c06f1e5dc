"""Attack the program: ``python tests/attack --seconds 120 --seed 0``; on POSIX systems."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

# Where this folder is a package, beside the modules that the tests share.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from attack import damage, disks, documents, interruptions, service, sharing, tables, writers
from attack.harness import KINDS, Part, Tally, make_tries, watch

PARTS = {
    "tables": Part("damaged tables", 0.25, tables.start),
    "documents": Part("odd and damaged documents", 0.15, documents.start),
    "models": Part("damaged model files", 0.07, damage.start),
    "interruptions": Part("score, merge, retrain, --resume under signals", 0.2, interruptions.start),
    "disks": Part("full disks", 0.08, disks.start),
    "writers": Part("several writers of one file", 0.1, writers.start),
    "sharing": Part("threads and forks", 0.05, sharing.start),
    "service": Part("hostile and slow clients", 0.1, service.start),
}


def main() -> int:
    """Run the parts, print what became of them, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, prog="tests/attack")
    parser.add_argument("--seconds", type=float, default=120, help="for all parts together")
    parser.add_argument("--seed", type=int, default=0, help="of the first try; each other has the next")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; may be given several times")
    parser.add_argument("--tries", type=int, help="at most so many of each part: with --seed, 1 repeats a failure")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        make_tries(PARTS[arguments.only[0]], arguments.child, arguments.seed, arguments.seconds, arguments.tries)
        return 0
    # Ended itself, it ends what it has started, and removes its files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = {name: PARTS[name] for name in arguments.only or PARTS}
    total = sum(part.share for part in chosen.values())
    folder = Path(tempfile.mkdtemp(prefix="outsort-attack-"))
    kept = folder / "failures"
    kept.mkdir()
    # The cores of a machine are shared by all that is started here; one thread each.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    begun = time.perf_counter()
    tallies = {}
    try:
        for name, part in chosen.items():
            share = arguments.seconds * part.share / total
            print(f"{part.what}: {share:.0f} s …", file=sys.stderr, flush=True)
            tallies[name] = watch(name, folder / name, kept, arguments.seed, share, arguments.tries)
    finally:
        if not any(kept.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)
    show(chosen, tallies, with_notes=bool(arguments.only))
    print(f"\nSeed {arguments.seed}, {time.perf_counter() - begun:.0f} s.")
    return int(any(sum(tally.found.values()) for tally in tallies.values()))


def show(parts: dict[str, Part], tallies: dict[str, Tally], *, with_notes: bool) -> None:
    """Print a table of what became of the tries, then what failed and how to repeat it."""
    print("| what | tries | survived | " + " | ".join(KINDS) + " | peak memory |")
    print("|---|" + "---:|" * (3 + len(KINDS)))
    for name, tally in tallies.items():
        counts = [tally.tries, tally.survived, *tally.found.values()]
        print(f"| {parts[name].what} | " + " | ".join(f"{n:,}" for n in counts) + f" | {tally.peak / 1e6:,.0f} MB |")
    for name, tally in tallies.items():
        if tally.skipped:
            print(f"\n{parts[name].what}: skipped, {tally.skipped}")
        if with_notes and tally.notes:
            print("\n" + "\n".join(tally.notes))
        for failure in tally.failures:
            print(f"\n{parts[name].what}: {failure}")
        if tally.failures:
            print(f"\nAgain: python tests/attack --only {name} --tries 1 --seed N")


if __name__ == "__main__":
    sys.exit(main())
