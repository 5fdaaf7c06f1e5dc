"""The ways to choose texts for review."""

from enum import StrEnum


class Strategy(StrEnum):
    """How texts are chosen for review; see `outsort.improving.choose`."""

    MIXED = "mixed"
    UNCERTAIN = "uncertain"
    WEIGHT = "weight"
    NOVEL = "novel"
    RANDOM = "random"
