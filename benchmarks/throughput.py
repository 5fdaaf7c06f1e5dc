"""How fast is outsort, beside the other ways to do the same, and what does a row cost as rows and cores grow.

    pip install -e '.[benchmarks]'
    python benchmarks/throughput.py --plot benchmarks/throughput.svg

Every method stands in its own process, with one thread unless its name says two, and they take turns: each
round all of them answer the same new texts (the slower ones the first of them), so that a busy machine is
busy for all. Rates are medians of the rounds. What a method wants its texts as (Arrow strings for outsort,
lists for the others, for fastText of words between spaces) they are beforehand. Peak memory is that of the
process, its texts included. On a machine that has other work to do the figures come with a warning.
"""

from __future__ import annotations

import argparse
import csv
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

# This process stays small, because the peak of a process counts that of the one it came from: whatever is
# heavy is imported by the processes of the methods.
ROOT = Path(__file__).parents[1]
LENGTHS = {"short": 100, "long": 1000}
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")} | {
    "TOKENIZERS_PARALLELISM": "false"
}
#: How many texts of 100 characters a method gets each round; of 1,000 characters, a tenth of them.
METHODS = {
    "outsort": 200_000,
    "outsort, two threads": 200_000,
    "outsort, from Python strings": 200_000,
    "scikit-learn, same model": 4_000,
    "fastText, same n-grams": 10_000,
    "MiniLM and logistic regression": 200,
}


