"""What the formats of documents share: from blocks of text, as a page has them, to passages.

A block is a heading, a paragraph, an item of a list, a row of a table or its header. Its printed number is parted from
its text, tables of contents are left out, and paragraphs that a page break cuts are joined.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from outsort.tables.documents.column_names import names_columns

HEADING, PARAGRAPH, ITEM, ROW, HEADER = KINDS = ("heading", "paragraph", "item", "row", "header")
OF_TABLES = (ROW, HEADER)
#: Between the cells of a row of a table.
CELLS = " | "
#: Rows that are compared with the first one of a table.
_COMPARED = 20
#: The most rows of a header: names, and groups of them.
_ROWS_OF_A_HEADER = 2
#: A heading has no more words.
MAX_HEADING = 16


class Passage(NamedTuple):
    """A part of a document that stands by itself.

    Attributes:
        page: its page, from 1; 0 for a format without pages.
        number: its number as printed, without the marks around it, such as 3.1.2 or (a); "" for none.
        heading: the heading that it is under; "" for none, and for headings themselves.
        kind: one of `KINDS`.
        text: in one line.
    """

    page: int
    number: str
    heading: str
    kind: str
    text: str


@dataclass
class Block:
    """A part of a document as its format has it: see `Passage`.

    Attributes:
        number: known apart from the text, as of an automatic list; "" to look at the text.
        is_first: whether it is the first on its page, in a format with pages.
        is_contents: whether the format says that it is of a table of contents.
    """

    kind: str
    text: str
    page: int = 0
    number: str = ""
    is_first: bool = False
    is_contents: bool = False


_LEVELS = r"[A-Z]?\d{1,3}(?:\.\d{1,3}){1,6}"
_NUMBER = re.compile(
    rf"(?P<marked>\((?:[a-zA-Z]|[ivxlc]{{1,6}}|[IVXLC]{{1,6}}|\d{{1,3}})\))\s+"
    rf"|(?P<closed>[a-z]|[ivxlc]{{1,6}}|\d{{1,3}}|{_LEVELS})[.)]\)?\s+"
    r"|(?P<section>§\s?\d{1,4}[a-z]?)\s+"
    rf"|(?P<lettered>[A-Z]\d{{1,2}})\s+(?=[A-Z])"
    rf"|(?P<plain>{_LEVELS})\s+(?!(?:million|billion|per|percent|hours?|days?|weeks?|months?|years?|fte|times|%|[-–x×])\b)"
)
_OF_HEADING = re.compile(r"(?P<plain>\d{1,2}|[IVX]{1,5})\s+(?=[^\W\d_])")
BULLETS = "☐☑☒•‣⁃▪▫●○◦■□·∙►▶➢➤✓✔–—*-"
#: A bullet, and a box to tick, as in Markdown.
_BOX = r"\[[ xX]?\](?:\s+|$)"
_BULLET = re.compile(rf"(?:[{re.escape(BULLETS)}\ue000-\uf8ff]|o(?=\s+[A-Z]))\s+(?:{_BOX})?|{_BOX}")
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[^\W\d_]")


def parse_number(text: str, *, is_heading: bool = False) -> tuple[str, str]:
    """Return the printed number that a text begins with, "" for none, and the rest.

    >>> parse_number("3.1.2 The Supplier shall"), parse_number("(a) keying;"), parse_number("B7 Bidders must")
    (('3.1.2', 'The Supplier shall'), ('(a)', 'keying;'), ('B7', 'Bidders must'))
    >>> parse_number("2.5 million rows"), parse_number("A4 paper")
    (('', '2.5 million rows'), ('', 'A4 paper'))
    """
    found = _NUMBER.match(text) or (_OF_HEADING.match(text) if is_heading else None)
    if not found or not _WORD.search(text, found.end()):
        return "", text
    return next(filter(None, found.groups())), text[found.end() :]


def parse_bullet(text: str) -> tuple[bool, str]:
    """Return whether a text begins with the bullet of an item, and the rest.

    >>> parse_bullet("• Payroll"), parse_bullet("Payroll")
    ((True, 'Payroll'), (False, 'Payroll'))
    """
    found = _BULLET.match(text)
    return (True, text[found.end() :]) if found else (False, text)


def is_item_number(number: str) -> bool:
    """Return whether a number is of an item, such as (a) or iv, rather than of a clause."""
    return bool(re.fullmatch(r"\(.*\)|[a-z]|[ivxlc]+", number))


def begins_block(line: str, before: str = "") -> bool:
    """Return whether a line begins an item or a numbered clause, and does not go on with the full line before.

    >>> begins_block("3.1.2 The Supplier"), begins_block("2 days of"), begins_block("• Payroll")
    (True, False, True)
    >>> begins_block("2. Draft replies", "named in Schedule"), begins_block("2. Draft replies", "Key it.")
    (False, True)
    """
    number, rest = parse_number(line)
    if number.isdecimal() and before and before[-1] not in ".:;!?":
        return False
    is_new = bool(number) and (is_item_number(number) or "." in number or rest[:1].isupper())
    return is_new or (parse_bullet(line)[0] and line[0] not in "–—")


def numeral(number: int, style: str) -> str:
    """Return a number as a list shows it.

    Args:
        number: from 1.
        style: 1 for digits, a or A for letters, i or I for Roman numerals, as in HTML.

    >>> numeral(28, "a"), numeral(4, "I"), numeral(3, "1")
    ('bb', 'IV', '3')
    """
    if style in ("a", "A") and number > 0:
        letters = "abcdefghijklmnopqrstuvwxyz"[(number - 1) % 26] * ((number - 1) // 26 + 1)
    elif style in ("i", "I") and 0 < number < 4000:
        letters = ""
        for value, letter in _ROMAN:
            letters += letter * (number // value)
            number %= value
    else:
        return str(number)
    return letters if style.islower() else letters.upper()


_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"),
    (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


def flat(text: str) -> str:
    """Return a text in one line, without characters that only lay it out."""
    return _SPACE.sub(" ", text.replace("\u00ad", "").replace("\u200b", "").replace("\ufeff", "")).strip()


def row_of(cells: Iterable[str]) -> str:
    """Return the text of a row of a table; empty cells are left out."""
    return CELLS.join(filter(None, map(flat, cells)))


def looks_like_heading(text: str) -> bool:
    """Return whether a line of its own reads like a heading: short, and no sentence."""
    return bool(_WORD.search(text)) and len(text.split()) <= MAX_HEADING and text[-1] not in ".;,:!?"


def passages(blocks: Iterable[Block]) -> Iterator[Passage]:
    """Yield the passages of a document from its blocks."""
    heading = ""
    parsed = [block for block in map(_parsed, blocks) if block.text]
    for block in _joined(_with_headers(without_contents(parsed))):
        yield Passage(block.page, block.number, "" if block.kind == HEADING else heading, block.kind, block.text)
        heading = block.text if block.kind == HEADING else heading


def _parsed(block: Block) -> Block:
    """Return a block with its number and its bullet apart from its text."""
    text = flat(block.text)
    kind, number = block.kind, block.number
    if kind not in OF_TABLES:
        is_item, text = parse_bullet(text)
        kind = ITEM if is_item and kind == PARAGRAPH else kind
        if not number:
            number, text = parse_number(text, is_heading=kind == HEADING)
        kind = ITEM if kind == PARAGRAPH and is_item_number(number) else kind
    return Block(kind, text, block.page, number.rstrip("."), block.is_first, block.is_contents)


def _with_headers(blocks: Iterable[Block]) -> Iterator[Block]:
    """Mark the rows at the top of tables that name their columns; what is marked so further down is a row."""
    for is_table, group in groupby(blocks, lambda block: block.kind in OF_TABLES):
        rows = list(group)
        if is_table:
            n = next((place for place, row in enumerate(rows) if row.kind != HEADER), 0)
            # Bold says less where more rows have it.
            n = n if n <= _ROWS_OF_A_HEADER else 0
            comes_again = any(row.is_first and row.text == rows[0].text for row in rows[1:])
            is_named = names_columns([row.text.split(CELLS) for row in rows[: _COMPARED + 1]])
            n = n or int(comes_again or is_named)
            for place, row in enumerate(rows):
                row.kind = HEADER if place < n else ROW
        yield from rows


def _joined(blocks: Iterable[Block]) -> Iterator[Block]:
    """Join a paragraph that goes on on the next page; leave out the header of a table that comes again there."""
    before: Block | None = None
    first_row = ""
    for block in blocks:
        is_row = block.kind in OF_TABLES
        if is_row and (before is None or before.kind not in OF_TABLES):
            first_row = block.text
        elif is_row and block.is_first and block.text == first_row:
            continue
        if before is not None and _goes_on(before, block):
            before.text = join_lines([before.text, block.text])
            continue
        if before is not None:
            yield before
        before = block
    if before is not None:
        yield before


def _goes_on(before: Block, block: Block) -> bool:
    """Return whether the first block of a page is the rest of the last one of the page before."""
    is_open = before.kind in (PARAGRAPH, ITEM) and before.text[-1] not in ".!?:;"
    is_rest = block.is_first and block.kind == PARAGRAPH and not block.number
    return is_open and is_rest and (block.text[0].islower() or before.text[-1] in ",-")


#: What a table of contents is called, and an entry of one with its page.
_CONTENTS = re.compile(r"(?:table of )?contents|index|in this (?:document|section)|on this page", re.IGNORECASE)
_LEADER = re.compile(r"(?:\.\s?){4,}|…{2,}|_{4,}|(?:·\s?){4,}")
_ENTRY = re.compile(r".*\D[\s|]\s*(?:\d{1,4}|[ivxl]{1,6})")
_LED = re.compile(rf".*(?:{_LEADER.pattern})\s*[|]?\s*(?:\d{{1,4}}|[ivxl]{{1,6}})\s*")


def is_led(text: str) -> bool:
    """Return whether a line is an entry of a table of contents: words, dots and the number of a page."""
    return bool(_LED.fullmatch(text))


def without_contents(blocks: Sequence[Block]) -> list[Block]:
    """Leave out tables of contents: entries with dots, and what comes after `Contents` and again further down."""
    later: dict[str, int] = {}
    for place, block in enumerate(blocks):
        later[_title(block.text)] = place
    kept = []
    start: int | None = None
    for place, block in enumerate(blocks):
        if block.is_contents or is_led(block.text):
            continue
        if _CONTENTS.fullmatch(block.text) and len(blocks) > place + 1:
            following = blocks[place + 1]
            if following.is_contents or is_led(following.text) or _is_entry(following, place + 1, later):
                start = place
                continue
        if start is not None and _is_entry(block, place, later):
            continue
        start = None
        kept.append(block)
    return kept


def _is_entry(block: Block, place: int, later: dict[str, int]) -> bool:
    """Return whether a block of a table of contents names one further down, with its page or without."""
    # What comes after a table of contents begins with a heading.
    if block.kind == HEADING or len(block.text.split()) > MAX_HEADING:
        return False
    whole = _title(block.text)
    if later.get(whole, place) > place:
        return True
    return (
        bool(_ENTRY.fullmatch(block.text)) and later.get(_title(re.sub(r"[\s|]+\w+$", "", block.text)), place) > place
    )


def _title(text: str) -> str:
    """Return the words of a title, to find it again: without its number, its dots and its case."""
    return " ".join(re.findall(r"\w+", parse_number(_LEADER.sub(" ", text), is_heading=True)[1].casefold()))


def join_lines(lines: Sequence[str], known: frozenset[str] = frozenset()) -> str:
    """Return lines as one, words that a line break cuts put together.

    Args:
        lines: the lines in order.
        known: words of the document in lower case: a hyphen stays where it parts two of them.

    >>> join_lines(["the pay-", "roll and long-", "term files"], frozenset(["long", "term", "payroll"]))
    'the payroll and long-term files'
    """
    text = ""
    for line in filter(None, map(str.strip, lines)):
        before = re.search(r"(\w+)[-\u2010\u00ad]$", text)
        after = re.match(r"[^\W\d_]+", line)
        if not (before and after and after[0].islower()):
            text += f"{' ' * bool(text)}{line}"
        elif text.endswith("\u00ad") or _is_cut(before[1].casefold(), after[0].casefold(), known):
            text = text[:-1] + line
        else:
            text += line
    return text


def _is_cut(first: str, second: str, known: frozenset[str]) -> bool:
    """Return whether a hyphen at the end of a line parts one word."""
    if first + second in known or f"{first}-{second}" in known:
        return first + second in known
    return not (first in _FIRST or second in _SECOND or (first in known and second in known))


#: What is usual before and after a hyphen that is part of a word.
_FIRST = frozenset(
    """
    all co cross day e ex first five four full half high in inter long low mid multi new non off on one open over part
    per post pre pro quasi re real second self semi short single six sub ten third three time top two under up well year
    """.split()  # noqa: SIM905 - a list of quoted words is harder to read
)
_SECOND = frozenset(
    """
    and based by day days down driven end free from hand house in led level line made month of off on only or out over
    party point related scale service side site specific standing term the time to up user wide year
    """.split()  # noqa: SIM905
)
