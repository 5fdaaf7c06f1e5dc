"""A model prepared for scoring tables, and the columns it adds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outsort.buffers import Utf8Column, utf8_column
from outsort.decision import ACCEPT, REASONS, REVIEW, WEAK, reasons
from outsort.errors import DataError
from outsort.language import LOOKED_AT_BELOW, is_foreign
from outsort.likeness import Tally
from outsort.model import Model, clause_weights
from outsort.model_file import load
from outsort.numeric import Floats
from outsort.prediction import predictions
from outsort.rules.rule import Hits, Rules
from outsort.scoring.kernel import BatchAnswers, Kernel
from outsort.tables.base import Categorical, plain_texts
from outsort.taxonomy import DECISIONS, Taxonomy
from outsort.text import worded

if TYPE_CHECKING:
    import pyarrow as pa

    from outsort.tables.base import Added

#: The last of the added columns, when the answers are explained.
EXPLAINED = {"for": str, "against": str}
#: What is added to the log-odds that a row of a table says the work: it says it in a few words among numbers and units,
#: while marked clauses, which the model learnt from, are sentences.
ROW_LIFT = 1.0
#: Prefix for added columns if one of their names is taken and no other prefix is given.
PREFIX = "outsort_"


def added_columns(
    model: Model, *, explain: bool = False, taxonomy: Taxonomy | None = None, rules: Rules | None = None
) -> dict[str, type]:
    """Return the names of the columns that scoring adds, in order, with their types."""
    of_taxonomy, of_rules = taxonomy.columns if taxonomy else {}, rules.columns if rules else {}
    probabilities = dict.fromkeys(("probability", *(f"p_{label}" for label in model.labels)), float)
    shares = dict.fromkeys((*(f"share_{label}" for label in model.labels), "share_margin"), float)
    others = dict.fromkeys(("service_line", "decision", "reason"), str)
    known = {"label": str, **probabilities, **others, **shares, "model": str}
    return known | of_taxonomy | of_rules | (EXPLAINED if explain else {})


class _Ruled(NamedTuple):
    """What rules decide of n texts.

    Attributes:
        is_decided: bool (n,), whether one decides.
        label: int64 (n,), the place of its label, or of the model's.
        line: int64 (n,), the place of the service line that it names; as many as there are lines for none.
        columns: the columns that rules add.
    """

    is_decided: NDArray[np.bool_]
    label: NDArray[np.int64]
    line: NDArray[np.int64]
    columns: Added


class Scorer:
    """A model prepared for scoring tables, which threads may use at once: they take turns."""

    def __init__(
        self,
        model: Model,
        *,
        workers: int | None = None,
        explain: bool = False,
        taxonomy: Taxonomy | None = None,
        rules: Rules | None = None,
    ) -> None:
        """Prepare the model.

        Args:
            model: the model.
            workers: number of threads; one per core if None.
            explain: add the columns `EXPLAINED`.
            taxonomy: add the columns of these categories, loaded for the same model.
            rules: let these rules decide before the model, and add their columns; loaded for the same model.
        """
        self.model, self.rules = model, rules
        self.added = added_columns(model, explain=explain, taxonomy=taxonomy, rules=rules)
        self._taxonomy = taxonomy
        self._explain = explain
        self._needs_lines = taxonomy is not None or (rules is not None and not all(rule.line for rule in rules.rules))
        self._kernel = Kernel(model, workers or os.cpu_count() or 1)

    def columns(
        self,
        texts: Utf8Column | Sequence[str] | pa.Array,
        faults: Mapping[int, str] | None = None,
        tally: Tally | None = None,
        hits: Callable[[], Hits] | None = None,
    ) -> Added:
        """Return the added columns for n texts: n values each.

        Args:
            texts: strings, a `Utf8Column`, or an Arrow array.
            faults: why a row could not be read properly, by its index; such rows go to review.
            tally: what the texts are like, and the model's own answers, is added to it.
            hits: returns those of the rules on these rows, once the model has answered; None where there are no columns
                but the texts.
        """
        given = utf8_column(texts)
        answers = self._kernel.answer(given, with_lines=self._needs_lines)
        n, n_labels = answers.proba.shape
        label = answers.proba.argmax(axis=1)
        probability = answers.proba.max(axis=1)
        why = reasons(
            answers.blank,
            probability,
            answers.n_words,
            answers.n_known,
            answers.n_terms,
            self._foreign(given, answers),
            answers.shares[np.arange(n), label],
            answers.disagreement,
            self.model,
        )
        causes = list(REASONS)
        for place, fault in (faults or {}).items():
            why[place] = len(causes)
            causes.append(fault)
        if tally is not None:
            tally.add(label, answers.n_words, answers.n_known, why > 0, n_labels)
        answered = answers.n_terms > 0
        line = np.where(answered & self.model.has_lines, answers.line, len(self.model.lines))
        nothing = np.zeros(n, np.int64)
        of_rules: Added = {}
        if self.rules:
            found = hits() if hits else self.rules.hits(given)
            ruled = self._ruled(self.rules, found, label, why > 0, faults or {})
            of_rules, names_line = ruled.columns, ruled.line < len(self.model.lines)
            line = np.where(names_line, ruled.line, line)
            if self._needs_lines:
                # A rule that gives another label alone gets the likeliest line of that.
                moved = (line < len(self.model.lines)) & ~names_line & (ruled.label != label)
                line[moved] = self._likeliest_lines(answers.line_scores[moved], ruled.label[moved])
            label, why = ruled.label, np.where(ruled.is_decided, 0, why)
            probability = answers.proba[np.arange(n), label]
        result: Added = {
            "label": Categorical(label, self.model.labels),
            "probability": np.round(probability, 6),
            **{f"p_{self.model.labels[i]}": np.round(answers.proba[:, i], 6) for i in range(n_labels)},
            "service_line": Categorical(line.astype(np.int64), [*self.model.lines, None]),
            "decision": Categorical((why > 0).astype(np.int64), [ACCEPT, REVIEW]),
            "reason": Categorical(why.astype(np.int64), causes),
            **{f"share_{self.model.labels[i]}": np.round(answers.shares[:, i], 3) for i in range(n_labels)},
            "share_margin": np.round(answers.margin, 3),
            "model": Categorical(nothing, [self.model.fingerprint]),
        }
        if self._taxonomy:
            proba = answers.proba
            if self.rules:
                proba = np.where(ruled.is_decided[:, None], np.eye(n_labels)[label], proba)
            line_proba = self.model.line_proba(proba, answers.line_scores)
            if self.rules:
                line_proba[names_line] = np.eye(len(self.model.lines))[line[names_line]]
            is_like = np.isin(why, [REASONS.index(reason) for reason in WEAK])
            result |= _categories(self._taxonomy, line_proba, is_like)
        result |= of_rules
        return result | self._explanations(texts) if self._explain else result

    def _ruled(
        self,
        given: Rules,
        hits: Hits,
        label: NDArray[np.int64],
        is_reviewed: NDArray[np.bool_],
        faults: Mapping[int, str],
    ) -> _Ruled:
        """Return what rules decide of n texts, given the model's labels and which of its answers go to review."""
        rules, decided = given.rules, given.deciding(hits, is_reviewed)
        # What could not be read may not be what a rule takes it for.
        decided[list(faults)] = -1
        is_decided = decided >= 0
        labels, lines = self.model.labels, [*self.model.lines, ""]
        of_rules = np.array([labels.index(rule.label) for rule in rules])
        line_of_rules = np.array([lines.index(rule.line) if self.model.has_lines else len(lines) - 1 for rule in rules])
        nothing = np.zeros(len(label), np.int64)
        return _Ruled(
            is_decided,
            np.where(is_decided, of_rules[decided], label),
            np.where(is_decided, line_of_rules[decided], len(lines) - 1),
            {
                "rule": Categorical(np.where(is_decided, decided, len(rules)), [*(rule.name for rule in rules), None]),
                "model_label": Categorical(np.where(is_decided, label, len(labels)), [*labels, None]),
                "model_decision": Categorical(np.where(is_decided, is_reviewed, 2), [ACCEPT, REVIEW, None]),
                "rules": Categorical(nothing, [given.fingerprint]),
            },
        )

    def _likeliest_lines(self, line_scores: NDArray[np.float32], label: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return the place of the most probable line of a label for each of n texts: intp (n,)."""
        label_of_line = self.model.label_columns - len(self.model.lines)
        of_label = np.where(label_of_line == label[:, None], line_scores, -np.inf)
        return np.asarray(of_label.argmax(axis=1))

    def weights(self, clauses: Sequence[str], sections: NDArray[np.intp], is_row: NDArray[np.bool_]) -> Floats:
        """Return how likely each of n clauses is to say the work, 0 for boilerplate: float64 (n,).

        Args:
            clauses: n texts.
            sections: intp (n,), the section of each, ascending: those of one are judged together.
            is_row: bool (n,), whether each is a row of a table.
        """
        return clause_weights(self.model, self._kernel.answer(clauses).says + ROW_LIFT * is_row, sections)

    def _foreign(self, texts: Utf8Column, answers: BatchAnswers) -> NDArray[np.bool_]:
        """Return which texts are in another language: bool (n,)."""
        foreign = np.zeros(texts.n_texts, np.bool_)
        for i in np.flatnonzero(answers.n_known < LOOKED_AT_BELOW * answers.n_words).tolist():
            words = worded(texts.text(i))
            foreign[i] = is_foreign(words, self.model.vocabulary, self.model.own_function_words)
        return foreign

    def _explanations(self, texts: Utf8Column | Sequence[str] | pa.Array) -> Added:
        explained = list(predictions(plain_texts(texts), self.model))

        def column(terms: Iterable[tuple[tuple[str, float], ...]]) -> Categorical:
            return Categorical(np.arange(len(explained)), ["; ".join(term for term, _ in row) for row in terms])

        return {"for": column(p.terms_for for p in explained), "against": column(p.terms_against for p in explained)}


def _categories(taxonomy: Taxonomy, line_proba: Floats, is_like: NDArray[np.bool_]) -> Added:
    """Return the columns of a taxonomy for n texts.

    Args:
        taxonomy: the taxonomy.
        line_proba: float64 (n, n_lines), the probabilities of their lines.
        is_like: bool (n,), see `Axis.decide`.
    """
    nothing = np.zeros(len(line_proba), np.int64)
    added: Added = {}
    for axis in taxonomy.axes:
        proba = axis.proba(line_proba)
        best = proba.argmax(axis=1)
        added[axis.column] = Categorical(best, axis.codes)
        added[f"{axis.column}_name"] = Categorical(best, axis.names)
        added[f"{axis.column}_probability"] = np.round(proba.max(axis=1), 6)
        added[f"{axis.column}_decision"] = Categorical(axis.decide(proba.max(axis=1), is_like), DECISIONS)
    return added | {"taxonomy": Categorical(nothing, [taxonomy.fingerprint])}


def scorer_of(
    model: Model | Scorer | None,
    *,
    workers: int | None,
    explain: bool,
    taxonomy: Taxonomy | None,
    rules: Rules | None = None,
) -> Scorer:
    """Return `model` if it is a scorer, else a new scorer for it, or for the default model if None."""
    if isinstance(model, Scorer):
        return model
    return Scorer(model or load(), workers=workers, explain=explain, taxonomy=taxonomy, rules=rules)


def added_prefix(columns: Sequence[str], added: Iterable[str], wanted: str | None) -> str:
    """Return the prefix for the added columns.

    Raises:
        DataError: a column of that name, prefix included, already exists.
    """
    taken = set(columns) & {f"{wanted or ''}{name}" for name in added}
    if wanted is None and taken:
        wanted = PREFIX
        taken = set(columns) & {f"{wanted}{name}" for name in added}
    if taken:
        raise DataError(
            f"the table has {', '.join(sorted(map(repr, taken)))} already. Name a --prefix for new columns."
        )
    return wanted or ""


def renamed(added: Added, prefix: str) -> Added:
    """Return the added columns under their output names."""
    return {prefix + name: values for name, values in added.items()}
