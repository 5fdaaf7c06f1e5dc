"""Learn from corrections: merge them into labelled data, and train again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from outsort.data.dataset import read
from outsort.improving.merge import merge
from outsort.improving.retrain import Retraining, promised, retrain
from outsort.model import Model
from outsort.results import Result
from outsort.training.fitting import Settings


@dataclass(frozen=True)
class Lesson(Result):
    """What came of corrections.

    Attributes:
        added: texts that were not in the data.
        filled: texts whose rows were there without a label.
        known: texts whose rows had this label already.
        problems: what was not merged and why, one sentence each.
        rows: labelled rows after that.
        base: the fingerprint of the model before.
        model: the fingerprint of the new model; empty if none was trained.
        comparison: how the two compare; None if none was trained.
        is_better: whether the new model may replace the other: it was compared, and is not worse.
    """

    added: int
    filled: int
    known: int
    problems: list[str]
    rows: int
    base: str
    model: str
    comparison: Retraining | None
    is_better: bool


def learn(
    corrections: Path,
    data: Path,
    base: Model,
    *,
    clauses: Path | None = None,
    shares: Mapping[str, float] | None = None,
    tell: Callable[[str], object] = lambda _: None,
) -> tuple[Lesson, Model | None]:
    """Merge corrections into labelled data, and train a model on it with the settings of the current one.

    Args:
        corrections: a table as the page writes it, see `merge`.
        data: the labelled data, which is changed.
        base: the current model.
        clauses: a table of marked clauses of the labelled texts, see `data.marks.read_marks`; None for none.
        shares: how often some labels come in the texts to be answered, see `training.folds.Checks`; None for none.
        tell: called with the name of each step when it begins: merging, training.

    Returns:
        What came of it, and the new model; None if the corrections bring nothing new.

    Raises:
        DataError: the corrections or the data cannot be read or used.
        OutputError: the data cannot be written.
    """
    tell("merging")
    merged = merge([corrections], data, base)
    dataset = read(data, out_of_scope=base.out_of_scope, clauses=clauses)
    model, comparison = None, None
    if merged.added or merged.filled:
        tell("training")
        settings, checks = Settings(**base.about.get("settings", {})), replace(promised(base), shares=shares or {})
        model, comparison = retrain(dataset, base, settings=settings, checks=checks)
    lesson = Lesson(
        added=merged.added,
        filled=merged.filled,
        known=merged.known,
        problems=merged.problems,
        rows=len(dataset.texts),
        base=base.fingerprint,
        model=model.fingerprint if model else "",
        comparison=comparison,
        is_better=bool(comparison and comparison.judged and not comparison.worse),
    )
    return lesson, model
