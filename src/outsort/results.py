"""Results: frozen dataclasses that turn into plain values for JSON and for model files."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np


@dataclass(frozen=True)
class Result:
    """Base of every result."""

    def to_dict(self) -> dict[str, object]:
        """Return the fields as plain values; a field named like a keyword, `for_`, has the key "for"."""
        return {field.name.rstrip("_"): plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the result that flat `values` were made from; other keys are ignored."""
        return cls(**{field.name: values[field.name] for field in fields(cls)})


def plain(value: object) -> object:
    """Return a value as JSON knows it: NumPy's as Python's own, what is not finite as None.

    >>> plain({"auc": np.float64("nan"), "interval": (np.float32(0.5), 1)})
    {'auc': None, 'interval': [0.5, 1]}
    """
    match value:
        case Result():
            return value.to_dict()
        case np.ndarray() | np.generic():
            return plain(value.tolist())
        case Mapping():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
