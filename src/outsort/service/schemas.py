"""Requests and responses of the service, for OpenAPI."""

from http import HTTPStatus
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from outsort.tables.formats import FORMATS, PACKINGS, TABLES, WRITTEN

#: Limits of the texts in a request, and of the characters in each.
MAX_TEXTS, MAX_CHARACTERS = 1000, 100_000
EXAMPLES = ["Type 300 supplier invoices a day into SAP", "Prior art search for a battery patent"]
FormatName = Annotated[str, Query(pattern=f"^({'|'.join(FORMATS)})$")]
TableName = Annotated[str, Query(pattern=f"^({'|'.join(TABLES)})$")]
Encoding = Literal[
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "ascii", "big5", "cp1250", "cp1251", "cp1252",
    "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp437", "cp775", "cp850", "cp852", "cp862", "cp866", "cp874",
    "cp932", "cp949", "euc_jp", "euc_kr", "gb18030", "iso2022_jp", "iso2022_jp_2", "iso2022_jp_ext", "iso2022_kr",
    "iso8859-1", "iso8859-2", "iso8859-4", "iso8859-5", "iso8859-7", "iso8859-9", "iso8859-10", "iso8859-13",
    "iso8859-15", "iso8859-16", "koi8-r", "koi8-u", "mac-cyrillic", "mac-roman", "shift_jis",
]  # fmt: skip
TEXT_COLUMN = "Text column: name, number or letter; `a|b` for b where a is blank; several are joined."
#: One ASCII character that may stand between cells.
Delimiter = Annotated[str, Query(pattern=r"^([\t !#-/:-@\[-`{-~]|tab)$")]
Column = Annotated[str, Query(max_length=500)]
#: What a client calls a file that it sends; long names are not kept.
JobName = Annotated[str, Query(max_length=64)]
P = ParamSpec("P")
T = TypeVar("T")


class PredictRequest(BaseModel):
    """Texts to classify."""

    model_config = ConfigDict(extra="forbid", strict=True)

    texts: list[Annotated[str, Field(max_length=MAX_CHARACTERS)]] = Field(
        max_length=MAX_TEXTS, description="Descriptions of work.", examples=[EXAMPLES]
    )
    explain: bool = Field(
        default=False, description="Also return the contribution of each word and the top service lines."
    )


class TermContribution(BaseModel):
    """A word or pair of words, and what it added to the log-odds of the label."""

    term: str
    log_odds: float


class WordContribution(BaseModel):
    """A word, its position in characters, and what it added to the log-odds of the label."""

    word: str
    start: int
    end: int
    log_odds: float
    is_reason: bool = Field(description="Whether it is worth showing: it means something, and weighs enough.")


class ClauseShare(BaseModel):
    """A clause, its position in characters, and how much it counts: the shares of a text add up to 1."""

    text: str
    start: int
    end: int
    share: float
    probabilities: dict[str, float] = Field(description="Of every label, for the clause alone.")


class LineProbability(BaseModel):
    """A service line and its probability."""

    service_line: str
    probability: float


class TextPrediction(BaseModel):
    """The answer for one text, as from `outsort predict`; with `explain`, as from `outsort explain`.

    Served with a taxonomy, it also has the members `category`, `category_name`, `category_probability` and
    `category_decision`, of each axis.
    """

    model_config = ConfigDict(populate_by_name=True, extra="allow")

    key: str = Field(description="Identifies the text in a file of corrections.", pattern="^k[0-9a-f]{16}$")
    text: str
    label: str
    probability: float = Field(description="Of the label.")
    probabilities: dict[str, float] = Field(description="Of every label; they add up to 1.")
    shares: dict[str, float] = Field(description="Of the text, by the labels of its clauses; they add up to 1.")
    share_margin: float = Field(description="Half of a 90 % interval of the share that is least certain.")
    service_line: str | None
    decision: Literal["accept", "review"]
    reason: str = Field(description="The reason for review; empty if accepted.")
    taxonomy: str | None = Field(None, description="The fingerprint of the taxonomy, if one is served.")
    rule: str | None = Field(None, description="The rule that decided, if rules are served and one did.")
    model_label: str | None = Field(None, description="What the model would have answered, where a rule decided.")
    model_decision: str | None = Field(None, description="The decision on that.")
    rules: str | None = Field(None, description="The fingerprint of the rules, if some are served.")
    terms_for: list[TermContribution] = Field(alias="for")
    terms_against: list[TermContribution] = Field(alias="against")
    log_odds: float | None = Field(
        None, description="Of the label against all others: the sum of words, bias and spread."
    )
    bias: float | None = None
    spread: float | None = None
    clauses: list[ClauseShare] | None = None
    words: list[WordContribution] | None = None
    service_lines: list[LineProbability] | None = None


