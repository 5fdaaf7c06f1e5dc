"""Problems of many rows in one message."""

from collections.abc import Sequence

_MAX_SHOWN = 10


def shortened(text: str) -> str:
    """Return a text short enough for a message."""
    return text if len(text) <= 60 else text[:59] + "…"


def listed(source: str, problems: Sequence[str]) -> str:
    """Return one message for all problems: the first ten, and the number of others.

    >>> listed("mine.csv", ["row 2: no label 'X'. Did you mean 'Y'?"])
    "mine.csv, row 2: no label 'X'. Did you mean 'Y'? Fix it and try again."
    """
    problems = [problem.removesuffix(".") for problem in problems]
    if len(problems) == 1:
        return f"{source}, {problems[0]}{'' if problems[0].endswith('?') else '.'} Fix it and try again."
    shown = "".join(f"\n  {problem}" for problem in problems[:_MAX_SHOWN])
    more = len(problems) - _MAX_SHOWN
    rest = f"\n  and {more} more" if more > 0 else ""
    return f"{source}: {len(problems)} problems to fix first:{shown}{rest}"
