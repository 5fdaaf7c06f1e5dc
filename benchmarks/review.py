"""What a reviewer's labels teach, chosen by `outsort review` and at random: accuracy after each round.

    python benchmarks/review.py --plot benchmarks/review.svg

A model is trained on some rows of the dataset; a pool of others stands for the texts that a company has
scored. In rounds, rows of the pool are chosen as `outsort review` chooses, the simulated reviewer gives each
the label and the line it has in the dataset, and the model is trained again on all rows it has. What counts
is the accuracy, BPO against KPO, on rows that are in neither. Every way starts from the same model and has
the same pool, of a seed; the figures are means over the seeds, which draw model, pool, test and choice anew.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from outsort.improving.choose import choose
from outsort.improving.strategy import Strategy
from outsort.labels import BPO, KPO
from outsort.scoring.kernel import Kernel
from outsort.training import folds, train

ROOT = Path(__file__).parents[1]
N_TEST, N_POOL = 12_000, 12_000
#: What the first model has learnt: its rows, and the service lines of which it has none.
SETTINGS = {
    "4,000 rows, a quarter of the lines unknown": (4_000, 26),
    "4,000 rows of all lines": (4_000, 0),
    "12,000 rows of all lines": (12_000, 0),
}


def accuracy(model, test: pd.DataFrame) -> float:
    decided = test[test["label"].isin((BPO, KPO))]
    proba = Kernel(model).answer(decided["text"].tolist()).proba
    is_kpo = proba[:, model.labels.index(KPO)] > proba[:, model.labels.index(BPO)]
    return float((is_kpo == (decided["label"] == KPO)).mean())


def review(tasks: pd.DataFrame, setting: str, by: str, seed: int, n_labels: int, step: int) -> list[float]:
    """Return the accuracy before the first round and after each."""
    n_rows, n_unknown = SETTINGS[setting]
    drawn = tasks.sample(frac=1, random_state=seed)
    test, pool, known = drawn[:N_TEST], drawn[N_TEST:][:N_POOL], drawn[N_TEST + N_POOL :]
    unknown = pd.Series(sorted(set(tasks["service_line"]))).sample(n_unknown, random_state=seed)
    known = known[~known["service_line"].isin(unknown)][:n_rows]
    result = []
    for n in range(0, n_labels + 1, step):
        model = train.train(known, checks=folds.Checks(folds=0))
        result.append(accuracy(model, test))
        if n < n_labels:
            chosen = pool.iloc[choose(model, pool["text"].tolist(), step, Strategy(by), seed=seed + n)]
            known, pool = pd.concat([known, chosen]), pool.drop(chosen.index)
    return result


def write_table(curves: dict[str, dict[str, np.ndarray]], n_labels: int, step: int) -> None:
    shown = range(0, n_labels + 1, 2 * step)
    print(f"| the model has | chosen by | {' | '.join(f'{n:,}' for n in shown)} | labels to random's last |")
    print(f"|{'---|' * (len(shown) + 3)}")
    for setting, by_way in curves.items():
        goal = by_way["random"].mean(axis=0)[-1] if "random" in by_way else np.inf
        for by, runs in by_way.items():
            mean = runs.mean(axis=0)
            reached = np.flatnonzero(mean >= goal)
            needed = f"{reached[0] * step:,}" if len(reached) else "not reached"
            print(f"| {setting} | {by} | {' | '.join(f'{a:.4f}' for a in mean[::2])} | {needed} |")


def plot(curves: dict[str, dict[str, np.ndarray]], step: int, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    # Text stays text and the same figures give the same file.
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "outsort", "font.size": 9}
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(curves), figsize=(3.4 * len(curves), 3), layout="constrained", squeeze=False)
    colours = {"mixed": "#1f5f8b", "random": "#999999"}
    for axes, (setting, by_way) in zip(panels[0], curves.items(), strict=True):
        for by, runs in by_way.items():
            mean, error = runs.mean(axis=0), runs.std(axis=0) / np.sqrt(len(runs))
            labels = np.arange(len(mean)) * step
            (line,) = axes.plot(labels, mean, "o-", markersize=3, label=by, color=colours.get(by))
            axes.fill_between(labels, mean - error, mean + error, alpha=0.15, color=line.get_color())
        if "random" in by_way:
            axes.axhline(by_way["random"].mean(axis=0)[-1], color="#999999", linewidth=0.8, linestyle=":")
        axes.set_title(setting, fontsize=9)
        axes.set(xlabel="labels given by the reviewer")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0][0].set(ylabel="accuracy, BPO against KPO")
    panels[0][0].legend(frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--strategy", nargs="+", choices=list(Strategy), default=["mixed", "random"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--labels", type=int, default=1000, help="labels given in all")
    parser.add_argument("--step", type=int, default=100, help="labels a round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the curves as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves, as .svg or .png")
    options = parser.parse_args()
    tasks = pd.read_csv(ROOT / "data" / "tasks.csv", keep_default_na=False)
    runs = list(itertools.product(SETTINGS, options.strategy, range(options.seeds)))
    found = joblib.Parallel(n_jobs=-1, verbose=5)(
        joblib.delayed(review)(tasks, *run, options.labels, options.step) for run in runs
    )
    results = dict(zip(runs, found, strict=True))
    curves = {
        setting: {
            by: np.array([results[setting, by, seed] for seed in range(options.seeds)]) for by in options.strategy
        }
        for setting in SETTINGS
    }
    write_table(curves, options.labels, options.step)
    if options.json:
        plain = {s: {by: runs.tolist() for by, runs in of.items()} for s, of in curves.items()}
        options.json.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        plot(curves, options.step, options.plot)


if __name__ == "__main__":
    main()
