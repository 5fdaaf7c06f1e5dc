"""Learn from corrections: merge them into labelled data, and train again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from outsort.data.dataset import read
from outsort.improving.merge import merge
from outsort.improving.retrain import Retraining, retrain
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
    corrections: Path, data: Path, base: Model, *, tell: Callable[[str], object] = lambda _: None
) -> tuple[Lesson, Model | None]:
    """Merge corrections into labelled data, and train a model on it with the settings of the current one.

    Args:
        corrections: a table as the page writes it, see `merge`.
        data: the labelled data, which is changed.
        base: the current model.
        tell: called with the name of each step when it begins: merging, training.

    Returns:
        What came of it, and the new model; None if the corrections bring nothing new.

    Raises:
        DataError: the corrections or the data cannot be read or used.
        OutputError: the data cannot be written.
    """
    tell("merging")
    merged = merge([corrections], data, base)
    dataset = read(data, out_of_scope=base.out_of_scope)
    model, comparison = None, None
    if merged.added or merged.filled:
        tell("training")
        model, comparison = retrain(dataset, base, settings=Settings(**base.about.get("settings", {})))
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
