"""What a person's own labels mean, such as Transactional for BPO."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from outsort.data.identity import as_text
from outsort.errors import DataError
from outsort.tables.base import ReadOptions
from outsort.tables.sources import opened

#: Meanings by own label; or ``OWN=LABEL,OWN=LABEL``; or the name of a table of two columns.
LabelMap: TypeAlias = Mapping[str, str] | str | None
_HOW = 'Write --label-map "OWN=LABEL,OWN=LABEL", or name a table of two columns: own label, label.'
#: Own labels named in a proposal.
_MAX_NAMED = 8


def meanings_of(given: LabelMap) -> dict[str, str]:
    """Return the meaning of each own label, in lower case.

    Args:
        given: see `LabelMap`. A header of the table may be missing: it is an entry like the rows.

    Raises:
        DataError: the table cannot be read or has more columns, an entry lacks a label, or a label has two meanings.

    >>> meanings_of("Transactional=BPO, Knowledge=KPO")
    {'transactional': 'BPO', 'knowledge': 'KPO'}
    """
    if isinstance(given, str):
        is_table = "=" not in given or Path(given).is_file()
        pairs = _pairs_of_table(given) if is_table else [entry.split("=", 1) for entry in given.split(",")]
    else:
        pairs = list(map(list, (given or {}).items()))
    source = "--label-map" if not isinstance(given, str) or "=" in given else given
    meanings: dict[str, str] = {}
    for pair in pairs:
        own, *rest = (cell.strip() for cell in pair)
        if not own or len(rest) != 1 or not rest[0]:
            raise DataError(f"{source}: {'='.join(pair)!r} says no meaning. {_HOW}")
        if meanings.setdefault(own.casefold(), rest[0]) != rest[0]:
            raise DataError(f"{source}: {own!r} means {meanings[own.casefold()]!r} and {rest[0]!r}. Keep one.")
    return meanings


def _pairs_of_table(name: str) -> list[list[str]]:
    with opened(name, ReadOptions()) as table:
        columns = table.reader.columns
        if len(columns) != 2:
            raise DataError(f"{name}: has {len(columns)} columns. {_HOW}")
        rows = [row for batch in table.reader for row in batch.values(columns)]
    return [row for row in ([as_text(cell) for cell in row] for row in [columns, *rows]) if any(row)]


def translated(labels: Iterable[str], meanings: Mapping[str, str]) -> list[str]:
    """Return labels, own ones replaced by what they mean.

    >>> translated(["knowledge", "NEITHER"], {"knowledge": "KPO"})
    ['KPO', 'NEITHER']
    """
    return [meanings.get(label.casefold(), label) for label in labels]


def proposal(unknown: Iterable[str], known: Sequence[str]) -> str:
    """Return the option that would say what unknown labels mean, in a sentence; "" for none.

    >>> proposal(["Knowledge"], ["BPO", "KPO"])
    'If they are your own words: --label-map "Knowledge=LABEL", with BPO or KPO for each LABEL.'
    """
    own = list(dict.fromkeys(unknown))
    if not own:
        return ""
    shown = ",".join(f"{label}=LABEL" for label in own[:_MAX_NAMED]) + (",…" if len(own) > _MAX_NAMED else "")
    return f'If they are your own words: --label-map "{shown}", with {" or ".join(known)} for each LABEL.'
