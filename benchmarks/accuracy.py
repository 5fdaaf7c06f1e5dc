"""How accurate is outsort, beside the other ways to do the same, and what was tried to make it so.

Every method learns `data/tasks.csv` and answers texts: on folds that leave whole service lines out, and, with
``--real FILE``, on real texts (a CSV with the columns text, label and source). Measured are BPO against KPO,
whatever the answer, and all labels. Written as Markdown.

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

from outsort import text
from outsort.evaluation.baselines import WORDS
from outsort.labels import BPO, KPO, LABELS, NEITHER
from outsort.training import fitting, train

ROOT = Path(__file__).parents[1]


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
        self.words = [WORDS.get(label, frozenset()) for label in LABELS]

    def scores(self, texts):
        hits = [[len(set(text.words(t)) & words) for words in self.words] for t in texts]
        return np.array(hits) + self.majority.scores(texts)


def rolled_up(scores: np.ndarray, labels, combine) -> np.ndarray:
    """Return the scores of `LABELS` (n, 3), of those (n, n_classes) of classes that belong to labels."""
    columns = [scores[:, np.array(labels) == label] for label in LABELS]
    return np.stack([combine(c, axis=1) if c.shape[1] else np.full(len(scores), -1e9) for c in columns], axis=1)


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
        return rolled_up(scores, [self.roll_up[c] for c in self.pipeline.classes_], combine)


class Outsort(Method):
    """outsort itself as `outsort train` makes it: calibrated on lines that its own folds leave out."""

    def fit(self, rows):
        self.model = train.train(rows)

    def scores(self, texts):
        return self.model.predict_log_proba(texts)


class Uncalibrated(Method):
    """outsort with settings and other terms, as saved, centred and pruned, but not calibrated."""

    def __init__(self, *, over="service_line", terms=text.terms, **settings):
        self.over, self.terms, self.settings = over, terms, fitting.Settings(**settings)

    def fit(self, rows):
        lines = rows[self.over].tolist()
        counted = self._counted(rows["text"].tolist(), lines, dict(zip(lines, rows["label"], strict=True)))
        self.model = fitting.fit(counted, self.settings)

    def scores(self, texts):
        counted = self._counted(texts, vocabulary=self.model.terms)
        return fitting.read_counted(self.model, counted, np.ones(len(self.model.terms), bool))[:, :-1]

    def _counted(self, texts, lines=(), roll_up=None, vocabulary=None):
        """Do what `fitting.count` does, for other terms."""
        of_texts = [[t[start:end] for start, end in text.clauses(t)] for t in texts]
        clauses = [clause for of_text in of_texts for clause in of_text]
        vectorizer = CountVectorizer(analyzer=self.terms, binary=True, vocabulary=vocabulary)
        counts = vectorizer.fit_transform([*texts, *clauses])
        return fitting.Counted(
            terms=vectorizer.get_feature_names_out(),
            counts=counts[: len(texts)],
            clauses=counts[len(texts) :],
            owner=np.repeat(np.arange(len(texts)), [len(of_text) for of_text in of_texts]),
            says_the_work=np.full(len(clauses), -1, np.int8),
            lines=lines,
            line_labels=roll_up or {},
            unclear=counts[:0],
            out_of_scope=NEITHER,
        )


def words_and_pairs(t: str) -> list[str]:
    in_order = text.words(t)
    return [*in_order, *text.pairs(in_order)]


def tfidf(analyzer=text.terms, **options) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer=analyzer, **{"binary": True, "min_df": 2, "dtype": np.float32, **options})


def regression(**options) -> LogisticRegression:
    C = fitting.Settings().C  # noqa: N806
    return LogisticRegression(**{"C": C, "solver": "sag", "tol": 5e-2, "max_iter": 1000, "random_state": 0, **options})


def with_pieces(*lengths: int):
    """Return an analyzer that yields words, pairs and the pieces of some lengths."""

    def analyzer(t: str) -> list[str]:
        marked = [f"<{word}>" for word in text.words(t)]
        return words_and_pairs(t) + [
            text.PIECE_MARK + w[i : i + n] for w in marked for n in lengths for i in range(len(w) - n + 1)
        ]

    return analyzer


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
    "linear SVM, words and pairs, lines": lambda: OverLines(make_pipeline(tfidf(words_and_pairs), LinearSVC(C=0.5))),
    "linear SVM, our terms, lines": lambda: OverLines(make_pipeline(tfidf(), LinearSVC(C=0.5))),
    "fastText, same n-grams, labels": lambda: OverLines(FastText(), over="label"),
    "fastText, same n-grams, lines": lambda: OverLines(FastText()),
    "MiniLM sentence embedding, labels": lambda: OverLines(Embedding(), over="label"),
    "MiniLM sentence embedding, lines": lambda: OverLines(Embedding()),
    "outsort": Outsort,
    "outsort, uncalibrated": Uncalibrated,
}
SETTINGS = {
    "as shipped, uncalibrated": Uncalibrated,
    "C = 1": lambda: Uncalibrated(C=1),
    "C = 2": lambda: Uncalibrated(C=2),
    "C = 10": lambda: Uncalibrated(C=10),
    "C = 30": lambda: Uncalibrated(C=30),
    "2 passes": lambda: Uncalibrated(passes=2),
    "20 passes": lambda: Uncalibrated(passes=20),
    "no pruning": lambda: Uncalibrated(prune=0),
    "pruned under 0.4": lambda: Uncalibrated(prune=0.4),
    "pruned under 0.5": lambda: Uncalibrated(prune=0.5),
    "terms of 1 text kept": lambda: Uncalibrated(min_texts=1),
    "terms of 2 texts kept": lambda: Uncalibrated(min_texts=2),
    "pieces weigh as words": lambda: Uncalibrated(piece_share=1),
    "pieces weigh 0.3": lambda: Uncalibrated(piece_share=0.3),
    "no pieces": lambda: Uncalibrated(terms=words_and_pairs),
    "pieces of 4, weighing 0.7": lambda: Uncalibrated(terms=with_pieces(4), piece_share=0.7),
    "pieces of 5, weighing 0.7": lambda: Uncalibrated(terms=with_pieces(5), piece_share=0.7),
    "pieces of 3 and 4, weighing 0.6": lambda: Uncalibrated(terms=with_pieces(3, 4), piece_share=0.6),
    "no log-count ratios": lambda: Uncalibrated(ratio_power=0),
    "their square root": lambda: Uncalibrated(ratio_power=0.5),
    "no naive Bayes": lambda: Uncalibrated(bayes_share=0),
    "naive Bayes 0.5": lambda: Uncalibrated(bayes_share=0.5),
    "naive Bayes 1": lambda: Uncalibrated(bayes_share=1),
    "labels, no lines": lambda: Uncalibrated(over="label"),
    "regression over lines alone": lambda: OverLines(make_pipeline(tfidf(), regression())),
    "the same, lines weighted alike": lambda: OverLines(make_pipeline(tfidf(), regression(class_weight="balanced"))),
    "the same, words only": lambda: OverLines(make_pipeline(tfidf(text.words), regression())),
    "the same, tf sublinear": lambda: OverLines(make_pipeline(tfidf(binary=False, sublinear_tf=True), regression())),
    "the same, tf linear": lambda: OverLines(make_pipeline(tfidf(binary=False), regression())),
    "the same, no idf": lambda: OverLines(make_pipeline(tfidf(use_idf=False), regression())),
}


def measured(name: str, make, tasks: pd.DataFrame, real: pd.DataFrame | None, n_folds: int) -> dict:
    """Return one method's figures: accuracy and AUC of BPO against KPO, accuracy of all, AUC of the rest."""
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
        others = ~real["label"].isin((BPO, KPO))
        shares = scores - logsumexp(scores, axis=1, keepdims=True)
        row["real, NEITHER and UNCLEAR told apart"] = roc_auc_score(others, shares[:, 2])
    return row


def _figures(name: str, labels: pd.Series, scores: np.ndarray, *, auc: bool = False) -> dict:
    decided, known = labels.isin((BPO, KPO)).to_numpy(), labels.isin(LABELS).to_numpy()
    right = np.array(LABELS)[scores.argmax(axis=1)] == labels
    is_kpo, odds = (labels == "KPO").to_numpy()[decided], (scores[:, 1] - scores[:, 0])[decided]
    figures = {name: float(np.mean((odds > 0) == is_kpo)), f"{name}, all labels": float(right[known].mean())}
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