def read_tasks() -> list[dict[str, str]]:
    with (ROOT / "data" / "tasks.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Texts:
    """Texts of some length: stretches of the dataset run together, one in five with a word never seen.

    That is more than one new word in a hundred, and more than texts have that go on so long (Heaps, 1978).
    The same seed gives the same texts; a shorter run is the beginning of a longer one.
    """

    def __init__(self) -> None:
        descriptions = [row["text"] for row in read_tasks()]
        random.Random(0).shuffle(descriptions)
        self.together = ". ".join(descriptions)

    def make(self, n: int, n_chars: int, seed: int) -> list[str]:
        rng = random.Random(seed)
        texts = []
        for _ in range(n):
            start = rng.randrange(len(self.together) - 2 * n_chars)
            # Begin at a word; end where it comes to the length asked.
            start = self.together.index(" ", start) + 1
            text = self.together[start : start + n_chars]
            if rng.random() < 0.2:
                # A number, a code or a slip of the pen: there is always one more.
                text = f"{text[: n_chars // 2]}{rng.randrange(16**4):04x}{text[n_chars // 2 : -4]}"
            texts.append(text)
        return texts


def method_of(name: str):
    """Return two functions of a method: texts to what it takes, which is not timed, and that to answers."""
    from outsort import load_model

    model = load_model()
    if name.startswith("outsort"):
        import pyarrow as pa

        from outsort.scoring.kernel import Kernel

        kernel = Kernel(model, 2 if "two" in name else 1)
        return (list if "strings" in name else pa.array), kernel.answer
    # Only now: the process of outsort shall not hold what outsort does not need.
    import numpy as np
    import peers

    rows = read_tasks()
    if name.startswith("scikit-learn"):
        pipeline = peers.ScikitLearn(model)
        sample = [row["text"] for row in rows[::700]] + Texts().make(100, LENGTHS["long"], seed=-1)
        np.testing.assert_allclose(pipeline.predict_proba(sample), model.predict_proba(sample), atol=1e-5)
        return list, pipeline.predict_proba
    if name.startswith("fastText"):
        # How long it has learned changes its answers and not its speed.
        fasttext = peers.FastText(epochs=1)
        fasttext.fit([row["text"] for row in rows], [row["service_line"] for row in rows])
        return fasttext.prepared, lambda texts: fasttext.model.predict(texts, k=-1)
    import torch

    torch.set_num_threads(1)
    embedding = peers.Embedding()
    sample = random.Random(0).sample(rows, 1000)
    embedding.fit([row["text"] for row in sample], [row["service_line"] for row in sample])
    return list, embedding.predict_proba


def serve(name: str, share: float) -> None:
    """Be the process of one method: answer the texts of each round asked for, and say what it took."""
    prepare, answer = method_of(name)
    source = Texts()
    for line in sys.stdin:
        length, seed = line.split()
        n_chars = LENGTHS[length]
        texts = source.make(max(1, int(METHODS[name] * share * 100 / n_chars)), n_chars, int(seed))
        n_bytes = sum(len(text.encode()) for text in texts)
        ready = prepare(texts)
        start, used = time.perf_counter(), time.process_time()
        answer(ready)
        seconds, used = time.perf_counter() - start, time.process_time() - used
        figures = {
            "texts": len(texts) / seconds,
            "MB": n_bytes / seconds / 1e6,
            "cores": used / seconds,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        print(json.dumps(figures), flush=True)


class Process:
    """A method in its own process."""

    def __init__(self, name: str, share: float) -> None:
        self.name = name
        command = [sys.executable, __file__, "--serve", name, "--share", str(share)]
        self._process = subprocess.Popen(
            command, env=os.environ | ONE_THREAD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, length: str, seed: int) -> dict[str, float] | None:
        """Return the rates of one round; None where the method cannot run."""
        try:
            self._process.stdin.write(f"{length} {seed}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return None
        line = self._process.stdout.readline()
        return json.loads(line) if line else None

    def close(self) -> None:
        self._process.communicate()


def compare(n_rounds: int, share: float) -> list[dict]:
    """Return the figures of each method and length of text."""
    processes = [Process(name, share) for name in METHODS]
    rounds: dict[tuple[str, str], list[dict]] = {}
    # The first round warms up.
    for seed in range(n_rounds + 1):
        for length in LENGTHS:
            for process in list(processes):
                figures = process.run(length, seed)
                if figures is None:
                    print(f"left out: {process.name}, which does not run here", file=sys.stderr)
                    processes.remove(process)
                elif seed:
                    rounds.setdefault((process.name, length), []).append(figures)
        print(f"round {seed} of {n_rounds}", file=sys.stderr)
    for process in processes:
        process.close()
    base = {length: rounds["outsort", length] for length in LENGTHS}
    return [
        {
            "method": name,
            "texts": length,
            "texts a second": statistics.median(f["texts"] for f in figures),
            "MB a second": statistics.median(f["MB"] for f in figures),
            "cores had": statistics.median(f["cores"] for f in figures),
            "peak memory, MB": max(f["peak"] for f in figures),
            # Round by round, because what slows a round slows it for all.
            "outsort, one thread, is faster by": statistics.median(
                ours["texts"] / theirs["texts"] for ours, theirs in zip(base[length], figures, strict=True)
            ),
        }
        for (name, length), figures in rounds.items()
    ]


def write_table(path: Path, n_rows: int, source: Texts) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "description", "closes"])
        for start in range(0, n_rows, 100_000):
            texts = source.make(min(100_000, n_rows - start), LENGTHS["short"], seed=-2 - start)
            writer.writerows([f"{start + i:07d}", text, "03/04/2026"] for i, text in enumerate(texts))


def score(source: Path, output: Path, cores: set[int]) -> tuple[float, float]:
    """Return the seconds that `outsort score` takes on some cores, and its peak memory in MB."""
    command = [sys.executable, "-m", "outsort", "score", source, "-o", output, "--force"]
    start = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--workers", str(len(cores))],
        env=os.environ | ONE_THREAD,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"outsort score failed on {source}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def grow(sizes: list[int], n_rounds: int) -> list[dict]:
    """Return what whole runs of `outsort score`, CSV to CSV, take as rows and cores grow."""
    available = sorted(os.sched_getaffinity(0))
    results = []
    source = Texts()
    kernel = Process("outsort, two threads", 1.0)
    kernel.run("short", 0)
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder, "in.csv"), Path(folder, "out.csv")
        for n_rows in sizes:
            write_table(path, n_rows, source)
            runs: dict[int, list[tuple[float, float]]] = {}
            rates = []
            # The largest tables take long enough to be steady in one round.
            for _ in range(n_rounds if n_rows <= 1_000_000 else 1):
                for n_cores in range(1, min(2, len(available)) + 1):
                    runs.setdefault(n_cores, []).append(score(path, output, set(available[:n_cores])))
                rates.append(kernel.run("short", len(results) + len(rates) + 1)["texts"])
            for n_cores, figures in runs.items():
                seconds = statistics.median(s for s, _ in figures)
                results.append(
                    {
                        "rows": n_rows,
                        "cores": n_cores,
                        "seconds": seconds,
                        "rows a second": n_rows / seconds,
                        "share of the kernel's rate, two threads": n_rows / seconds / statistics.median(rates),
                        "peak memory, MB": max(peak for _, peak in figures),
                    }
                )
            print(f"{n_rows:,} rows", file=sys.stderr)
    kernel.close()
    return results


