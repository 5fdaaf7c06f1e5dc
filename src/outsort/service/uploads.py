"""Files that are sent to be scored: taken in, unpacked within bounds, scored and sent back."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
import time
import zipfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from fastapi import HTTPException
from fastapi.responses import Response, StreamingResponse
from starlette.datastructures import UploadFile

from outsort.errors import DataError, OutputError
from outsort.scoring import files, scorer
from outsort.service.guard import too_slow
from outsort.tables.columns import NoColumnError
from outsort.tables.formats import FORMATS, PACKINGS, Format, format_of, packed_suffix
from outsort.tables.packing import unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from queue import SimpleQueue

    from fastapi import Request

    from outsort.service.guard import Settings

#: Each media type of a table or a packing, and its name there.
MEDIA_TYPES = {kind: style.name for style in FORMATS.values() for kind in style.media_types}
PACKED_TYPES = {packing.media_type: packing.name for packing in PACKINGS.values()}
#: Characters of the header that names the columns of a file; without all but those of text if it is longer.
MAX_HEADER = 16_000


class UnusableFileError(HTTPException):
    """A file that cannot be scored, with its columns where the text's is not among them."""

    def __init__(self, detail: str, columns: list[str] | None = None) -> None:
        """Hold what to answer."""
        super().__init__(422, detail)
        self.columns = columns


def workspace() -> Iterator[Path]:
    """Give a request a folder that is gone when it is answered."""
    with tempfile.TemporaryDirectory(prefix="outsort-") as folder:
        yield Path(folder)


class Upload(NamedTuple):
    """A file that was sent.

    Attributes:
        path: where it is kept.
        name: what its sender calls it.
        style: its format.
        packing: "", gzip or zstd.
    """

    path: Path
    name: str
    style: Format
    packing: str


async def receive(request: Request, folder: Path, filename: str, read_as: str | None) -> Upload:
    """Keep the file that a request brings, as its body or as the part `file` of a form.

    Args:
        request: the request.
        folder: where to keep the file.
        filename: what to call it; what the form calls it when empty.
        read_as: its format; told by its name, or else its type, when None.

    Raises:
        HTTPException: 415 where nothing tells the format.
    """
    if request.headers.get("content-encoding", "identity") != "identity":
        raise HTTPException(415, "Content-Encoding is not understood. Send a packed file as such: x.csv.gz.")
    media_type = _plain_type(request.headers.get("content-type", ""))
    if media_type == "multipart/form-data":
        async with request.form(max_files=1, max_fields=1) as form:
            part = form.get("file")
            if not isinstance(part, UploadFile):
                raise HTTPException(422, "The form has no file. Send one as its part 'file'.")
            file = _placed(folder, filename or part.filename or "", read_as, part.content_type or "")
            await asyncio.to_thread(_copy, part.file, file.path)
        return file
    file = _placed(folder, filename, read_as, media_type)
    with file.path.open("wb") as kept:
        async for chunk in request.stream():
            kept.write(chunk)
    return file


def _placed(folder: Path, filename: str, read_as: str | None, media_type: str) -> Upload:
    """Say what a file is, by what is given, its name or its type, and where to keep it.

    Of the name only its last part is looked at, and nothing on disk is called by it.
    """
    name = re.sub(r"[^\w .()+-]", "_", re.split(r"[/\\]", filename)[-1]).lstrip(". ")[-100:]
    media_type = _plain_type(media_type)
    if not Path(name).suffix and read_as is None:
        read_as = MEDIA_TYPES.get(media_type)
    try:
        style, packing = format_of(name or "the file", read_as)
    except DataError as error:
        raise HTTPException(415, _of_http(str(error))) from None
    packing = packing or PACKED_TYPES.get(media_type, "")
    plain = f"table.{style.name}"
    return Upload(folder / f"{plain}{packed_suffix(packing)}", name or plain, style, packing)


def _plain_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def _copy(source: IO[bytes], path: Path) -> None:
    with path.open("wb") as kept:
        shutil.copyfileobj(source, kept)


