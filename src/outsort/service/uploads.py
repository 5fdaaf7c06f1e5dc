"""Uploaded files: receive, decompress within limits, score and send back."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from email.message import Message
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from fastapi import HTTPException
from fastapi.responses import Response, StreamingResponse
from starlette.datastructures import UploadFile

from outsort.encodings import is_encoding
from outsort.errors import DataError, OutputError
from outsort.reporting import document, page
from outsort.scoring import files
from outsort.scoring.corrections import Correction
from outsort.scoring.documents import DocumentsTally
from outsort.scoring.scorer import Scorer
from outsort.scoring.summary import SummaryTally
from outsort.service import corrections
from outsort.tables.columns import NoColumnError
from outsort.tables.contents import packing_in
from outsort.tables.formats import FORMATS, PACKINGS, format_of, packed_suffix, split_packing
from outsort.tables.packing import unpacked
from outsort.tables.reading import Reading
from outsort.tables.sources import opened

if TYPE_CHECKING:
    from fastapi import Request

#: Media types of files and of packings, with the names of these.
MEDIA_TYPES = {kind: style.name for style in FORMATS.values() for kind in style.media_types}
PACKED_TYPES = {kind: packing.name for packing in PACKINGS.values() for kind in packing.media_types}
#: Longest header with the columns of a file, in characters; if longer, only the text columns are listed.
MAX_HEADER = 16_000
#: Clauses of a document that are shown: to explain these takes half of the time that is allowed by default.
MAX_CLAUSES = 8_000
#: Most characters of a cell that is shown to choose a column by.
MAX_SAMPLE = 100


class UnusableFileError(HTTPException):
    """A file that cannot be scored; with its columns and some cells of each if no text column was found."""

    def __init__(self, detail: str, columns: list[str] | None = None, samples: list[list[str]] | None = None) -> None:
        """Hold the response."""
        super().__init__(422, detail)
        self.columns = columns
        self.samples = samples


def workspace() -> Iterator[Path]:
    """Provide a temporary folder for the duration of a request."""
    with tempfile.TemporaryDirectory(prefix="outsort-") as folder:
        yield Path(folder)


class Upload(NamedTuple):
    """An uploaded file.

    Attributes:
        path: where it is stored.
        name: its name at the client, sanitised.
        read_as: its format, where its name or its media type tells it; "" if only its bytes can.
        encoding: the encoding that its media type tells; None for none.
        corrections: what a person decided about its rows, by place.
    """

    path: Path
    name: str
    read_as: str
    encoding: str | None = None
    corrections: Mapping[int, Correction] = {}


class Scored(NamedTuple):
    """What came of a file.

    Attributes:
        output: the path of the scored file, or of the page that shows it.
        layout: the columns of the file.
        notes: where the table was, what was guessed, and what is odd about it.
    """

    output: Path
    layout: files.Layout
    notes: list[str]


async def receive(
    request: Request, folder: Path, filename: str, read_as: str | None, labels: Collection[str], *, split: bool
) -> Upload:
    """Store the file of a request, from the body or the field `file` of a form with `corrections`, if any.

    Args:
        request: the request.
        folder: where to store the file.
        filename: its name; if empty, the name in the form.
        read_as: its format; if None, determined from its name or its media type.
        labels: the labels that corrections may have.
        split: whether it is to be split into clauses.

    Raises:
        HTTPException: 415 if the format is unknown or not supported, 422 if the corrections are not valid.
    """
    if request.headers.get("content-encoding", "identity") != "identity":
        raise HTTPException(415, "Content-Encoding is not supported. Send a compressed file as it is, as in x.csv.gz.")
    media_type = _plain_type(request.headers.get("content-type", ""))
    if media_type == "multipart/form-data":
        async with request.form(max_files=2, max_fields=1) as form:
            part = form.get("file")
            if not isinstance(part, UploadFile):
                raise HTTPException(422, "The form has no file. Send it in the field 'file'.")
            file = _upload(folder, filename or part.filename or "", read_as, part.content_type or "", split=split)
            await asyncio.to_thread(_copy, part.file, file.path)
            decided = await corrections.receive(form.get("corrections"), labels)
        return file._replace(corrections=decided)
    file = _upload(folder, filename, read_as, request.headers.get("content-type", ""), split=split)
    with file.path.open("wb") as stored:
        async for chunk in request.stream():
            stored.write(chunk)
    return file


def _upload(folder: Path, filename: str, read_as: str | None, content_type: str, *, split: bool) -> Upload:
    """Determine the format of a file, as far as its name or media type tells it, and where to store it.

    Only the last component of its name is used, and never as a path on disk.
    """
    name = re.sub(r"[^\w .()+-]", "_", re.split(r"[/\\]", filename)[-1]).lstrip(". ")[-100:]
    media_type = _plain_type(content_type)
    if not Path(name).suffix and read_as is None:
        read_as = MEDIA_TYPES.get(media_type)
    packing = split_packing(name)[0] or PACKED_TYPES.get(media_type, "")
    if read_as is None and packing == "zip":
        # What is in an archive shows when it is read.
        plain = f"table{PACKINGS[packing].suffix}"
        return Upload(folder / plain, name or plain, "", _charset(content_type))
    try:
        style, _ = format_of(name or "the file", read_as)
    except DataError as error:
        raise HTTPException(415, _of_http(str(error))) from None
    if style.name == "txt" and not split:
        # Who sends texts to be sorted one by one sends a table.
        style = FORMATS["csv"]
    plain = f"table.{style.name}"
    # Whether plain text is a document, its lines tell.
    is_told = style.name != "txt" or read_as is not None or packing
    known_as = style.name if is_told else ""
    return Upload(folder / f"{plain}{packed_suffix(packing)}", name or plain, known_as, _charset(content_type))


def _charset(content_type: str) -> str | None:
    """Return the encoding that a content type names, as in ``text/csv; charset=windows-1251``.

    Raises:
        HTTPException: 415 if there is no such encoding.
    """
    given = Message()
    given["content-type"] = content_type or "text/csv"
    charset = given.get_content_charset()
    if charset and not is_encoding(charset):
        raise HTTPException(415, f"The charset {charset!r} is not known. Name one such as utf-8 or windows-1252.")
    return charset


def _plain_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def _copy(source: IO[bytes], path: Path) -> None:
    with path.open("wb") as stored:
        shutil.copyfileobj(source, stored)


def score(
    file: Upload,
    options: files.Options,
    max_unpacked: int,
    scorer: Scorer,
    tell: Callable[[int, float], None],
    summary: SummaryTally | None = None,
) -> Scored:
    """Score a file, in a process that can be ended; its rows are added to `summary`, and `tell` is told how many.

    Raises:
        UnusableFileError: the file cannot be read.
        HTTPException: 413 if it unpacks to too many bytes.
    """
    # What the libraries leave there when the process is ended goes with the folder.
    tempfile.tempdir = str(file.path.parent)
    try:
        source = _unpacked(file, max_unpacked)
        with opened(str(source), options) as table:
            # Some workbooks are only read.
            style, packing = table.format.name if table.format.writer else "xlsx", split_packing(file.path)[0]
        if options.write_as or not PACKINGS[packing or "gzip"].is_written:
            style, packing = options.write_as or style, ""
        output = file.path.with_name(f"scored.{style}{packed_suffix(packing)}")
        layout = files.layout(source, options, scorer.added)
        told: list[str] = []
        files.score_file(source, output, scorer, options=options, summary=summary, progress=tell, tell=told.append)
    except (DataError, OutputError) as error:
        message = _named(str(error), file)
        if isinstance(error, NoColumnError):
            samples = [[cell[:MAX_SAMPLE] for cell in cells] for cells in error.samples]
            raise UnusableFileError(_of_http(message), error.columns, samples) from None
        raise UnusableFileError(_of_http(message)) from None
    notes = [note for one in told for note in (one.notes if isinstance(one, Reading) else [_named(one, file)])]
    return Scored(output, layout, [_of_http(note) for note in notes])


def _named(message: str, file: Upload) -> str:
    """Call files by the name of the upload in a message."""
    return re.sub(rf"{re.escape(str(file.path.parent))}/[\w.]+", lambda _: file.name, message)


def score_report(
    file: Upload, options: files.Options, max_unpacked: int, scorer: Scorer, tell: Callable[[int, float], None]
) -> Scored:
    """Score a document like `score`, for the page that shows it.

    Raises:
        UnusableFileError: it cannot be read.
        HTTPException: 415 if it is a table; see also `score`.
    """
    documents = DocumentsTally(scorer.model, MAX_CLAUSES)
    tally = SummaryTally(scorer.model, documents=documents)
    scored = score(file, replace(options, write_as="jsonl"), max_unpacked, scorer, tell, tally)
    found = documents.result()
    if not found:
        raise HTTPException(415, f"{file.name}: is a table, and a report shows documents. Leave out report.")
    shown = scored.output.with_name("scored.html")
    page.write(document.render(found, scorer.model), shown, force=True)
    return scored._replace(output=shown)


def _unpacked(file: Upload, limit: int) -> Path:
    """Return the path of the unpacked file, within `limit`: a small file can unpack to a huge one."""
    with file.path.open("rb") as packed:
        packing = packing_in(packed)
        # If it is no archive after all, the reader will say so.
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(packed) as archive:
            if sum(member.file_size for member in archive.infolist()) > limit:
                raise _unpacks_to_more(limit)
        if packing in ("", "zip"):
            return file.path
        packed.seek(0)
        target = file.path.with_name(f"unpacked.{file.read_as or 'xls'}")
        size = 0
        with target.open("wb") as stored:
            content = unpacked(str(file.path), packed, packing)
            for chunk in iter(partial(content.read, 1 << 20), b""):
                size += len(chunk)
                if size > limit:
                    raise _unpacks_to_more(limit)
                stored.write(chunk)
    return target


def _unpacks_to_more(limit: int) -> HTTPException:
    return HTTPException(413, f"The file unpacks to more than {limit:,} bytes. Send it in parts.")


def _of_http(message: str) -> str:
    """Replace command-line options in a message by the names of query parameters.

    >>> _of_http("Name one with --text-column. Fix it, or pass --on-error keep.")
    'Name one with text_column. Fix it, or pass on_error=keep.'
    """
    message = message.replace("--plain", "plain=true")
    return re.sub(r"--(?!help)([a-z-]+)( keep)?", lambda m: m[1].replace("-", "_") + ("=keep" if m[2] else ""), message)


def stream(scored: Scored, file: Upload) -> Response:
    """Send a scored file back under a name derived from that of the upload."""
    output, head = scored.output, scored.layout._asdict() | {"notes": scored.notes}
    table = json.dumps(head)
    if len(table) > MAX_HEADER:
        table = json.dumps(head | {"columns": []})
    if len(table) > MAX_HEADER:
        raise UnusableFileError(f"{file.name}: the name of its text column is too long.")

    def chunks() -> Iterator[bytes]:
        with output.open("rb") as content:
            yield from iter(partial(content.read, 1 << 18), b"")

    style, packing = format_of(output)
    stem = Path(split_packing(file.name)[1]).stem
    name = f"{stem}-scored{''.join(output.suffixes)}"
    return StreamingResponse(
        chunks(),
        media_type=PACKINGS[packing].media_types[0] if packing else style.media_types[0],
        headers={
            "content-disposition": f"attachment; filename*=utf-8''{quote(name)}",
            "content-length": str(output.stat().st_size),
            "outsort-table": table,
        },
    )
