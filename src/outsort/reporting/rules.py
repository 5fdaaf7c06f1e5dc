"""A check of rules as text tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from outsort.reporting.layout import printable, table
from outsort.reporting.terminal import figure_of_share

if TYPE_CHECKING:
    from rich.console import RenderableType

    from outsort.improving.check_rules import RulesCheck

#: What a person should know of rules, by field.
_NOTES = {
    "never_fire": "never fire on these rows",
    "past": "do not fire, as they are past their date",
    "never_decide": "fire but never decide, as rules before them or sure answers do",
    "superfluous": "change nothing, as the model accepts the same on all their rows",
}
#: Rows of a clash that are named.
_N_ROWS = 5


def rules_tables(result: RulesCheck, n_shown: int) -> Iterator[RenderableType]:
    """Lay out a check of rules, with up to `n_shown` clashes, and names of rules in each note."""
    unit = [result.weight_column] if result.weight_column else []
    share = figure_of_share(result.weight_decided, result.weight)
    of = f" of {printable(result.weight_column)}" if result.weight_column else ""
    in_brackets = f" ({share}{of})" if share else ""
    yield f"{result.source}: rules decide {result.decided:,} of {result.n:,} rows{in_brackets}"
    has_labels = any(rule.labelled for rule in result.by_rule)
    heads = ["rule", "answer", "hits", "decides", *unit, "model agrees", *(["labels agree"] if has_labels else [])]
    rows = (
        [
            rule.name,
            rule.service_line or rule.label,
            f"{rule.hits:,}",
            f"{rule.decided:,}",
            *([f"{rule.weight:,.0f}"] if unit else []),
            figure_of_share(rule.model_agrees, rule.hits),
            *([figure_of_share(rule.label_agrees, rule.labelled)] if has_labels else []),
        ]
        for rule in result.by_rule
    )
    yield table(heads, rows, right=range(2, len(heads)), wrap=[0])
    if result.clashes:
        yield f"pairs of rules that clash: {len(result.clashes):,}; the first of each decides:"
        heads = ["first", "second", "answers", "rows", *unit, "such as row"]
        clashes = (
            [
                clash.first,
                clash.second,
                " against ".join(clash.answers),
                f"{clash.n_rows:,}",
                *([f"{clash.weight:,.0f}"] if unit else []),
                ", ".join(map(str, clash.rows[:_N_ROWS])) + (", …" if clash.n_rows > _N_ROWS else ""),
            ]
            for clash in result.clashes[:n_shown]
        )
        yield table(heads, clashes, right=range(3, 4 + len(unit)), wrap=[0, 1])
    for name, says in _NOTES.items():
        names = getattr(result, name)
        if names:
            more = f" and {len(names) - n_shown:,} more" if len(names) > n_shown else ""
            yield f"{says}: {', '.join(map(printable, names[:n_shown]))}{more}"
