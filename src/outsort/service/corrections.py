"""The corrections that come with a file to score."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Annotated

from fastapi import HTTPException
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError
from starlette.datastructures import UploadFile

from outsort.errors import in_plain_words
from outsort.files import for_workbook
from outsort.scoring.corrections import Correction

#: Limit of their size, in bytes.
MAX_BYTES = 4 << 20


def _one_line(text: str) -> str:
    if for_workbook(text) != text or len(text.splitlines()) > 1:
        raise ValueError("must be one line without control characters")
    return text


def _known(label: str, info: ValidationInfo) -> str:
    labels: Collection[str] = info.context or ()
    if label not in labels:
        known = ", ".join(map(repr, labels))
        raise PydanticCustomError("label", "is none of the labels of the model, {known}", {"known": known})
    return label


#: Text that a cell of every format can hold as it is.
Cell = Annotated[str, Field(max_length=500), AfterValidator(_one_line)]


class RowsCorrection(BaseModel):
    """A person's decision about one or more rows."""

    model_config = ConfigDict(extra="forbid", strict=True)

    rows: Annotated[list[Annotated[int, Field(ge=0)]], FailFast()] = Field(
        description="Places of the rows in the file, the first being 0."
    )
    label: Annotated[str, AfterValidator(_known)]
    service_line: Cell = ""
    reviewer: Cell = ""
    decided_at: Cell = ""


_FILE = TypeAdapter(Annotated[list[RowsCorrection], FailFast()])


async def receive(part: object, labels: Collection[str]) -> dict[int, Correction]:
    """Return the corrections in a part of a form, by the place of the row; none if there is no such part.

    Raises:
        HTTPException: 413 if they are too large, 422 if they are not valid, or a label is none of `labels`.
    """
    if part is None:
        return {}
    if not isinstance(part, UploadFile):
        raise HTTPException(422, "corrections: is not a file. Send a JSON file.")
    raw = await part.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise HTTPException(413, f"The corrections are larger than {MAX_BYTES:,} bytes. Send the file in parts.")
    return await asyncio.to_thread(_parsed, raw, labels)


def _parsed(raw: bytes, labels: Collection[str]) -> dict[int, Correction]:
    try:
        decisions = _FILE.validate_json(raw, context=labels)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, ("corrections", *fault["loc"])))
        raise HTTPException(422, f"{where}: {in_plain_words(fault['msg'])}.") from None
    return {row: Correction(**decision.model_dump(exclude={"rows"})) for decision in decisions for row in decision.rows}
