"""Errors, with messages for the person who has to fix them."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

#: How Pydantic, and Typer by it or by Click, say what is wrong with a value, and how a person would. The first that
#: fits is taken.
_PLAIN_WORDS = {
    r"Value error, (.*)": r"\1",
    r"Field required": "is missing",
    r"Invalid JSON: (.*)": r"is not valid JSON: \1",
    r"Extra inputs are not permitted": "is not known here",
    r"Input should be a valid integer\b.*": "must be a whole number",
    r"Input should be a valid (?:number|decimal)\b.*": "must be a number",
    r"Input should be a valid boolean\b.*": "must be true or false",
    r"Input should be a valid string\b.*": "must be text",
    r"Input should be a valid (?:list|array)\b.*": "must be a list",
    r"Input should be (?:a valid dictionary|an object)\b.*": "must be an object",
    r"Input should be greater than or equal to (.*)": r"must be \1 or more",
    r"Input should be less than or equal to (.*)": r"must be \1 or less",
    r"Input should be greater than (.*)": r"must be more than \1",
    r"Input should be (.*)": r"must be \1",
    r".* is not a valid integer(?: range)?\.": "must be a whole number",
    r".* is not a valid float(?: range)?\.": "must be a number",
    r".* is not in the range x>=(.*)\.": r"must be \1 or more",
    r".* is not in the range x<=(.*)\.": r"must be \1 or less",
    r".* is not in the range (.*)<=x<=(.*)\.": r"must be from \1 to \2",
    r"(?:String|List|Data|Value) should (match pattern .*)": r"must \1",
    r"(?:String|List|Data|Value) should have (at \w+ \d+ \w+).*": r"must have \1",
    r"could not (?:parse value and unit from byte string|interpret byte unit).*": "must be a size such as 64MiB",
}

#: What to do about a file that is damaged.
COPY_AGAIN = "Copy it again, or save it anew."


class OutsortError(Exception):
    """Base class of the errors this package raises on purpose.

    The message says what went wrong, where (file, row, column) and what to do next.
    """


class DataError(OutsortError, ValueError):
    """Input data that cannot be used as they are."""


class ModelError(OutsortError, ValueError):
    """A model, or a model file, that cannot be used."""


class OutputError(OutsortError, OSError):
    """An output that already exists or cannot be written."""


class ServiceError(OutsortError, OSError):
    """A service that cannot start with these options."""


class ClusterError(OutsortError, RuntimeError):
    """A cluster that cannot be reached, or lacks something the work needs."""


class DataWarning(UserWarning):
    """A guess about the data, or a cell that an output can only hold in another form."""


class Unlike(str):
    """A message that a table is unlike what the promise of a model was measured on."""

    __slots__ = ()


def did_you_mean(name: str, names: Collection[str]) -> str:
    """Return a sentence with the name that was probably meant, after a space; "" where none is like it.

    >>> did_you_mean("Descripton", ["id", "description"]), did_you_mean("spend", ["id", "text"])
    (" Did you mean 'description'?", '')
    """
    asked, *of_names = (re.sub(r"[\W_]", "", one.casefold()) for one in (name, *names))
    plain = dict(zip(of_names, names, strict=True))
    # Of two letters or digits, one is already half.
    near = get_close_matches(asked, plain, n=1, cutoff=0.6) if len(asked) > 2 else []
    return f" Did you mean {plain[near[0]]!r}?" if near else ""


def counted(n: int, noun: str) -> str:
    """Return a number of things in words.

    >>> counted(1, "row"), counted(2000, "service line")
    ('1 row', '2,000 service lines')
    """
    return f"{n:,} {noun}{'s' * (n != 1)}"


def in_plain_words(fault: str) -> str:
    """Return what a library says of a value that is not valid as a person would say it; other messages as they are.

    >>> in_plain_words("Input should be greater than or equal to 0")
    'must be 0 or more'
    >>> in_plain_words("Value error, 'x' is not one of 'table', 'csv'.")
    "'x' is not one of 'table', 'csv'."
    """
    for pattern, words in _PLAIN_WORDS.items():
        found = re.fullmatch(pattern, fault, re.DOTALL)
        if found:
            return found.expand(words)
    return fault


@contextmanager
def raised_as(kind: type[OutsortError], message: str, hint: str, *foreign: type[Exception]) -> Iterator[None]:
    """Raise what a library raises about data as an error of ours, with a message.

    Only calls of the library belong in the block: a mistake of ours must not pass for a damaged file.

    Args:
        kind: the error to raise.
        message: what is wrong, and where; what the library says follows in brackets.
        hint: what to do, as a sentence.
        foreign: the errors of the library.
    """
    try:
        yield
    except (OutsortError, MemoryError):
        raise
    except foreign as error:
        raise kind(f"{message} ({first_line(error)}). {hint}") from error


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, without a final full stop."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
