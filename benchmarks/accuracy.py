"""How accurate is outsort, beside the other ways to do the same, and what was tried to make it so.

Every method learns `data/tasks.csv` and answers BPO or KPO: on folds that leave whole service lines out,
and, with ``--real FILE``, on real texts (a CSV with the columns text, label and source). Written as Markdown.

    pip install -e '.[benchmarks]'
    python benchmarks/accuracy.py --real real.csv --methods
    python benchmarks/accuracy.py --real real.csv --settings

Methods that find their package missing say so and are left out.
"""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from peers import Embedding, FastText
from scipy.special import logsumexp
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from outsort import text, training
from outsort.model import ANSWERS, LABELS

ROOT = Path(__file__).parents[1]
ARTICLE = {
    "BPO": "data entry, cleansing, document conversion, web design, call centre, customer service, "
    "translation, tax monitoring, compensation schedules, secretarial scheduling, technical support, "
    "animation, multimedia, marketing, revenues, billing, medical transcription",
    "KPO": "research, analysis, patent, intellectual property, development, database, legal, content writing",
}


class Method:
    """A way to answer: `fit`, then `scores` of BPO, KPO and NEITHER, higher for likelier: (n, 3)."""

    def fit(self, rows: pd.DataFrame) -> None:
        raise NotImplementedError

    def scores(self, texts: list[str]) -> np.ndarray:
        raise NotImplementedError


class Majority(Method):
    def fit(self, rows):
        shares = rows["label"].value_counts(normalize=True)
        self.shares = np.array([shares.get(label, 0) for label in LABELS])

    def scores(self, texts):
        return np.tile(self.shares, (len(texts), 1))


class Rules(Method):
    """The article's own words as rules: the label with more of its words in the text; else the majority."""

    def fit(self, rows):
        self.majority = Majority()
        self.majority.fit(rows)
        self.words = [set(re.findall(r"[a-z]+", ARTICLE.get(label, ""))) for label in LABELS]

    def scores(self, texts):
        hits = [[len(set(text.words(t)) & words) for words in self.words] for t in texts]
        return np.array(hits) + self.majority.scores(texts)


class OverLines(Method):
    """A scikit-learn classifier over service lines, or over labels, rolled up to labels."""

    def __init__(self, pipeline, *, over="service_line"):
        self.pipeline, self.over = pipeline, over

    def fit(self, rows):
        self.roll_up = dict(zip(rows[self.over], rows["label"], strict=True))
        self.pipeline.fit(rows["text"].tolist(), rows[self.over].tolist())

    def scores(self, texts):
        if hasattr(self.pipeline, "predict_proba"):
            return self._rolled_up(np.log(self.pipeline.predict_proba(texts) + 1e-30), logsumexp)
        margins = self.pipeline.decision_function(texts)
        if margins.ndim == 1:
            margins = np.stack([-margins, margins], axis=1)
        return self._rolled_up(margins, np.max)

    def _rolled_up(self, scores, combine):
        labels = np.array([self.roll_up[c] for c in self.pipeline.classes_])
        columns = [scores[:, labels == label] for label in LABELS]
        return np.stack(
            [combine(c, axis=1) if c.shape[1] else np.full(len(scores), -1e9) for c in columns], axis=1
        )


class Outsort(Method):
    """outsort itself, with settings, as saved: centred and pruned."""

    def __init__(self, *, over="service_line", **settings):
        self.over, self.settings = over, training.Settings(**settings)

    def fit(self, rows):
        terms, counts = training.count_terms(rows["text"].tolist())
        lines = rows[self.over].tolist()
        roll_up = dict(zip(lines, rows["label"], strict=True))
        self.model = training.fit(terms, counts, lines, roll_up, self.settings)

    def scores(self, texts):
        scores = self.model.line_scores(texts)
        columns = [scores[:, self.model.lines_of(label)] for label in LABELS]
        return np.stack(
            [logsumexp(c, axis=1) if c.shape[1] else np.full(len(scores), -1e9) for c in columns], axis=1
        )


