"""Two models' answers to the same rows, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from outsort.reporting.captions import notes_on_weights, percent
from outsort.reporting.layout import Table, table, visible
from outsort.reporting.terminal import N_IN_MATRIX, judgement_line, rows_table, scores_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from outsort.evaluation.compare import Changes, Comparison
    from outsort.improving.retrain import Retraining
    from outsort.training.about import Summary as TrainingSummary

#: Moves from label to label that are listed of models of many labels.
N_MOVES = 10


def comparison_tables(result: Comparison) -> Iterator[RenderableType]:
    """Lay out a comparison on labelled rows."""
    yield judgement_line(result)
    yield scores_table({"old": result.old, "new": result.new}, "model")
    yield from changes_tables(result)


def changes_tables(result: Changes) -> Iterator[RenderableType]:
    """Lay out what moves from label to label, in rows and in weight, and the changed rows."""
    moves = result.decisions
    is_weighted = result.weight != result.rows
    to_review, to_accept = (
        f"{n:,}{f' ({weight:,.0f})' if is_weighted else ''}"
        for n, weight in (
            (moves.accept_to_review, moves.weight_to_review),
            (moves.review_to_accept, moves.weight_to_accept),
        )
    )
    yield (
        f"{result.flipped:,} of {result.n_rows:,} predictions changed ({percent(result.weight_moved)} of the weight); "
        f"accept→review {to_review}, review→accept {to_accept}"
    )
    if len(result.labels) <= N_IN_MATRIX:
        yield _matrix("rows", result.labels, result.rows)
        if is_weighted:
            yield _matrix("weight", result.labels, result.weight)
    elif result.flipped:
        yield _moves(result, is_weighted=is_weighted)
    if result.flips:
        is_labelled = any(flip.label for flip in result.flips)
        heads = ["changed predictions", *(["actual"] if is_labelled else []), "old", "new"]
        rows = (
            [visible(flip.text), *([flip.label] if is_labelled else []), flip.old, flip.new] for flip in result.flips
        )
        yield rows_table([(flip.row, flip.weight) for flip in result.flips], heads, rows, wrap=[0])
    if result.weights:
        yield from notes_on_weights(result.weights)


def retraining_lines(
    summary: TrainingSummary, result: Retraining, base: str, test: str, n_rows: int
) -> Iterator[RenderableType]:
    """Compare a model of `n_rows` rows with `base`, on new rows, on groups and on `test`."""
    yield scores_table(summary.scores, "cross-validation")
    yield f"{result.new_rows:,} of {n_rows:,} rows are new to {base}"
    if result.on_new_rows:
        yield f"On new rows: {judgement_line(result.on_new_rows)}"
    for scheme, judgement in result.on_groups.items():
        found = judgement_line(judgement, "sign test of groups")
        yield f"On {scheme}, all rows against the rows of {base}: {found}"
    if result.on_test:
        yield f"On {test}:"
        yield from comparison_tables(result.on_test)


def _matrix(what: str, labels: Sequence[str], cells: Sequence[Sequence[float]]) -> Table:
    rows = (
        [f"old {label}", *(f"{cell:,.0f}" for cell in row), f"{sum(row):,.0f}"]
        for label, row in zip(labels, cells, strict=True)
    )
    totals = [sum(column) for column in zip(*cells, strict=True)]
    last = ["all", *(f"{total:,.0f}" for total in (*totals, sum(totals)))]
    heads = [what, *(f"new {label}" for label in labels), "all"]
    return table(heads, [*rows, last], right=range(1, len(heads)))


def _moves(result: Changes, *, is_weighted: bool) -> Table:
    """Lay out the largest moves between labels."""
    n = len(result.labels)
    found = [(result.weight[i][j], result.rows[i][j], i, j) for i in range(n) for j in range(n) if i != j]
    largest = sorted((move for move in found if move[1]), key=lambda move: (-move[0], -move[1], *move[2:]))[:N_MOVES]
    rows = (
        [result.labels[i], result.labels[j], f"{n_rows:,}", *([f"{weight:,.0f}"] if is_weighted else [])]
        for weight, n_rows, i, j in largest
    )
    return table(["largest moves: old", "new", "rows", *(["weight"] if is_weighted else [])], rows, right=[2, 3])
