"""Tables of text that fit any terminal: columns fold or are left out, rows become blocks, and no figure is cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

#: Characters of a text that a table shows.
MAX_SHOWN = 200
#: Width where the output is no terminal.
WIDTH_OF_FILE = 130
#: Least widths of the first column of texts, and of others: narrower, they are hard to read.
LEAST_TEXT, LEAST_OTHERS = 28, 16
#: Width up to which a word is kept whole while a table folds.
LONGEST_WORD = 24
#: Characters between two columns, and at the edges: usually, and where room is short.
GAP, EDGES, TIGHT_GAP = 3, 2, 2
#: Keeps a label with its figure: a cell is not folded there.
JOINT = "\N{NO-BREAK SPACE}"
#: Where a cell may be folded: at spaces, and after marks between letters, as in long names.
_PARTS = re.compile(r" +|[^ ]+?(?:(?<=[^\W\d_])[_/-]+(?=[^\W\d_])|(?= |$))")
_INDENT, _BETWEEN = "  ", "   "
#: Styles of words against and for a label, weak to strong. These colours have a contrast of 4.5 and more with black and
#: with white; those of terminals with 16 colours are what their owners made them, so there weight and lines must do.
COLOURS = {
    "against.weak": "color(163)",
    "against.clear": "bold color(163)",
    "against.strong": "bold color(231) on color(163)",
    "for.weak": "color(63)",
    "for.clear": "bold color(63)",
    "for.strong": "bold color(231) on color(63)",
}
PLAIN = {
    "against.weak": "underline",
    "against.clear": "underline",
    "against.strong": "bold underline",
    "for.weak": "bold",
    "for.clear": "bold",
    "for.strong": "bold reverse",
}
#: Of Markdown and of progress: Rich's own have colours that are hard to read on white.
STYLES = {
    **dict.fromkeys(("markdown.code", "markdown.h1", "markdown.h2", "markdown.h3"), "bold"),
    **dict.fromkeys(("bar.complete", "bar.finished", "bar.pulse"), "color(63)"),
    "progress.elapsed": "none",
}


@dataclass(frozen=True)
class Table:
    """Rows of text under column names, laid out for the width at hand when it is shown.

    Where the columns do not fit side by side, headings and texts are folded, then columns are left out, and in the
    end each row becomes a block, or the columns are shown a few at a time.

    Attributes:
        columns: the n_columns names.
        rows: the cells, n_columns each, shown verbatim.
        right: positions of the columns of figures, which are right-aligned and never folded.
        wrap: positions of the columns of texts.
        spare: positions of the columns that may be left out, least important first.
        block_below: width below which each row is a block.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    wrap: frozenset[int] = frozenset()
    spare: tuple[int, ...] = ()
    block_below: int = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield what is shown in the width that is left."""
        yield from self.fitted(options.max_width)

    def fitted(self, width: int) -> Iterator[RenderableType]:
        """Yield the table for a width in characters."""
        from rich.text import Text

        bands = self._bands(width)
        # Loose tables have empty lines around them.
        is_loose = len(bands) == 1 and self._width(self._natural, bands[0], GAP) + EDGES <= width
        if is_loose:
            yield self._side_by_side(bands[0])
            return
        yield Text()
        for band in bands:
            yield self._side_by_side(band, width)
            yield Text()
        if not bands:
            yield from self._blocks(width)

    def _bands(self, width: int) -> list[list[int]]:
        """Return the columns to show together; none where each row is to be a block."""
        kept = list(range(len(self.columns)))
        for dropped in (None, *self.spare):
            kept = [i for i in kept if i != dropped]
            if width >= self.block_below and self._fits(kept, width):
                return [kept]
        return [] if self.wrap or self.block_below else self._a_few_each(width)

    def _a_few_each(self, width: int) -> list[list[int]]:
        """Return the columns a few at a time, each time after the first; none if not even two fit."""
        bands: list[list[int]] = []
        for i in range(1, len(self.columns)):
            if not self._fits([0, i], width):
                return []
            if bands and self._fits([*bands[-1], i], width):
                bands[-1].append(i)
            else:
                bands.append([0, i])
        return bands

    def _fits(self, kept: Sequence[int], width: int) -> bool:
        return self._width(self._least, kept, TIGHT_GAP) <= width

    @cached_property
    def _of_cells(self) -> list[int]:
        """The widest cell of each column."""
        return [max((_width(row[i]) for row in self.rows), default=0) for i in range(len(self.columns))]

    @cached_property
    def _natural(self) -> list[int]:
        """The width of each column with nothing folded."""
        return [max(_width(name), of) for name, of in zip(self.columns, self._of_cells, strict=True)]

    @cached_property
    def _least(self) -> list[int]:
        """The least width of each column."""
        return [self._least_of(i, name) for i, name in enumerate(self.columns)]

    def _least_of(self, i: int, name: str) -> int:
        heading = max(map(_width, name.split(" ")))
        if i in self.right:
            return max(heading, self._of_cells[i])
        if self.block_below and i not in self.wrap:
            # A block is easier to read than answers in pieces.
            return max(heading, self._of_cells[i])
        longest = max((_width(part.strip()) for row in self.rows for part in _PARTS.findall(row[i])), default=0)
        of_texts = 0
        if i in self.wrap:
            of_texts = min(LEAST_TEXT if i == min(self.wrap) else LEAST_OTHERS, self._natural[i])
        return max(min(heading, LONGEST_WORD), min(longest, LONGEST_WORD), of_texts)

    def _width(self, widths: Sequence[int], kept: Sequence[int], gap: int) -> int:
        return sum(widths[i] for i in kept) + gap * (len(kept) - 1)

    def _widths(self, kept: Sequence[int], width: int) -> dict[int, int]:
        """Return the width of each column: first names are unfolded, then texts share what is left, then headings."""
        widths = {i: self._least[i] for i in kept}
        spare = width - self._width(self._least, kept, TIGHT_GAP)
        for i in kept:
            if i not in self.wrap:
                more = min(spare, max(0, self._of_cells[i] - widths[i]))
                widths[i] += more
                spare -= more
        texts = sorted(self.wrap & widths.keys(), key=lambda i: self._natural[i])
        for n_left, i in zip(range(len(texts), 0, -1), texts, strict=True):
            more = min(spare // n_left, self._natural[i] - widths[i])
            widths[i] += more
            spare -= more
        for i in kept:
            more = min(spare, self._natural[i] - widths[i])
            widths[i] += more
            spare -= more
        return widths

    def _side_by_side(self, kept: Sequence[int], width: int | None = None) -> RenderableType:
        """Return some columns beside each other; in a width, where they have to be folded."""
        from rich import box
        from rich.table import Table as RichTable
        from rich.text import Text

        is_tight = width is not None
        widths = {i: self._natural[i] for i in kept} if width is None else self._widths(kept, width)
        result = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=not is_tight, collapse_padding=is_tight)
        for i in kept:
            name = "\n".join(folded(self.columns[i], widths[i]))
            result.add_column(
                Text(name, "bold"), justify="right" if i in self.right else "left", width=widths[i], overflow="fold"
            )
        for row in self.rows:
            # Text, not str: square brackets in a description are not markup.
            result.add_row(*(Text("\n".join(folded(row[i], widths[i]))) for i in kept))
        return result

    def _blocks(self, width: int) -> Iterator[RenderableType]:
        """Yield a block for each row: its first text, or else its first cell, and below it the rest by name."""
        from rich.text import Text

        title = min(self.wrap, default=0)
        if self.columns[title] != "text":
            yield Text(f"{self.columns[title]}:\n")
        for n, row in enumerate(self.rows):
            yield Text("\n".join([*[""][: n > 0], *folded(row[title], width)]), "bold")
            named = {
                i: f"{name.replace(' ', JOINT)}:{JOINT}{cell}" if name else cell
                for i, (name, cell) in enumerate(zip(self.columns, row, strict=True))
                if i != title and cell
            }
            # Texts have lines of their own.
            parts = [[item for i, item in named.items() if i not in self.wrap]]
            parts += [[item] for i, item in named.items() if i in self.wrap]
            lines = (line for part in parts for line in _flowing(part, width - len(_INDENT)))
            yield Text("\n".join(f"{_INDENT}{line}" for line in lines))
        yield Text()


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Iterable[int] = (),
    wrap: Iterable[int] = (),
    spare: Iterable[int] = (),
    block_below: int = 0,
) -> Table:
    """Return a `Table` of any sequences; see there."""
    cells = tuple(tuple(map(printable, row)) for row in rows)
    return Table(tuple(map(printable, columns)), cells, frozenset(right), frozenset(wrap), tuple(spare), block_below)


def _flowing(items: Iterable[str], width: int) -> Iterator[str]:
    """Yield lines of items side by side; an item longer than a line has lines of its own."""
    line = ""
    for item in items:
        if line and _width(line) + len(_BETWEEN) + _width(item) > width:
            yield from folded(line, width)
            line = ""
        line += (_BETWEEN if line else "") + item.replace(" ", " " if _width(item) > width else JOINT)
    if line:
        yield from folded(line, width)


def folded(text: str, width: int | None) -> Iterator[str]:
    """Yield the lines of a text folded after spaces, inside a name after its marks, and a longer word anywhere.

    Without a width there is one line.

    >>> list(folded("supply_chain_analytics 0.93", 14))
    ['supply_chain_', 'analytics 0.93']
    """
    if width is None or _width(text) <= width:
        yield text.rstrip(" ").replace(JOINT, " ")
        return
    line = ""
    for part in _PARTS.findall(text):
        if _width(line) + _width(part.rstrip(" ")) > width:
            if line.strip(" "):
                yield line.rstrip(" ").replace(JOINT, " ")
            line, part = "", part.lstrip(" ")
            while _width(part) > width:
                head = _head(part, width)
                yield head.replace(JOINT, " ")
                part = part[len(head) :]
        line += part
    yield line.rstrip(" ").replace(JOINT, " ")


def _head(text: str, width: int) -> str:
    """Return the longest beginning of a text in a width, one character or more."""
    ends = range(1, len(text) + 1)
    return text[: next((a for a, b in pairwise(ends) if _width(text[:b]) > width), len(text))]


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def write_tables(file: TextIO, tables: Iterable[RenderableType]) -> None:
    """Write tables and lines of text to `file`, in colour if it is a terminal."""
    from rich.console import Console
    from rich.theme import Theme

    is_terminal = file.isatty()
    width = None if is_terminal else WIDTH_OF_FILE
    # Names in a line are no markup either.
    console = Console(file=file, highlight=False, markup=False, emoji=False, width=width)
    has_palette = console.color_system in ("256", "truecolor")
    console.push_theme(Theme(STYLES | (COLOURS if has_palette else PLAIN)))
    for item in tables:
        if isinstance(item, str):
            lines = (part for line in item.split("\n") for part in folded(line, console.width if is_terminal else None))
            console.print("\n".join(lines), soft_wrap=True)
        else:
            console.print(item)


def visible(text: str) -> str:
    """Return the beginning of a text without control characters."""
    head = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
    return printable(head)


def printable(text: str) -> str:
    """Return a text without control characters."""
    return "".join(c if c.isprintable() or c == JOINT else " " for c in text)