def words_and_pairs(t: str) -> list[str]:
    in_order = text.words(t)
    return [*in_order, *text.pairs(in_order)]


def tfidf(analyzer=text.terms, **options) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer=analyzer, **{"binary": True, "min_df": 2, "dtype": np.float32, **options})


def saga(**options) -> LogisticRegression:
    return LogisticRegression(
        **{"C": 10, "solver": "saga", "tol": 1e-2, "max_iter": 1000, "random_state": 0, **options}
    )


METHODS = {
    "majority": Majority,
    "the article's words as rules": Rules,
    "naive Bayes, words and pairs, labels": lambda: OverLines(
        make_pipeline(CountVectorizer(analyzer=words_and_pairs, min_df=2), MultinomialNB()), over="label"
    ),
    "naive Bayes, words and pairs, lines": lambda: OverLines(
        make_pipeline(CountVectorizer(analyzer=words_and_pairs, min_df=2), MultinomialNB(alpha=0.3))
    ),
    "linear SVM, words and pairs, labels": lambda: OverLines(
        make_pipeline(tfidf(words_and_pairs), LinearSVC(C=0.5)), over="label"
    ),
    "linear SVM, words and pairs, lines": lambda: OverLines(
        make_pipeline(tfidf(words_and_pairs), LinearSVC(C=0.5))
    ),
    "linear SVM, our terms, lines": lambda: OverLines(make_pipeline(tfidf(), LinearSVC(C=0.5))),
    "fastText, same n-grams, labels": lambda: OverLines(FastText(), over="label"),
    "fastText, same n-grams, lines": lambda: OverLines(FastText()),
    "MiniLM sentence embedding, labels": lambda: OverLines(Embedding(), over="label"),
    "MiniLM sentence embedding, lines": lambda: OverLines(Embedding()),
    "outsort": Outsort,
}
SETTINGS = {
    "as shipped": Outsort,
    "C = 1": lambda: Outsort(C=1),
    "C = 3": lambda: Outsort(C=3),
    "C = 30": lambda: Outsort(C=30),
    "C = 100": lambda: Outsort(C=100),
    "tolerance 1e-3": lambda: Outsort(tolerance=1e-3),
    "no pruning": lambda: Outsort(prune=0),
    "pruned under 0.2": lambda: Outsort(prune=0.2),
    "pruned under 0.4": lambda: Outsort(prune=0.4),
    "terms of 1 text kept": lambda: Outsort(min_texts=1),
    "terms of 2 texts dropped": lambda: Outsort(min_texts=3),
    "pieces weigh as words": lambda: Outsort(piece_share=1),
    "pieces weigh 0.3": lambda: Outsort(piece_share=0.3),
    "no log-count ratios": lambda: Outsort(ratio_power=0),
    "their square root": lambda: Outsort(ratio_power=0.5),
    "no naive Bayes": lambda: Outsort(bayes_share=0),
    "naive Bayes 1": lambda: Outsort(bayes_share=1),
    "naive Bayes 3": lambda: Outsort(bayes_share=3),
    "no share of a model of labels": lambda: Outsort(label_share=0),
    "share 0.25": lambda: Outsort(label_share=0.25),
    "share 1": lambda: Outsort(label_share=1),
    "labels, no lines": lambda: Outsort(over="label"),
    "lines weighted alike": lambda: OverLines(make_pipeline(tfidf(), saga(class_weight="balanced"))),
    "words only": lambda: OverLines(make_pipeline(tfidf(text.words), saga())),
    "words and pairs": lambda: OverLines(make_pipeline(tfidf(words_and_pairs), saga())),
    "words and pieces": lambda: OverLines(make_pipeline(tfidf(_words_and_pieces), saga())),
    "pieces of 3 to 6": lambda: OverLines(make_pipeline(tfidf(_longer_pieces), saga())),
    "pieces of 2 to 4": lambda: OverLines(make_pipeline(tfidf(_shorter_pieces), saga())),
    "tf sublinear": lambda: OverLines(make_pipeline(tfidf(binary=False, sublinear_tf=True), saga())),
    "tf linear": lambda: OverLines(make_pipeline(tfidf(binary=False), saga())),
    "no idf": lambda: OverLines(make_pipeline(tfidf(use_idf=False), saga())),
}


