"""Documents as tables: a row for each document, or for each of its passages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, ClassVar

from outsort.errors import DataError
from outsort.tables.base import BATCH_ROWS, MAX_CELL, Column, Dialect, Location, ReadOptions, Rows, TextColumns
from outsort.tables.bounded import answers, on_disk
from outsort.tables.columns import Found
from outsort.tables.documents.passages import Passage
from outsort.text import words

#: The columns of a document, and those of its passages.
WHOLE = ("document", "pages", "words")
PASSAGES = ("document", "page", "number", "heading", "kind", "text")
_TEXT = "text"
#: Seconds of processor time that a document may take: 2,000 pages of PDF take 20.
_SECONDS = 300
_INSTEAD = "Save it as plain text, or in parts."


@dataclass(frozen=True)
class WholeDocument(Rows):
    """One row for a document; its text is in no column, because it fits no cell.

    Attributes:
        whole: the text.
    """

    _per_row: ClassVar[tuple[str, ...]] = ("cells", "numbers", "whole")

    whole: Sequence[str] = ()

    def texts(self, columns: TextColumns) -> list[str]:  # noqa: ARG002 - there is one
        """Return the text."""
        return list(self.whole)


class DocumentReader:
    """A document; see `base.Reader`.

    Attributes:
        own_texts: where its text is.
    """

    def __init__(self, source: str, stream: IO[bytes], options: ReadOptions, *, module: str, what: str) -> None:
        """Hold the document, which is read when its rows are asked for."""
        self._source, self._module, self._what = source, module, what
        self._stream = on_disk(stream)
        self._is_copy = self._stream is not stream
        self._encoding = options.encoding or ""
        self._by_passage = options.split
        self._name = options.name or Path(source).name
        self.columns = list(PASSAGES if options.split else WHOLE)
        self.head_columns = self.columns
        self.nested_columns: Sequence[str] = () if options.split else (_TEXT,)
        place = self.columns.index(_TEXT) if options.split else len(self.columns)
        self.own_texts = Found([[Column(_TEXT, place)]], "text of a document")
        self.encoding = self._encoding or "utf-8"
        self.dialect, self.location = Dialect(), Location()
        self._n_pages: int | None = None

    def __iter__(self) -> Iterator[Rows]:
        """Yield the passages, or the one row."""
        faults: Mapping[int, str] = {}
        name = self._name
        if not self._by_passage:
            whole = "\n".join(passage.text for passage in self._passages())
            cells = [[name, self._n_pages, len(words(whole))]]
            yield WholeDocument(self.columns, cells, [2], faults, [whole])
            return
        rows = [
            [name, passage.page or None, passage.number, passage.heading, passage.kind, passage.text]
            for passage in self._passages()
        ]
        for start in range(0, len(rows), BATCH_ROWS):
            part = rows[start : start + BATCH_ROWS]
            yield Rows(self.columns, part, range(start + 2, start + 2 + len(part)), faults)

    def close(self) -> None:
        """Let go of the copy."""
        if self._is_copy:
            self._stream.close()

    def _passages(self) -> Iterator[Passage]:
        """Yield the passages.

        Raises:
            DataError: it cannot be read, has no text, or has more than fits a cell.
        """
        about = (self._source, self._stream, "documents.child", self._module, self._encoding)
        n_characters = 0
        for answer in answers(*about, what=self._what, instead=_INSTEAD, seconds=_SECONDS):
            if isinstance(answer, int):
                self._n_pages = answer
            elif isinstance(answer, str):
                self.location.remarks.append(answer)
            else:
                passage = Passage(*answer)
                n_characters += len(passage.text)
                if n_characters > MAX_CELL:
                    raise DataError(f"{self._source}: has more than {MAX_CELL:,} characters. {_INSTEAD}")
                yield passage
        if not n_characters:
            raise DataError(f"{self._source}: has no text. Name a document with text.")


PdfReader = partial(DocumentReader, module="pdf", what="a PDF document")
DocxReader = partial(DocumentReader, module="docx", what="a Word document")
HtmlReader = partial(DocumentReader, module="html", what="a web page")
MarkdownReader = partial(DocumentReader, module="markdown", what="a text in Markdown")
PlainReader = partial(DocumentReader, module="plain", what="plain text")
