"""The output formats of answers."""

from enum import StrEnum


class AnswerFormat(StrEnum):
    """An output format of predictions and explanations."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