def _pieces(t: str, shortest: int, longest: int) -> list[str]:
    marked = [f"<{word}>" for word in text.words(t)]
    return [
        "~" + w[i : i + n]
        for w in marked
        for n in range(shortest, longest + 1)
        for i in range(len(w) - n + 1)
    ]


def _words_and_pieces(t: str) -> list[str]:
    return text.words(t) + _pieces(t, 3, 5)


def _longer_pieces(t: str) -> list[str]:
    return words_and_pairs(t) + _pieces(t, 3, 6)


def _shorter_pieces(t: str) -> list[str]:
    return words_and_pairs(t) + _pieces(t, 2, 4)


def measured(name: str, make, tasks: pd.DataFrame, real: pd.DataFrame | None, n_folds: int) -> dict:
    """Return one method's figures: accuracy and AUC of BPO against KPO, AUROC of telling the rest apart."""
    start = time.perf_counter()
    method = make()
    method.fit(tasks)
    row = {"method": name, "seconds to train": time.perf_counter() - start}
    scores = np.empty((len(tasks), 3))
    splits = StratifiedGroupKFold(n_folds, shuffle=True, random_state=0).split(
        tasks, tasks["label"], tasks["service_line"]
    )
    for rows, held_out in splits:
        fold = make()
        fold.fit(tasks.iloc[rows])
        scores[held_out] = fold.scores(tasks["text"].iloc[held_out].tolist())
    row |= _figures("lines left out", tasks["label"], scores, auc=True)
    if real is not None:
        scores = method.scores(real["text"].tolist())
        for source, group in real.groupby("source"):
            row |= _figures(source, group["label"], scores[real.index.get_indexer(group.index)])
        row |= _figures("real", real["label"], scores, auc=True)
        others = ~real["label"].isin(ANSWERS)
        shares = scores - logsumexp(scores, axis=1, keepdims=True)
        row["real, NEITHER and UNCLEAR told apart"] = roc_auc_score(others, shares[:, 2])
    return row


def _figures(name: str, labels: pd.Series, scores: np.ndarray, *, auc: bool = False) -> dict:
    decided = labels.isin(ANSWERS).to_numpy()
    is_kpo, odds = (labels == "KPO").to_numpy()[decided], (scores[:, 1] - scores[:, 0])[decided]
    figures = {name: float(np.mean((odds > 0) == is_kpo))}
    return figures | ({f"{name}, AUC": roc_auc_score(is_kpo, odds)} if auc else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default=ROOT / "data" / "tasks.csv")
    parser.add_argument("--real", help="CSV of real texts: text, label, source")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--methods", action="store_true", help="compare with other methods")
    parser.add_argument("--settings", action="store_true", help="compare settings of outsort")
    parser.add_argument("--only", help="regular expression for the names to measure")
    options = parser.parse_args()
    tasks = pd.read_csv(options.data, keep_default_na=False)
    real = pd.read_csv(options.real, keep_default_na=False) if options.real else None
    wanted = (METHODS if options.methods else {}) | (SETTINGS if options.settings else {}) or METHODS
    rows = []
    for name, make in wanted.items():
        if options.only and not re.search(options.only, name):
            continue
        try:
            rows.append(measured(name, make, tasks, real, options.folds))
        except ImportError as error:
            print(f"left out: {name} ({error})")
    columns = [c for c in rows[0] if c != "seconds to train"] + ["seconds to train"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        cells = (
            f"{row[c]:.1f}" if c == "seconds to train" else row[c] if c == "method" else f"{row[c]:.3f}"
            for c in columns
        )
        print(f"| {' | '.join(cells)} |")
    print(f"\n{len(tasks):,} rows, {options.folds} folds, scikit-learn threads {joblib.cpu_count()}")


if __name__ == "__main__":
    main()
