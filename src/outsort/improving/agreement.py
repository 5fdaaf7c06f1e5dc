"""How far two reviewers of the same texts agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outsort.numeric import CRITICAL_Z, Floats, wilson
from outsort.results import Result


@dataclass(frozen=True)
class Kappa(Result):
    """Cohen's kappa of two reviewers.

    Attributes:
        kappa: 0 for what chance would bring, 1 for full agreement; None where both gave one and the same answer
            throughout, which chance would bring too.
        interval: of `LEVEL`, see `cohen_kappa`; None likewise.
    """

    kappa: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class OnAnswer(Kappa):
    """How far two reviewers agree on one answer: kappa is that of this answer against all others.

    Attributes:
        answer: the label or service line.
        first: texts that the first reviewer gave it.
        second: texts that the second gave it.
        both: texts that both gave it.
    """

    answer: str
    first: int
    second: int
    both: int


@dataclass(frozen=True)
class Agreement(Kappa):
    """How far two reviewers of the same texts agree, in labels or in service lines.

    Attributes:
        n: the texts that both answered.
        agreed: those that both answered alike.
        most: the highest accuracy that the answers of one reviewer can have, on average over the two: where they
            differ, one of them at most is right. Measured against such answers, no model is more accurate.
        most_interval: its interval of `LEVEL`, by Wilson's of the share of agreement.
        answers: by answer, the one with the most differences first.
    """

    n: int
    agreed: int
    most: float
    most_interval: tuple[float, float]
    answers: list[OnAnswer]


def agreement(first: Sequence[str], second: Sequence[str]) -> Agreement | None:
    """Return how far the answers of two reviewers to n texts agree; None without texts."""
    n = len(first)
    if not n:
        return None
    given = sorted({*first, *second})
    table = cross_table(first, second, given)
    agreed = int(np.trace(table))
    low, high = wilson(agreed / n, n)
    answers = []
    for i, answer in enumerate(given):
        both, of_first, of_second = (int(count) for count in (table[i, i], table[i].sum(), table[:, i].sum()))
        against = np.array([[both, of_first - both], [of_second - both, n - of_first - of_second + both]])
        answers.append(
            OnAnswer(**vars(cohen_kappa(against)), answer=answer, first=of_first, second=of_second, both=both)
        )
    return Agreement(
        **vars(cohen_kappa(table)),
        n=n,
        agreed=agreed,
        most=(1 + agreed / n) / 2,
        most_interval=((1 + low) / 2, (1 + high) / 2),
        answers=sorted(answers, key=lambda on: (2 * on.both - on.first - on.second, on.answer)),
    )


def cross_table(first: Sequence[str], second: Sequence[str], answers: Sequence[str]) -> NDArray[np.int64]:
    """Return how often one reviewer gave each answer and the other each: int64 (n_answers, n_answers)."""
    places = {answer: i for i, answer in enumerate(answers)}
    table = np.zeros((len(answers), len(answers)), np.int64)
    np.add.at(table, ([places[answer] for answer in first], [places[answer] for answer in second]), 1)
    return table


def cohen_kappa(table: NDArray[np.int64] | Floats) -> Kappa:
    """Return Cohen's kappa (1960) of a table of two reviewers' answers, with its large-sample interval.

    The standard error is that of Fleiss, Cohen and Everitt (1969), for kappa other than 0. With the shares p of the
    table, p_i. of its rows and p_.i of its columns, and the agreement p_e that chance brings, its square is

        Σ p_ii (1 - (p_i. + p_.i)(1 - κ))² + (1 - κ)² Σ_{i≠j} p_ij (p_.i + p_j.)² - (κ - p_e (1 - κ))²,

    over n (1 - p_e)².

    Args:
        table: (n_answers, n_answers), how often the first reviewer gave the answer of a row and the second that of a
            column.

    >>> round(cohen_kappa(np.array([[75, 1, 4], [5, 4, 1], [0, 0, 10]])).kappa, 3)
    0.676
    """
    n = table.sum()
    p = table / n
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    agreed, chance = float(np.trace(p)), float(rows @ columns)
    if chance >= 1:
        return Kappa(None, None)
    kappa = (agreed - chance) / (1 - chance)
    same = np.diag(p) @ (1 - (rows + columns) * (1 - kappa)) ** 2
    apart = p * (columns[:, None] + rows[None, :]) ** 2
    different = (1 - kappa) ** 2 * (apart.sum() - np.trace(apart))
    square = (same + different - (kappa - chance * (1 - kappa)) ** 2) / (n * (1 - chance) ** 2)
    half = CRITICAL_Z * math.sqrt(max(0.0, square))
    return Kappa(kappa, (kappa - half, min(1.0, kappa + half)))