def shows(methods: list[dict], growth: list[dict]) -> list[dict]:
    """Return the claims that these figures bear out, or do not: what was measured beside what is asked."""
    short = {row["method"]: row for row in methods if row["texts"] == "short"}
    runs = {row["rows"]: row for row in growth if row["cores"] == 2}
    claims = []
    for name, asked in (("scikit-learn, same model", 25), ("fastText, same n-grams", 10)):
        if name in short:
            claims.append((f"times as fast as {name}", asked, short[name]["outsort, one thread, is faster by"]))
    claims.append(
        ("two threads, times one", 1.7, 1 / short["outsort, two threads"]["outsort, one thread, is faster by"])
    )
    if 1_000_000 in runs:
        share = runs[1_000_000]["share of the kernel's rate, two threads"]
        claims.append(("1,000,000 rows, CSV to CSV, share of the kernel's rate", 0.5, share))
        claims.append(("MB at most, 1,000,000 rows", 600, runs[1_000_000]["peak memory, MB"]))
        if 5_000_000 in runs:
            more = runs[5_000_000]["peak memory, MB"] / runs[1_000_000]["peak memory, MB"]
            claims.append(("times that memory at most, 5,000,000 rows", 1.1, more))
    return [
        {
            "claim": claim,
            "asked": asked,
            "measured": measured,
            "holds": bool(measured <= asked if "at most" in claim else measured >= asked),
        }
        for claim, asked, measured in claims
    ]


def write_markdown(rows: list[dict]) -> None:
    if not rows:
        return
    print(f"| {' | '.join(rows[0])} |\n|{'---|' * len(rows[0])}")
    for row in rows:
        cells = ("yes" if v is True else "no" if v is False else _figure(v) for v in row.values())
        print(f"| {' | '.join(cells)} |")
    print()


def _figure(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def plot(methods: list[dict], growth: list[dict], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    # Text stays text and the same figures give the same file.
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "outsort", "font.size": 9}
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    names = [row["method"] for row in methods if row["texts"] == "short"]
    for shift, (length, colour) in zip((-0.2, 0.2), (("short", "#1f5f8b"), ("long", "#9cc3dd")), strict=True):
        rates = {row["method"]: row["MB a second"] for row in methods if row["texts"] == length}
        bars = left.barh(
            [i + shift for i in range(len(names))],
            [rates[name] for name in names],
            height=0.36,
            color=colour,
            label=f"texts of {LENGTHS[length]:,} characters",
        )
        left.bar_label(bars, fmt=lambda x: f" {x:.3g}", fontsize=8)
    left.set(xscale="log", xlabel="megabytes a second", yticks=range(len(names)), yticklabels=names)
    left.margins(x=0.2)
    left.invert_yaxis()
    left.legend(fontsize=8, frameon=False)
    for cores, colour in ((1, "#9cc3dd"), (2, "#1f5f8b")):
        runs = [row for row in growth if row["cores"] == cores]
        label = f"{cores} core{'s' * (cores > 1)}"
        right.plot([r["rows"] for r in runs], [r["seconds"] for r in runs], "o-", color=colour, label=label)
    right.set(xscale="log", yscale="log", xlabel="rows of 100 characters", ylabel="seconds, CSV to CSV")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", help="rows of the tables to score; 1,000 to 5,000,000")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="about a minute: rougher, and fewer rows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw them, as .svg or .png")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--share", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.share)
        return
    sizes = options.rows or ([1_000, 100_000] if options.quick else [1_000, 10_000, 100_000, 1_000_000, 5_000_000])
    n_rounds = 3 if options.quick else options.rounds
    methods = compare(n_rounds, 0.25 if options.quick else 1.0)
    growth = grow(sizes, 1 if options.quick else 3)
    claims = shows(methods, growth)
    for rows in (methods, growth, claims):
        write_markdown(rows)
    if any(row["cores had"] < 0.9 for row in methods):
        print("the machine was busy: some methods did not have a core to themselves", file=sys.stderr)
    if options.json:
        figures = {"methods": methods, "growth": growth, "claims": claims}
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if options.plot:
        plot(methods, growth, options.plot)


if __name__ == "__main__":
    main()