class PredictResponse(BaseModel):
    """The answers, in the order of the texts."""

    model: str = Field(description="The fingerprint of the model.")
    answers: list[TextPrediction]


class ModelInfo(BaseModel):
    """The model, and the limits of the service."""

    outsort: str
    model: str
    threshold: float = Field(description="Least confidence of accepted answers.")
    certified: bool = Field(description="Whether a precision of accepted answers was certified at that threshold.")
    terms: int
    labels: list[str]
    out_of_scope: str = Field(description="The label for what is out of scope; empty if there is none.")
    service_lines: dict[str, list[str]] = Field(description="The service lines of each label.")
    taxonomy: str = Field(description="The fingerprint of the taxonomy; empty if none is served.")
    categories: dict[str, dict[str, str]] = Field(description="The names of its categories by code, of each axis.")
    rules: str = Field(description="The fingerprint of the rules; empty if none are served.")
    data: dict[str, Any] = Field(description="The training data.")
    scores: dict[str, Any] = Field(description="Metrics from cross-validation.")
    learns: bool = Field(description="Whether the page can learn from corrections, see `outsort serve --learn`.")
    limits: dict[str, int]


class Progress(BaseModel):
    """How far the scoring of a file is."""

    rows: int
    share: float = Field(description="The fraction of the file that is read, 0 to 1.")


class Health(BaseModel):
    """The service is running."""

    status: Literal["ok"] = "ok"


class Problem(BaseModel):
    """An error, in the format of RFC 9457."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What went wrong and what to do.")
    errors: list[dict[str, str]] | None = None
    columns: list[str] | None = Field(None, description="The columns of a file in which no text column was found.")
    samples: list[list[str]] | None = Field(None, description="Some cells of each of these columns.")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of the errors of a route."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


#: Media types of scored files.
SENT_TYPES = (
    *(style.media_types[0] for style in WRITTEN.values()),
    *(packing.media_types[0] for packing in PACKINGS.values() if packing.is_written),
)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
#: JSON is described as what it holds, not as bytes; what makes it a table, no schema can say.
_BODIES = dict.fromkeys(SENT_TYPES, _BINARY) | {FORMATS["json"].media_types[0]: {"schema": {}}}
_TABLE = f"lot,description\n007,{EXAMPLES[0]}\n008,{EXAMPLES[1]}\n"
CORRECTIONS = (
    "JSON: a list of objects with `rows` (places in the file, from 0), `label` (one of the model's), and optionally "
    "`service_line`, `reviewer` and `decided_at`."
)
FILE_REQUEST = {
    "required": True,
    "content": {
        **_BODIES,
        "application/octet-stream": _BINARY,
        "text/csv": _BINARY | {"example": _TABLE},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "corrections": {"type": "string", "format": "binary", "description": CORRECTIONS},
                },
            }
        },
    },
}
FILE_RESPONSE: dict[str, Any] = {
    "description": "The file with the added columns, or the page of a document.",
    "headers": {
        "Outsort-Table": {
            "description": "JSON: the columns of the file; its text columns, each with those read where it is blank; "
            "the prefix of added columns; and notes: where the table was, what was guessed and what is odd.",
            "schema": {"type": "string"},
        }
    },
    "content": _BODIES | {FORMATS["html"].media_types[0]: _BINARY},
}
