"""Problems of many rows in one message."""

from collections.abc import Sequence
from difflib import get_close_matches

_MAX_SHOWN = 10


def shortened(text: str) -> str:
    """Return a text short enough for a message."""
    return text if len(text) <= 60 else text[:59] + "…"


def near(name: str, known: Sequence[str]) -> str:
    """Return the end of a problem with an unknown name: which of the known ones is like it, "" if none is.

    >>> near("lable", ["name", "label"]), near("x", ["name", "label"])
    ("; one is 'label'", '')
    """
    found = get_close_matches(name, known, 1)
    return f"; one is {found[0]!r}" if found else ""


def listed(source: str, problems: Sequence[str]) -> str:
    """Return one message for all problems: the first ten, and the number of others."""
    if len(problems) == 1:
        return f"{source}, {problems[0]}. Fix it and try again."
    shown = "".join(f"\n  {problem}" for problem in problems[:_MAX_SHOWN])
    more = len(problems) - _MAX_SHOWN
    rest = f"\n  and {more} more" if more > 0 else ""
    return f"{source}: {len(problems)} problems to fix first:{shown}{rest}"
