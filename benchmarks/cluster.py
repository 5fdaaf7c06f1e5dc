"""How fast is `outsort score` on a Dask cluster, beside the same cores without one? Written as Markdown.

Starts a scheduler and workers on this machine, each worker bound to one core, and scores the same folder of
Parquet with them and without. What a round measures, it measures for all in turn; the best of the rounds
counts, because other work on the machine can only slow a round down. Core seconds, the time that the
processes were on a core, hold even where other work takes the cores in between.

    pip install -e '.[cluster]'
    python benchmarks/cluster.py
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from distributed import Client

from outsort import load_model
from outsort.scoring import cluster, folder, frames
from outsort.scoring.files import Options
from outsort.scoring.scorer import Scorer

ROOT = Path(__file__).parents[1]
ONE, TWO = {0}, {0, 1}


def write_parts(folder: Path, n_rows: int, n_parts: int) -> None:
    """Write rows of an id and two texts of the dataset joined: about 75 characters, few of them twice."""
    texts = pd.read_csv(ROOT / "data" / "tasks.csv")["text"].to_numpy(dtype=object)
    rng = np.random.default_rng(0)
    for i, ids in enumerate(np.array_split(np.arange(n_rows), n_parts)):
        first, second = rng.choice(texts, (2, len(ids)))
        table = pa.table({"id": ids, "description": first + ", " + second})
        pq.write_table(table, folder / f"part-{i:04d}.parquet")


@contextmanager
def bound(cores: set[int]):
    """Keep this process on some cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def dask_cluster(cores: set[int]):
    """Start a scheduler and a worker on each core; give the scheduler's address."""

    def start(arguments, until, core=None):
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments, "--no-dashboard"],
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
        )
        stack.callback(process.communicate)
        stack.callback(process.terminate)
        return next(found for line in process.stderr if (found := re.search(until, line)))

    with ExitStack() as stack:
        address = start(["scheduler", "--host", "127.0.0.1", "--port", "0"], r"at:\s+(tcp://\S+)")[1]
        for core in cores:
            start(["worker", address, "--nthreads", "1", "--no-nanny"], "Registered to:", core)
        yield address


def seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def on_core(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def core_seconds(client: Client | None = None) -> list[float]:
    """Return how long this process, and the scheduler and each worker of a cluster, were on a core so far."""
    if client is None:
        return [time.process_time()]
    of_workers = client.run(time.process_time).values()
    return [time.process_time(), client.run_on_scheduler(time.process_time), *of_workers]


def stages(sources: list[str], model) -> dict[str, float]:
    """Return the seconds that reading, scoring and writing take one core, each by itself."""
    with bound(ONE):
        tables = []
        reading = on_core(lambda: tables.extend(pq.read_table(source) for source in sources))
        scorer = Scorer(model, workers=1)
        scored = []
        scoring_ = on_core(lambda: scored.extend(frames.score(table, scorer) for table in tables))
        with tempfile.TemporaryFile() as sink:
            writing = on_core(lambda: [pq.write_table(t, sink, compression="zstd") for t in scored])
    return {"reading": reading, "scoring": scoring_, "writing": writing}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--parts", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--price", type=float, default=0.05, help="of a core for an hour")
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    model = load_model(options.model)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        source, output = scratch / "in", scratch / "out"
        source.mkdir()
        write_parts(source, options.rows, options.parts)
        sources = sorted(map(str, source.iterdir()))
        addresses = [stack.enter_context(dask_cluster(cores)) for cores in (ONE, TWO)]
        clients = [stack.enter_context(Client(address, set_as_default=False)) for address in addresses]

        def alone(cores, sources=sources):
            with bound(cores):
                folder.score_files(sources, output, model, options=Options(workers=len(cores)))

        def together(client, sources=sources):
            cluster.score_files(sources, output, model, cluster=client)

        ways = {
            "without a cluster, 1 core": (lambda **what: alone(ONE, **what), None),
            "1 worker of 1 core": (lambda **what: together(clients[0], **what), clients[0]),
            "without a cluster, 2 cores": (lambda **what: alone(TWO, **what), None),
            "2 workers of 1 core": (lambda **what: together(clients[1], **what), clients[1]),
        }
        wall, busy, answers = {name: [] for name in ways}, {name: [] for name in ways}, []
        for way, _ in ways.values():
            # The first time loads compiled code and lays the model out.
            way(sources=sources[:4])
            shutil.rmtree(output)
        for n_round in range(options.rounds):
            for name, (way, client) in ways.items():
                before = core_seconds(client)
                wall[name].append(seconds(way))
                busy[name].append([b - a for a, b in zip(before, core_seconds(client), strict=True)])
                if n_round == 0:
                    answers.append(pq.read_table(output))
                shutil.rmtree(output)
        one, *others = answers
        if not all(one.equals(other) for other in others):
            sys.exit("the answers differ")
        share = stages(sources, model)
        n_bytes = sum(Path(s).stat().st_size for s in sources)
        pq.write_table(one, scratch / "all.parquet", compression="zstd")
        n_bytes_out = (scratch / "all.parquet").stat().st_size
    report(options, wall, busy, share, n_bytes, n_bytes_out)


def report(options, wall, busy, share, n_bytes, n_bytes_out) -> None:
    best = {name: min(times) for name, times in wall.items()}
    least = {name: min(times, key=sum) for name, times in busy.items()}
    print(f"{options.rows:,} rows in {options.parts} parts, best of {options.rounds} rounds, equal answers:\n")
    print("| setup | seconds | rows a second | core seconds | rows a core second |")
    print("|---|---:|---:|---:|---:|")
    for name, took in best.items():
        core = sum(least[name])
        print(f"| {name} | {took:.2f} | {options.rows / took:,.0f} | {core:.2f} | {options.rows / core:,.0f} |")
    one, single, two, double = best.values()
    print(f"\nFrom one worker to two: {single / double:.2f} times the speed by the clock;", end=" ")
    (*_, worker), (*_, first, second) = list(least.values())[1::2]
    print(f"by what the busier worker had to do, {worker / max(first, second):.2f} times.")
    more = [f"{single / one - 1:+.0%} on one", f"{double / two - 1:+.0%} on two"]
    print(f"Time over that of the same cores without a cluster: {', '.join(more)};", end=" ")
    cores = [sum(times) for times in least.values()]
    print(f"core seconds {cores[1] / cores[0] - 1:+.0%} and {cores[3] / cores[2] - 1:+.0%}.")
    print("\n| stage, by itself on one core | µs a row | share |")
    print("|---|---:|---:|")
    for name, took in share.items():
        print(f"| {name} | {took / options.rows * 1e6:.1f} | {took / sum(share.values()):.0%} |")
    rate = options.rows / cores[3]
    hours = 1e9 / rate / 3600
    print(f"\nA billion rows: {hours:.1f} core hours, {hours * options.price:.2f} at {options.price} an hour;", end=" ")
    print(f"{n_bytes / options.rows:.0f} bytes a row in, {n_bytes_out / options.rows:.0f} out:", end=" ")
    print(f"{(n_bytes + n_bytes_out) / options.rows * rate / 1e6:.1f} MB/s a core.")


if __name__ == "__main__":
    main()
