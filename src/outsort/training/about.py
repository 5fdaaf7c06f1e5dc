"""What a model says about itself: `Model.about` as results."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from outsort.data.dataset import Dataset
from outsort.metrics import Figures, LabelScores
from outsort.model import Model
from outsort.results import Result
from outsort.text import worded
from outsort.training.threshold import Certificate
from outsort.training.validation import HeldOutScores, Uncalibrated


@dataclass(frozen=True)
class DataIdentity(Result):
    """What identifies some data.

    Attributes:
        source: file name without folders.
        sha256: of texts, labels and service lines.
        rows: number of rows.
        rows_by_label: rows of each label.
        longest: words of the longest text.
    """

    source: str
    sha256: str
    rows: int
    rows_by_label: dict[str, int]
    longest: int


@dataclass(frozen=True)
class Promise(Certificate):
    """A certificate, and what it was measured on.

    Attributes:
        held_out: the scheme of cross-validation, or the random sample.
        measured: the `likeness.Profile` of the rows, as plain values; empty without a threshold.
    """

    held_out: str = ""
    measured: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Summary(Result):
    """What a model is and how good it is, all of it from the model itself.

    Attributes:
        model: fingerprint.
        terms: number of terms.
        service_lines: number of service lines; 0 for a model of labels only.
        data: the training data; None if the model does not say.
        settings: the settings of training.
        scores: of each scheme of cross-validation; empty without cross-validation.
        decision: what the held-out rows certify; None without cross-validation.
        versions: of Python and the libraries that trained it.
    """

    model: str
    terms: int
    service_lines: int
    data: DataIdentity | None
    settings: dict[str, object]
    scores: dict[str, HeldOutScores]
    decision: Promise | None
    versions: dict[str, str]


def identify(dataset: Dataset) -> DataIdentity:
    """Return what identifies a dataset."""
    return DataIdentity(
        source=dataset.source.replace("\\", "/").rsplit("/", 1)[-1],
        sha256=dataset.fingerprint,
        rows=len(dataset.texts),
        rows_by_label={label: dataset.labels.count(label) for label in sorted(set(dataset.labels))},
        longest=max(len(worded(text)) for text in dataset.texts),
    )


def summarize(model: Model) -> Summary:
    """Return what a model says about itself."""
    about = model.about
    data, decision = about.get("data"), about.get("decision")
    return Summary(
        model=model.fingerprint,
        terms=len(model.terms),
        service_lines=len(model.lines) if model.has_lines else 0,
        data=DataIdentity.from_dict(data) if data else None,
        settings=about.get("settings", {}),
        scores={scheme: _scores(found) for scheme, found in about.get("scores", {}).items()},
        decision=Promise.from_dict({k: math.nan if v is None else v for k, v in decision.items()})
        if decision
        else None,
        versions=about.get("versions", {}),
    )


def _scores(found: Mapping[str, Any]) -> HeldOutScores:
    nested = {
        "per_class": {label: LabelScores.from_dict(of) for label, of in found["per_class"].items()},
        "in_scope": Figures.from_dict(found["in_scope"]) if found["in_scope"] else None,
        "uncalibrated": Uncalibrated.from_dict(found["uncalibrated"]),
        # The model that ships was trained without weights, before models named these.
        "effective_rows": found.get("effective_rows", {}),
    }
    return HeldOutScores.from_dict({**found, **nested})
