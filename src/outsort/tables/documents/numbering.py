"""The numbers that Word shows before paragraphs, counted as it counts them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from outsort.tables.documents.passages import numeral

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STYLES = {"lowerLetter": "a", "upperLetter": "A", "lowerRoman": "i", "upperRoman": "I"}
_LEVELS = 9


@dataclass
class Level:
    """A level of a list: its style, `bullet` or `none` among others, its text such as `%1.%2`, and its first number."""

    style: str = "decimal"
    text: str = ""
    start: int = 1
    is_legal: bool = False


@dataclass
class Numbering:
    """The lists of a document.

    Attributes:
        lists: the levels of each abstract list.
        instances: of each list the abstract one, and the first numbers that it changes.
    """

    lists: dict[str, dict[int, Level]] = field(default_factory=dict)
    instances: dict[str, tuple[str, dict[int, int]]] = field(default_factory=dict)
    _counts: dict[str, list[int | None]] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, elements: Iterable[Element]) -> Numbering:
        """Read the lists from the elements of their part."""
        found = cls()
        for element in elements:
            if element.tag == f"{W}abstractNum":
                levels = {int(level.get(f"{W}ilvl", "0")): _level(level) for level in element.iter(f"{W}lvl")}
                found.lists[element.get(f"{W}abstractNumId", "")] = levels
            elif element.tag == f"{W}num":
                starts = {
                    int(change.get(f"{W}ilvl", "0")): _integer(change.find(f"{W}startOverride"), 1)
                    for change in element.iter(f"{W}lvlOverride")
                    if change.find(f"{W}startOverride") is not None
                }
                abstract = element.find(f"{W}abstractNumId")
                key = "" if abstract is None else abstract.get(f"{W}val", "")
                found.instances[element.get(f"{W}numId", "")] = (key, starts)
        return found

    def next(self, key: str, place: int) -> tuple[str, bool]:
        """Return the number of the next paragraph of a list, "" for none, and whether it has a bullet.

        Args:
            key: of the list.
            place: of its level, from 0.
        """
        abstract, starts = self.instances.get(key, ("", {}))
        levels = self.lists.get(abstract, {})
        level = levels.get(place)
        if level is None:
            return "", False
        counts = self._counts.setdefault(abstract, [None] * _LEVELS)
        if key not in self._begun:
            self._begun.add(key)
            for changed in starts:
                counts[changed] = None
        first = starts.get(place, level.start)
        before = counts[place]
        counts[place] = first if before is None else before + 1
        counts[place + 1 :] = [None] * (_LEVELS - place - 1)
        if level.style in ("bullet", "none"):
            return "", level.style == "bullet"
        return _shown(level, levels, counts), False


def _shown(level: Level, levels: dict[int, Level], counts: list[int | None]) -> str:
    def number(found: re.Match[str]) -> str:
        place = int(found[1]) - 1
        of = levels.get(place, Level())
        style = "1" if level.is_legal else _STYLES.get(of.style, "1")
        count = counts[place]
        return numeral(of.start if count is None else count, style)

    text = re.sub(r"%([1-9])", number, level.text).strip()
    # The marks around it are kept only where they are on both sides, as in (a).
    return text if text.startswith("(") else text.rstrip(".):")


def _level(element: Element) -> Level:
    def value(name: str, usual: str) -> str:
        found = element.find(f"{W}{name}")
        return usual if found is None else found.get(f"{W}val", usual)

    return Level(
        value("numFmt", "decimal"),
        value("lvlText", ""),
        _integer(element.find(f"{W}start"), 1),
        element.find(f"{W}isLgl") is not None,
    )


def _integer(element: Element | None, usual: int) -> int:
    value = "" if element is None else element.get(f"{W}val", "")
    return int(value) if value.isdecimal() and len(value) < 9 else usual
