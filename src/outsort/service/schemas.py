"""Requests and responses of the service, as OpenAPI describes them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from outsort.tables.formats import FORMATS, PACKINGS

#: Texts in a request, and characters in each, at most.
MAX_TEXTS, MAX_CHARACTERS = 1000, 100_000
EXAMPLES = ["Type 300 supplier invoices a day into SAP", "Prior art search for a battery patent"]
FormatName = Annotated[str, Query(pattern=f"^({'|'.join(FORMATS)})$")]
Encoding = Literal[
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "ascii", "big5", "cp1250", "cp1251", "cp1252",
    "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "euc_jp", "euc_kr", "gb18030", "iso8859-1",
    "iso8859-2", "iso8859-5", "iso8859-7", "iso8859-9", "iso8859-15", "koi8-r", "shift_jis",
]  # fmt: skip
Column = Annotated[str, Query(max_length=500)]
P = ParamSpec("P")
T = TypeVar("T")


class Question(BaseModel):
    """Some texts."""

    model_config = ConfigDict(extra="forbid", strict=True)

    texts: list[Annotated[str, Field(max_length=MAX_CHARACTERS)]] = Field(
        max_length=MAX_TEXTS,
        description="Descriptions of work.",
        examples=[EXAMPLES],
    )
    explain: bool = Field(
        default=False, description="Say what each word added, and name the likeliest lines."
    )


class Term(BaseModel):
    """A word or a pair of words, and what it added to the label's log-odds."""

    term: str
    log_odds: float


class Word(BaseModel):
    """A word where it stands in the text, in characters; above 0 it spoke for KPO, below for BPO."""

    word: str
    start: int
    end: int
    log_odds: float


class Line(BaseModel):
    """A service line and its probability."""

    service_line: str
    probability: float


class Answer(BaseModel):
    """The answer for one text, as `outsort predict` gives it; explained, as `outsort explain` does."""

    model_config = ConfigDict(populate_by_name=True)

    key: str = Field(description="Names the text in a file of corrections.", pattern="^k[0-9a-f]{16}$")
    text: str
    label: Literal["BPO", "KPO"]
    probability: float = Field(description="Of the label, given that the work is one of the two.")
    neither: float | None = Field(description="Probability that the work is neither, if the model can tell.")
    service_line: str | None
    decision: Literal["accept", "review"]
    reason: str = Field(description="Why a person should look, or nothing.")
    terms_for: list[Term] = Field(alias="for")
    terms_against: list[Term] = Field(alias="against")
    log_odds: float | None = Field(None, description="Of KPO against BPO: words, bias and spread together.")
    bias: float | None = None
    spread: float | None = None
    words: list[Word] | None = None
    service_lines: list[Line] | None = None


class Answers(BaseModel):
    """The answers, in the order of the texts."""

    model: str = Field(description="The fingerprint of the model that answered.")
    answers: list[Answer]


class About(BaseModel):
    """The model, and what the service allows."""

    outsort: str
    model: str
    threshold: float = Field(description="Confidence from which answers are accepted.")
    terms: int
    service_lines: dict[str, list[str]] = Field(description="The service lines of each label it knows.")
    data: dict[str, Any] = Field(description="What it was trained on.")
    scores: dict[str, Any] = Field(description="What it scored in cross-validation.")
    limits: dict[str, int]


class Health(BaseModel):
    """That it runs."""

    status: Literal["ok"] = "ok"


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What went wrong, and what to do.")
    errors: list[dict[str, str]] | None = None
    columns: list[str] | None = Field(None, description="The columns of a file without one of texts.")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how the description names the errors that a route answers with."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


#: What scored files go out as.
SENT_TYPES = (
    *(style.media_types[0] for style in FORMATS.values()),
    *(packing.media_type for packing in PACKINGS.values()),
)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_TABLE = f"lot,description\n007,{EXAMPLES[0]}\n008,{EXAMPLES[1]}\n"
FILE_QUESTION = {
    "required": True,
    "content": {
        **dict.fromkeys((*SENT_TYPES, "application/octet-stream"), _BINARY),
        "text/csv": _BINARY | {"example": _TABLE},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
    },
}
FILE_ANSWER: dict[str, Any] = {
    "description": "The file, with the columns of the answer.",
    "headers": {
        "Outsort-Table": {
            "description": "As JSON: the columns of the file, those of text, the prefix of those added.",
            "schema": {"type": "string"},
        }
    },
    "content": dict.fromkeys(SENT_TYPES, _BINARY),
}
