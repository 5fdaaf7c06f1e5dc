"""Plain text: blocks by blank lines, numbers, bullets and the lengths of lines; a form feed ends a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import IO

from outsort.tables.documents.passages import (
    HEADER,
    HEADING,
    OF_TABLES,
    PARAGRAPH,
    ROW,
    Block,
    Passage,
    begins_block,
    is_led,
    join_lines,
    looks_like_heading,
    parse_bullet,
    parse_number,
    passages,
    row_of,
)
from outsort.tables.documents.running import Placed, running_lines

#: Lines of a text that was wrapped are no longer, and the longest of them no shorter.
_MOST_WRAPPED, _LEAST_WRAPPED = 130, 40
_SEPARATOR = re.compile(r"(?:[=\-~_*#]\s*){3,}|[+|][-+|=:\s]+[+|]")
#: The number of a page, wherever it is, and what e-mails put before the lines that they answer.
_PAGE = re.compile(r"\s*page \d+ (?:of|/) \d+\s*", re.IGNORECASE)
_QUOTED = re.compile(r"^\s*(?:> ?)+(?!\s*[\d.,]+ [a-z])")
#: The share of the longest line that a line fills before a wrap, and the words that a numbered title may have.
_FULL, _WORDS_OF_A_TITLE = 0.8, 8
#: What parts the cells of a table.
_CELLS = re.compile(r"\s*\|\s*|\t+|(?<=\S)\s{3,}(?=\S)")


def read(stream: IO[bytes], encoding: str = "") -> Iterator[int | str | Passage]:
    """Yield what `documents.reading.Reader` takes of a document: the number of its pages, and its passages."""
    text = stream.read().decode(encoding or "utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    pages = [[line.rstrip() for line in page.split("\n")] for page in text.removesuffix("\f").split("\f")]
    if sum(bool(_QUOTED.match(line)) for page in pages for line in page) > 1:
        pages = [[_QUOTED.sub("", line) for line in page] for page in pages]
    if len(pages) > 1:
        yield len(pages)
        pages = _without_running(pages)
    width = _width_of(len(line) for page in pages for line in page if not _is_row(line))
    known = frozenset(re.findall(r"\w+(?=[\s.,;])", text.casefold()))
    yield from passages(_numbered(pages, width, known))


def _width_of(lengths: Iterable[int]) -> int:
    """Return the width at which lines were wrapped, 0 for none: that of the longest that is not alone.

    >>> _width_of([78, 79, 40, 77, 12, 130])
    79
    """
    ranked = sorted(lengths, reverse=True)
    near = (longest for longest, third in zip(ranked, ranked[2:], strict=False) if third > _FULL * longest)
    width = next(near, max(ranked, default=0))
    return width if _LEAST_WRAPPED <= width <= _MOST_WRAPPED else 0


def _numbered(pages: Sequence[Sequence[str]], width: int, known: frozenset[str]) -> Iterator[Block]:
    """Yield the blocks of all pages, with the numbers of these if there are several."""
    for number, page in enumerate(pages, 1):
        for place, block in enumerate(_blocks(page, width, known)):
            yield replace(block, page=number, is_first=place == 0) if len(pages) > 1 else block


def _without_running(pages: Sequence[Sequence[str]]) -> list[list[str]]:
    """Leave out running headers and footers."""
    shown = [[(i, line) for i, line in enumerate(page) if line] for page in pages]
    placed = [
        [Placed(line, i / max(1, len(page) - 1)) for i, line in lines] for lines, page in zip(shown, pages, strict=True)
    ]
    kept = []
    for lines, running, page in zip(shown, running_lines(placed), pages, strict=True):
        out = {lines[place][0] for place in running}
        kept.append(["" if i in out else line for i, line in enumerate(page)])
    return kept


def _blocks(lines: Sequence[str], width: int, known: frozenset[str]) -> Iterator[Block]:
    """Yield the blocks of a page; `width` is that of its longest line, 0 for lines that are not wrapped."""
    open_lines: list[str] = []
    is_apart, in_table, hanging = True, False, 0
    for raw in [*(line for line in lines if not _PAGE.fullmatch(line)), ""]:
        line = raw.strip()
        is_separator = bool(_SEPARATOR.fullmatch(line))
        # An item goes on below its text, however short its lines are.
        is_below = 0 < hanging <= _indent(raw) and line[0].islower()
        if open_lines and (is_separator or not line or not _goes_on(open_lines[-1], line, width, is_below=is_below)):
            is_title = is_apart and (_is_title(open_lines) if not line else _is_title_of(open_lines[0], line))
            block = _block(open_lines, known, is_title=is_separator or is_title, in_table=in_table)
            in_table = block.kind in OF_TABLES
            yield block
            open_lines, is_apart = [], not line
        elif not open_lines:
            is_apart = is_apart or not line
        if line and not is_separator:
            hanging = hanging if open_lines else _place_of_text(raw)
            open_lines.append(line)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _place_of_text(line: str) -> int:
    """Return where the text of an item begins in its line, after its bullet or number; 0 for other lines."""
    text = line.lstrip()
    rest = parse_number(parse_bullet(text)[1])[1]
    return line.index(rest) if rest != text else 0


def _goes_on(last: str, line: str, width: int, *, is_below: bool) -> bool:
    """Return whether a line goes on with the one before, which had no room for its first word, or is below its text."""
    if begins_block(line, last) or is_led(last) or _is_row(last) or _is_row(line):
        return False
    return is_below or (width > 0 and len(last) + 1 + len(line.split(maxsplit=1)[0]) > _FULL * width)


def _is_row(line: str) -> bool:
    return len(_CELLS.split(line.strip("| "))) > 1 and not begins_block(line)


def _is_title(lines: Sequence[str]) -> bool:
    """Return whether what has blank lines around it reads like a title: in capitals, or numbered."""
    number, rest = parse_number(lines[0], is_heading=True)
    return lines[0].isupper() or (bool(number) and rest[:1].isupper() and len(rest.split()) < _WORDS_OF_A_TITLE)


def _is_title_of(title: str, line: str) -> bool:
    """Return whether a line right above another is its title: in capitals, and no item of the same list."""
    shapes = {re.sub(r"\w+", "#", parse_number(text)[0]) for text in (title, line)}
    return title.isupper() > line.isupper() and (len(shapes) > 1 or not begins_block(line))


def _block(lines: Sequence[str], known: frozenset[str], *, is_title: bool, in_table: bool) -> Block:
    if len(lines) == 1 and _is_row(lines[0]) and not is_led(lines[0]):
        # Below a header there may be a separator, and in some tables below each row.
        return Block(HEADER if is_title and not in_table else ROW, row_of(_CELLS.split(lines[0])))
    # Neither is an item one, such as "- CRM", nor the rest of a row.
    may_be_heading = len(lines) == 1 and "|" not in lines[0] and not parse_bullet(lines[0])[0]
    is_heading = is_title and may_be_heading and looks_like_heading(lines[0])
    return Block(HEADING if is_heading else PARAGRAPH, join_lines(lines, known).strip("| "))
