"""Whether a row of a table within a document names its columns, as words tell."""

from __future__ import annotations

import re
from collections.abc import Sequence

from outsort.tables.headings import words_of

#: A name of a column has no more words.
_WORDS_OF_A_NAME = 5


def names_columns(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first of some rows names the columns of the others, as its words and theirs tell.

    >>> names_columns([["Task", "Acme", "IT"], ["Key invoices", "R", "I"]])
    True
    >>> names_columns([["Payroll", "monthly"], ["Audit", "yearly"]])
    False
    >>> names_columns([["Buyer", "City of Leeds"], ["Deadline", "3 May"], ["Contact", "J. Doe"]])
    False
    """
    first, below = rows[0], [row for row in rows if row != rows[0]]
    if not below or len(first) < 2 or not all(map(_may_be_name, first)):
        return False
    # What comes again below is a value, such as "monthly".
    if any(cell in first for row in below for cell in row):
        return False
    # Where the first column has names of fields, each row is a field and its value.
    if 2 * sum(_is_name(row[0]) for row in below) >= len(below):
        return False
    n_named = sum(map(_is_name, first))
    # One name of several words may as well be work, such as "Customer service".
    return (n_named > 1 and 2 * n_named >= len(first)) or (_is_name(first[0]) and len(first[0].split()) == 1)


def _may_be_name(cell: str) -> bool:
    is_short = len(cell.split()) <= _WORDS_OF_A_NAME
    return is_short and not re.search(r"\d", re.sub(r"\b20\d\d\b", "", cell))


def _is_name(cell: str) -> bool:
    """Return whether a cell holds nothing but words that columns are named by."""
    found = {*words_of(_REMARK.sub("", cell))}
    return bool(found & _NAMES) and found <= _NAMES | _JOINING


#: What a name may have in brackets, such as its unit, and the end of a genitive.
_REMARK = re.compile(r"['’]s\b|[(\[].*?[)\]]")
#: Words that name the columns of scopes, price lists, plans, and tables of duties and of service levels.
_NAMES = frozenset(
    words_of(
        """
        accountable activity amount area bidder buyer category charge client code comment completion
        consulted contractor cost credit criteria criterion customer date day deadline deliverable department
        description detail due duration duty effort element end fee frequency fte function goal hour id
        indicator informed item kpi level location lot maximum measure measured measurement method metric milestone
        minimum month name no note number objective outcome output owner party payment penalty performance
        phase position price priority process quantity quarter rate ref reference remark requirement
        response responsibility responsible result role schedule scope section service sla source
        stage standard start status step subject supplier target task term threshold time timescale timing title
        type unit value vendor volume week weight weighting what when where who workstream year
        anzahl aufgabe aufgaben bezeichnung einheit frist leistung menge nr preis termin verantwortlich
        """
    )
)
_JOINING = frozenset(words_of("an and at by for in of on or per the to"))
