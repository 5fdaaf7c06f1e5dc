"""A person's corrections in the added columns of a scored table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from outsort.tables.base import Categorical

if TYPE_CHECKING:
    from outsort.tables.base import Added

#: The columns added behind the others if there are corrections, with their types; blank in rows without one.
CORRECTED = {"model_label": str, "reviewer": str, "decided_at": str}


@dataclass(frozen=True)
class Correction:
    """A person's decision about a row.

    Attributes:
        label: the right label, which may be one that the model does not know.
        service_line: a service line of that label; empty if not chosen.
        reviewer: who decided; may be empty.
        decided_at: the date as written; may be empty.
    """

    label: str
    service_line: str = ""
    reviewer: str = ""
    decided_at: str = ""


def corrected(added: Added, corrections: Mapping[int, Correction], first: int) -> Added:
    """Return the added columns of a batch with its corrections, and with the columns `CORRECTED`.

    A corrected row has the person's label and service line; all else stays the model's answer.

    Args:
        added: the columns, with `label` and `service_line`.
        corrections: by the place of the row in the table.
        first: the place of the first row of the batch.
    """
    cells: dict[str, list[str | None]] = {name: added[name].tolist() for name in ("label", "service_line")}
    n = len(cells["label"])
    # Where a rule decided, the model's own answer is there already.
    cells |= {name: added[name].tolist() if name in added else [None] * n for name in CORRECTED}
    for i in range(n):
        correction = corrections.get(first + i)
        if correction:
            cells["model_label"][i] = cells["model_label"][i] or cells["label"][i]
            for field in fields(correction):
                cells[field.name][i] = getattr(correction, field.name) or None
    return added | {name: _categorical(column) for name, column in cells.items()}


def _categorical(cells: list[str | None]) -> Categorical:
    codes = {cell: code for code, cell in enumerate(dict.fromkeys(cells))}
    return Categorical(np.array([codes[cell] for cell in cells], np.int64), list(codes))
