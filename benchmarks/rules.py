"""What house rules cost: a CSV file scored without and with them, in turn, in one run.

The texts are those of `throughput.py`, of 100 characters, with a supplier, an account, a date and an amount each. Of
the rules, 60 % are on words and phrases of the dataset, one in three of them with `all` and `unless`, and half of these
with a condition on a column as well; 40 % are on columns alone: equals, contains, a regex, ranges. Figures are medians
of the rounds; on a busy machine, those of processors tell more. Written as Markdown.

    python benchmarks/rules.py --rows 1000000 --rules 1000 --rounds 3
"""

from __future__ import annotations

import argparse
import csv
import datetime
import random
import re
import statistics
import tempfile
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

from throughput import Texts, read_tasks

from outsort.model_file import load
from outsort.rules.rule import Condition, Rule, Rules
from outsort.scoring import files
from outsort.scoring.scorer import Scorer
from outsort.tables.base import BATCH_ROWS

N_SUPPLIERS, N_ACCOUNTS = 20_000, 500
LABELS = ["BPO", "KPO", "NEITHER"]


def phrases_of(rng: random.Random) -> list[str]:
    """Return words and pairs of words of the dataset that are neither rare nor everywhere."""
    counts: Counter[str] = Counter()
    for row in read_tasks():
        words = re.findall(r"\w+", row["text"].lower())
        counts.update({*words, *map(" ".join, pairwise(words))})
    found = sorted(phrase for phrase, n in counts.items() if 5 <= n <= 400 and len(phrase) > 3)
    rng.shuffle(found)
    return found


def of_column(rng: random.Random) -> Condition:
    """Return a condition on a column."""
    kind = rng.randrange(10)
    if kind < 4:
        return Condition("account", equals=(f"A{rng.randrange(N_ACCOUNTS)}",))
    if kind < 7:
        return Condition("supplier", contains=(f"name {rng.randrange(N_SUPPLIERS)} ",))
    if kind < 8:
        return Condition("supplier", regex=rf"^name {rng.randrange(10)}\d*{rng.randrange(1000):03} (ltd|inc)$")
    if kind < 9:
        start = datetime.date(2026, 1, 1) + datetime.timedelta(rng.randrange(300))
        return Condition("due", least=start, most=start)
    low = rng.randrange(100_000)
    return Condition("spend", least=float(low), most=float(low + 100))


def made_rules(n: int, rng: random.Random) -> Rules:
    """Return n rules."""
    phrases, rules = iter(phrases_of(rng)), []
    for i in range(n):
        texts: tuple[tuple[str, ...], ...] = ()
        unless: tuple[str, ...] = ()
        where: tuple[Condition, ...] = ()
        if i % 5 < 3:
            texts = (tuple(next(phrases) for _ in range(3)),)
            if i % 3 == 0:
                texts, unless = (*texts, (next(phrases), next(phrases))), (next(phrases),)
                where = (of_column(rng),) if i % 2 else ()
        else:
            where = (of_column(rng),)
        rules.append(Rule(f"rule {i}", f"rule {i}", rng.choice(LABELS), texts=texts, unless=unless, where=where))
    return Rules("made up", tuple(rules), datetime.date(2026, 1, 1))


def write_table(path: Path, n: int) -> None:
    rng, source = random.Random(1), Texts()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["supplier", "account", "due", "spend", "text"])
        for text in source.make(n, 100, seed=0):
            due = datetime.date(2026, 1, 1) + datetime.timedelta(rng.randrange(365))
            supplier = f"Name {rng.randrange(N_SUPPLIERS)} Ltd"
            writer.writerow([supplier, f"A{rng.randrange(N_ACCOUNTS)}", due, rng.randrange(200_000) / 2, text])


def seconds_of(task) -> tuple[float, float]:
    """Return the seconds that a task takes, and those of processors."""
    start, used = time.perf_counter(), time.process_time()
    task()
    return time.perf_counter() - start, time.process_time() - used


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rules", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    model, rules = load(), made_rules(options.rules, random.Random(0))
    scorers = {"without rules": Scorer(model), "with rules": Scorer(model, rules=rules)}
    with tempfile.TemporaryDirectory() as folder:
        table, output = Path(folder) / "in.csv", Path(folder) / "out.csv"
        write_table(table, options.rows)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in scorers}
        how = files.Options(text_columns=["text"])
        for number in range(options.rounds + 1):
            for name, scorer in scorers.items():
                # The first round only compiles and loads.
                source = table if number else Path(folder) / "few.csv"
                if not number:
                    write_table(source, 100)
                run = lambda s=source, one=scorer: files.score_file(s, output, one, options=how, force=True, tell=str)  # noqa: E731
                found[name] += [seconds_of(run)] * bool(number)
        with output.open(encoding="utf-8", newline="") as file:
            n_decided = sum(bool(row["rule"]) for row in csv.DictReader(file))
        with table.open(encoding="utf-8", newline="") as file:
            rows = [row for row, _ in zip(csv.DictReader(file), range(BATCH_ROWS), strict=False)]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    alone = statistics.median(seconds_of(lambda: rules.hits(columns["text"], columns.__getitem__))[1] for _ in range(5))
    print(f"{options.rows:,} rows, {options.rules:,} rules, which decide {n_decided:,} rows\n")
    print("| | seconds | of processors | microseconds of processors per row |\n|---|---|---|---|")
    for name, rounds in found.items():
        seconds, used = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"| {name} | {seconds:.1f} | {used:.1f} | {1e6 * used / options.rows:.1f} |")
    print(f"| matching alone | | | {1e6 * alone / len(rows):.1f} |\n")
    for i, what in enumerate(("seconds", "seconds of processors")):
        ratios = [after[i] / before[i] for before, after in zip(*found.values(), strict=True)]
        rounds = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"{what} with rules / without: {statistics.median(ratios):.2f} (rounds: {rounds})")


if __name__ == "__main__":
    main()