def score(
    file: Upload, options: files.Options, scorers: SimpleQueue[scorer.Scorer], settings: Settings
) -> tuple[Path, files.Layout]:
    """Score a file within bounds of size and time.

    Returns:
        The output, beside the file, and the columns of the file.

    Raises:
        UnusableFileError: the file cannot be read.
        HTTPException: 413 where it unpacks to too much or takes too long.
    """
    end = time.monotonic() + settings.answer_seconds

    def go_on(*_done: float) -> None:
        if time.monotonic() > end:
            raise too_slow(settings.answer_seconds)

    scorer = scorers.get()
    try:
        source = _unpacked(file, settings.max_unpacked, go_on)
        style, packing = (options.write_as, "") if options.write_as else (file.style.name, file.packing)
        output = file.path.with_name(f"scored.{style}{packed_suffix(packing)}")
        layout = files.layout(source, options)
        files.score_file(source, output, scorer, options=options, progress=go_on)
    except UnicodeError:
        raise UnusableFileError(f"{file.name}: holds bytes that are no {options.encoding} text.") from None
    except (DataError, OutputError) as error:
        message = re.sub(rf"{re.escape(str(file.path.parent))}/[\w.]+", lambda _: file.name, str(error))
        columns = error.columns if isinstance(error, NoColumnError) else None
        raise UnusableFileError(_of_http(message), columns) from None
    finally:
        scorers.put(scorer)
    return output, layout


def _unpacked(file: Upload, limit: int, go_on: Callable[[], None]) -> Path:
    """Return where the file stands unpacked, which is bounded: a small file can hold a huge one."""
    if file.style.name == "xlsx":
        # What is no archive is told by who reads it.
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(file.path) as archive:
            if sum(member.file_size for member in archive.infolist()) > limit:
                raise _unpacks_to_more(limit)
    if not file.packing:
        return file.path
    target = file.path.with_name(f"unpacked.{file.style.name}")
    size = 0
    with file.path.open("rb") as packed, target.open("wb") as kept:
        content = unpacked(str(file.path), packed, file.packing)
        for chunk in iter(partial(content.read, 1 << 20), b""):
            size += len(chunk)
            if size > limit:
                raise _unpacks_to_more(limit)
            go_on()
            kept.write(chunk)
    return target


def _unpacks_to_more(limit: int) -> HTTPException:
    return HTTPException(413, f"The file unpacks to more than {limit:,} bytes. Send it in parts.")


def _of_http(message: str) -> str:
    """Put a message that names options of the command line into words for who asks over HTTP.

    >>> _of_http("Name one with --text-column. Fix it, or pass --on-error keep.")
    'Name one with text_column. Fix it, or pass on_error=keep.'
    """
    return re.sub(
        r"--([a-z-]+)( keep)?", lambda m: m[1].replace("-", "_") + ("=keep" if m[2] else ""), message
    )


def stream(output: Path, file: Upload, layout: files.Layout) -> Response:
    """Send a scored file back under the name of the file it was made of."""
    table = json.dumps(layout._asdict())
    if len(table) > MAX_HEADER:
        table = json.dumps(layout._replace(columns=[])._asdict())
    if len(table) > MAX_HEADER:
        raise UnusableFileError(f"{file.name}: the name of its column of texts is too long.")

    def chunks() -> Iterator[bytes]:
        with output.open("rb") as content:
            yield from iter(partial(content.read, 1 << 18), b"")

    style, packing = format_of(output)
    stem = file.name
    for _ in range(1 + bool(file.packing)):
        stem = Path(stem).stem
    name = f"{stem}-scored{''.join(output.suffixes)}"
    return StreamingResponse(
        chunks(),
        media_type=PACKINGS[packing].media_type if packing else style.media_types[0],
        headers={
            "content-disposition": f"attachment; filename*=utf-8''{quote(name)}",
            "content-length": str(output.stat().st_size),
            "outsort-table": table,
        },
    )
