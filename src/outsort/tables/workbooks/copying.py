"""A copy of a workbook with new columns in one sheet; everything else is as it was."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, NamedTuple

from numpy.typing import NDArray

from outsort.errors import OutputError
from outsort.tables.base import Categorical, Origin, plain_cell
from outsort.tables.letters import letters_of
from outsort.tables.workbooks.addition import add_sheets, lists_no_more
from outsort.tables.workbooks.books import PackageBook
from outsort.tables.workbooks.growth import (
    SheetSurvey,
    covered,
    filter_of,
    grown_frame,
    grown_table,
    survey_sheet,
    takes_in,
    with_wider_filter,
)
from outsort.tables.workbooks.markup import MarkupError, text
from outsort.tables.workbooks.package import STYLES_TYPE, Package, PackageCopy
from outsort.tables.workbooks.raw_rows import SheetXml
from outsort.tables.workbooks.sheets import is_summary
from outsort.tables.workbooks.styles import EMPTY, Look, Styles
from outsort.tables.workbooks.workbook import (
    DECISIONS,
    INSTEAD,
    MAX_CELL,
    MAX_COLUMNS,
    SUMMARY,
    Workbook,
    length,
    width_of,
)

if TYPE_CHECKING:
    import numpy as np

    from outsort.tables.base import Added, Batch, Dialect
    from outsort.tables.workbooks.workbook import SheetsAdder

#: How the header of new columns looks where the sheet's own has no format.
_HEADER = Look(is_bold=True, fill="E7E6E6")
_SHARE = Look(number_format="0.0%")
#: Characters that a new column is wide at most, in which longer text is wrapped, and those looked at.
_WIDEST, _N_SAMPLES = 48, 200
#: Bytes of a new cell, apart from its text; rows to copy at once.
_CELL_BYTES, _ROWS_AT_ONCE = 80, 1 << 12
#: What XML cannot hold, and what would be read as the escape of such a character.
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


class Formats(NamedTuple):
    """The numbers of the formats of new cells.

    Attributes:
        header: of the names.
        share: of probabilities.
        text: of texts.
        long_text: of texts that are wrapped.
        blank: of cells without a value; 0 to leave them out.
        decisions: by the text of the cell.
    """

    header: int
    share: int
    text: int
    long_text: int
    blank: int
    decisions: Mapping[str, int]


class WorkbookCopy:
    """A copy of a workbook, in which a sheet gets new columns; see `base.Writer`."""

    def __init__(
        self, stream: IO[bytes], columns: Sequence[str], added: Mapping[str, type], dialect: Dialect, origin: Origin
    ) -> None:
        """Read what the sheet holds; nothing is written yet.

        Raises:
            OutputError: a copy would be damaged or wrong; the message says why, and what a new workbook loses.
            DataError: a table of Excel has a column of such a name.
        """
        self.changes: list[str] = []
        self._names, self._stream, self._origin = list(added), stream, origin.stream
        self._lost = ", ".join(filter(None, (dialect.lost, "cell formats")))
        self._page: _Page | None = None
        self._further: IO[bytes] | None = None
        self._replaced: dict[str, str] = {}
        with self._refusing():
            self._package = Package(origin.stream)
            _check_package(self._package)
            sheets = self._package.sheets
            if dialect.sheet not in self.titles:
                raise MarkupError(f"it lists no sheet {dialect.sheet!r}")
            self._place = self.titles.index(dialect.sheet)
            self._survey = survey_sheet(self._package, sheets[self._place].path, origin.header_row, len(columns))
            self._last = self._survey.first_free + len(added) - 1
            if self._last > MAX_COLUMNS:
                raise MarkupError(f"they would be beyond column {MAX_COLUMNS:,} (XFD), where a sheet ends")
            found = self._package.related(self._package.workbook, "styles")
            self._styles_part = found[0] if found else ""
            self._styles = Styles(self._package.read(found[0]) if found else EMPTY)
            self._tables, self._totals = self._grown_tables()
            self._formats = _formats_for(self._survey, self._styles, is_styled=bool(self._tables))
            self.changes += (
                f"the chart, picture or text box at {cell} covers new columns. Move it"
                for cell in covered(self._package, self._survey, self._last)
            )

    def write(self, batch: Batch, added: Added) -> None:
        """Write the rows up to the last of a batch."""
        with self._refusing():
            page = self._begun(added)
            numbers = list(batch.numbers)
            columns = [page.column(place, values, numbers) for place, values in enumerate(added.values())]
            for number, *cells in zip(numbers, *columns, strict=True):
                page.place(number, b"" if number in self._totals else b"".join(cells))
            page.flush()

    def close(self) -> None:
        """Write the rest of the sheet, and the other parts."""
        with self._refusing():
            page = self._begun({})
            page.finish()
            copy = page.copy
            if self._further:
                add_sheets(copy, self._styles, self._further, self._replaced)
            if self._styles_part:
                copy.replace(self._styles_part, self._styles.content)
            else:
                copy.add("xl/styles.xml", self._styles.content, STYLES_TYPE)
                copy.relate(self._package.workbook, "styles", "xl/styles.xml")
            for part, content in self._tables.items():
                copy.replace(part, content)
            if filter_of(self._survey):
                workbook = copy.read(self._package.workbook)
                copy.replace(self._package.workbook, with_wider_filter(workbook, self._place, self._last))
            copy.close()

    @property
    def titles(self) -> list[str]:
        """The names of the workbook's sheets; see `workbook.free_title`."""
        return [sheet.name for sheet in self._package.sheets]

    def add_sheets(self, add: SheetsAdder) -> None:
        """Add sheets behind the others, or in place of the summary of a run before, when this is closed.

        See `addition.add_sheets`.
        """
        with self._refusing():
            if lists_no_more(self._package):
                self.changes.append("its list of sheets is protected, so none was added")
                return
        self._further = io.BytesIO()
        book = Workbook(self._further)
        self._replaced = self._own_summaries()
        add(book.book, [title for title in self.titles if title not in self._replaced])
        added = {sheet.name for sheet in book.book.worksheets()}
        self.changes += (f"the sheet {name!r} of a run before is replaced" for name in added & self._replaced.keys())
        book.close()

    def _own_summaries(self) -> dict[str, str]:
        """Return the sheets that runs before added, part by name, apart from the one that gets new columns."""
        others = [sheet for sheet in self._package.sheets if sheet.path != self._survey.part]
        if not any(sheet.name.startswith(SUMMARY) for sheet in others):
            return {}
        book = PackageBook("", self._origin)
        return {sheet.name: sheet.path for sheet in others if is_summary(book, sheet)}

    def _begun(self, added: Added) -> _Page:
        """Return the sheet that is being written, which the first batch begins: it tells the widths."""
        if self._page is None:
            copy = PackageCopy(self._package, self._stream)
            self._page = _Page(self._survey, copy, self._formats, self._names, added)
        return self._page

    def _grown_tables(self) -> tuple[dict[str, bytes], set[int]]:
        """Return the tables of Excel that take in the new columns, by part, and the rows of their totals."""
        parts, totals = {}, set()
        for table in self._survey.tables:
            if not takes_in(table, self._survey):
                self.changes.append(
                    f"the new columns are beside the table {table.name!r}, not in it. Take them in before you sort it"
                )
                continue
            parts[table.part] = grown_table(table, self._names)
            for number in table.totals:
                # Excel takes a workbook for damaged where such a cell holds what the table does not say.
                self.changes.append(f"row {number}, which holds the totals of the table {table.name!r}, has no answer")
                totals.add(number)
        return parts, totals

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Say what a new workbook would lose where a copy cannot be written."""
        try:
            yield
        except MarkupError as error:
            raise OutputError(
                f"the new columns cannot be put into a copy of the workbook: {error}. Pass --plain for a new workbook "
                f"of the values alone; lost would be: {self._lost}."
            ) from None


class _Page:
    """The sheet being written."""

    def __init__(
        self, survey: SheetSurvey, copy: PackageCopy, formats: Formats, names: Sequence[str], added: Added
    ) -> None:
        """Write the sheet up to its header, with the names of the new columns."""
        self.copy = copy
        self._formats, self._names, self._first = formats, names, survey.first_free
        widths = [_width(name, added.get(name)) for name in names]
        self._is_long = [width > _WIDEST for width in widths]
        head, self._tail = grown_frame(survey, [min(width, _WIDEST) for width in widths])
        self._stack = ExitStack()
        source = self._stack.enter_context(copy.package.open(survey.part))
        size = copy.package.size(survey.part) + survey.n_rows * sum(_CELL_BYTES + width for width in widths)
        self._target = self._stack.enter_context(copy.streamed(survey.part, size))
        self._xml = SheetXml(source)
        self._letters = [letters_of(survey.first_free + place - 1).encode() for place in range(len(names))]
        self._rows = iter(self._xml)
        self._row = next(self._rows, None)
        self._out: list[bytes] = [head]
        number = b"%d" % survey.header_row
        self.place(
            survey.header_row,
            b"".join(
                self._start(place) + number + self._text_cell(place, name, formats.header)
                for place, name in enumerate(names)
            ),
        )

    def place(self, number: int, cells: bytes) -> None:
        """Write the rows before a row as they are, and the row with new cells."""
        row = self._row
        while row is not None and row.number < number:
            self._put(row.raw)
            row = next(self._rows, None)
        if row is not None and row.number == number:
            last = self._first + len(self._names) - 1
            self._put(self._xml.with_cells(row, cells, self._first, last) if cells else row.raw)
            row = next(self._rows, None)
        elif cells:
            self._put(self._xml.new_row(number, cells))
        self._row = row

    def finish(self) -> None:
        """Write the other rows and what comes after them."""
        while self._row is not None:
            self._put(self._row.raw)
            self._row = next(self._rows, None)
        self._put(self._tail)
        self.flush()
        self._stack.close()

    def flush(self) -> None:
        """Write what waits."""
        self._target.write(b"".join(self._out))
        self._out = []

    def _put(self, content: bytes) -> None:
        self._out.append(content)
        if len(self._out) >= _ROWS_AT_ONCE:
            self.flush()

    def column(self, place: int, values: NDArray[np.float64] | Categorical, numbers: Sequence[int]) -> list[bytes]:
        """Return the cells of a new column in the rows of these numbers."""
        start, prefix = self._start(place), self._xml.prefix
        if isinstance(values, Categorical):
            cells = [self._value_cell(place, value) for value in values.values]
            codes = values.codes.tolist()
            return [
                b"%b%d%b" % (start, n, cells[code]) if cells[code] else b""
                for n, code in zip(numbers, codes, strict=True)
            ]
        style = b'" s="%d"><%bv>' % (self._formats.share, prefix)
        end = b"</%bv></%bc>" % (prefix, prefix)
        shares = values.tolist()
        return [b"%b%d%b%b%b" % (start, n, style, repr(x).encode(), end) for n, x in zip(numbers, shares, strict=True)]

    def _start(self, place: int) -> bytes:
        return b'<%bc r="%b' % (self._xml.prefix, self._letters[place])

    def _value_cell(self, place: int, value: object) -> bytes:
        """Return a cell from the number of its row on; b"" for none."""
        if value is None or value == "":
            return b'" s="%d"/>' % self._formats.blank if self._formats.blank else b""
        content = value if isinstance(value, str) else str(plain_cell(value))
        style = self._formats.long_text if self._is_long[place] else self._formats.text
        return self._text_cell(place, content, self._formats.decisions.get(content, style))

    def _text_cell(self, place: int, content: str, style: int) -> bytes:
        if length(content) > MAX_CELL:
            raise OutputError(
                f"column {self._names[place]!r}: {length(content):,} characters, where a cell of Excel holds "
                f"{MAX_CELL:,}. {INSTEAD}"
            )
        p, space = self._xml.prefix, b"" if content.strip() == content else b' xml:space="preserve"'
        inner = text(_UNWRITABLE.sub(lambda found: f"_x{ord(found[0]):04X}_", content))
        return b'" s="%d" t="inlineStr"><%bis><%bt%b>%b</%bt></%bis></%bc>' % (style, p, p, space, inner, p, p, p)


def _width(name: str, values: object) -> float:
    """Return how wide a column is: room for its name and a button, and for nine of ten of its texts."""
    sample = values.tolist()[:_N_SAMPLES] if isinstance(values, Categorical) else []
    longest = sorted(len(value or "") for value in sample)[: 1 + int(0.9 * len(sample))]
    return float(width_of(name, longest[-1] if longest else 0))


def _formats_for(survey: SheetSurvey, styles: Styles, *, is_styled: bool) -> Formats:
    """Append the formats of new cells, which look like those of the last column; a table of Excel styles itself."""
    base, header = survey.body_style, survey.header_style
    plain = styles.add(base, Look())
    return Formats(
        header=styles.add(header, _HEADER) if styles.is_plain(header) and not is_styled else header,
        share=styles.add(base, _SHARE),
        text=plain,
        long_text=styles.add(base, Look(is_wrapped=True)),
        blank=plain if styles.has_border(base) else 0,
        decisions={name: styles.add(base, Look(fill=fill, color=color)) for name, (fill, color) in DECISIONS.items()},
    )


def _check_package(package: Package) -> None:
    """Refuse a package that would be wrong once one of its parts differs."""
    if any(name.startswith("_xmlsignatures/") for name in package.names):
        raise MarkupError("it is signed, and no change would leave the signature valid")
    if any(name.startswith("xl/revisions/") for name in package.names):
        raise MarkupError("it is shared and records who changed what")
