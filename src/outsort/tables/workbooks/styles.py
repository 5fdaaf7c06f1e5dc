"""The cell formats of a workbook that exists: new ones are appended, and the others keep their numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from outsort.tables.workbooks.markup import (
    Element,
    MarkupError,
    Splice,
    appended,
    attribute,
    outline,
    prefix_of,
    spliced,
    with_attributes,
)

#: Cell formats that a workbook of Excel holds, and the first number of a number format of its own.
MAX_FORMATS, _FIRST_NUMBER_FORMAT = 65_490, 164
#: The parts of a style sheet in their order, with what each must hold to begin with.
_SECTIONS: Mapping[str, tuple[str, ...]] = {
    "numFmts": (),
    "fonts": ('<font><sz val="11"/><name val="Calibri"/><family val="2"/></font>',),
    "fills": ('<fill><patternFill patternType="none"/></fill>', '<fill><patternFill patternType="gray125"/></fill>'),
    "borders": ("<border><left/><right/><top/><bottom/><diagonal/></border>",),
    "cellStyleXfs": ('<xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>',),
    "cellXfs": ('<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>',),
    "cellStyles": (),
    "dxfs": (),
}
#: A workbook's style sheet where it has none.
EMPTY = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    b'<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>'
)


class Look(NamedTuple):
    """How cells differ from those they stand beside, whose font, border and vertical position they have.

    Attributes:
        number_format: such as ``0.0%``; "" for the general one.
        is_bold: whether the text is.
        fill: a colour such as DDF2E0; "" for none.
        color: of the text; "" for that of the others.
        is_wrapped: whether long text goes on in the next line.
    """

    number_format: str = ""
    is_bold: bool = False
    fill: str = ""
    color: str = ""
    is_wrapped: bool = False


class Styles:
    """A style sheet that grows."""

    def __init__(self, content: bytes) -> None:
        """Read the formats.

        Raises:
            MarkupError: it is damaged.
        """
        self._content = content
        self._root = outline(content, 3)
        if self._root.name != "styleSheet":
            raise MarkupError("its styles cannot be read")
        self._prefix = prefix_of(content, self._root)
        self._old = {name: self._items(name) for name in _SECTIONS}
        self._new: dict[str, list[bytes]] = {name: [] for name in _SECTIONS}

    def add(self, base: int, look: Look) -> int:
        """Return the number of the format of cells like those of format `base`, but with this look.

        Raises:
            MarkupError: the workbook has as many formats as Excel can hold.
        """
        xf = self._format(base)
        given = xf.attributes if xf else {}
        values = {
            "numFmtId": self._number_format(look.number_format) if look.number_format else 0,
            "fontId": self._font(_number(given.get("fontId")), look),
            "fillId": self._fill(look.fill) if look.fill else 0,
            "borderId": _number(given.get("borderId")),
            "xfId": _number(given.get("xfId")),
        }
        tag = "".join(f' {name}="{value}"' for name, value in values.items())
        tag += ' applyNumberFormat="1" applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1"'
        alignment = xf.child("alignment") if xf else None
        vertical = (alignment.attributes.get("vertical", "") if alignment else "") or ("top" if look.is_wrapped else "")
        inside = f' vertical="{vertical}"' if re.fullmatch("[A-Za-z]+", vertical) else ""
        inside += ' wrapText="1"' if look.is_wrapped else ""
        return self._place("cellXfs", f"<xf{tag}><alignment{inside}/></xf>" if inside else f"<xf{tag}/>")

    def adopt(self, other: Styles) -> tuple[list[int], list[int]]:
        """Append all formats of another style sheet, whose XML has no prefixes.

        Returns:
            Their numbers here: those of cells, and those that rules give to cells.
        """
        codes = {item.attributes.get("numFmtId"): item.attributes["formatCode"] for item in other._old["numFmts"]}
        cells = []
        for xf in other._old["cellXfs"]:
            given = xf.attributes
            code = codes.get(given.get("numFmtId", "0"))
            values = {
                "numFmtId": _number(given.get("numFmtId")) if code is None else self._number_format(code),
                "fontId": self._adopted(other, "fonts", _number(given.get("fontId"))),
                "fillId": self._adopted(other, "fills", _number(given.get("fillId"))),
                "borderId": self._adopted(other, "borders", _number(given.get("borderId"))),
                "xfId": 0,
            }
            tag = other._content[xf.start : xf.inner]
            content = with_attributes(tag, values) + other._content[xf.inner : xf.end]
            cells.append(self._place("cellXfs", content.decode()))
        return cells, [self._adopted(other, "dxfs", place) for place in range(len(other._old["dxfs"]))]

    def _adopted(self, other: Styles, section: str, place: int) -> int:
        """Return the number here of an item of another style sheet, which is appended."""
        item = other._old[section][place]
        return self._place(section, other._content[item.start : item.end].decode())

    def is_plain(self, index: int) -> bool:
        """Return whether a format shows nothing: neither bold nor coloured nor framed."""
        xf = self._format(index)
        if xf is None:
            return True
        fonts = self._old["fonts"]
        font = _number(xf.attributes.get("fontId"))
        bold = fonts[font].child("b") if font < len(fonts) else None
        is_bold = bold is not None and bold.attributes.get("val", "1") not in ("0", "false")
        return not is_bold and not _number(xf.attributes.get("fillId")) and not self.has_border(index)

    def has_border(self, index: int) -> bool:
        """Return whether cells of a format have a frame."""
        xf = self._format(index)
        return xf is not None and bool(_number(xf.attributes.get("borderId")))

    @property
    def content(self) -> bytes:
        """The style sheet with what was added."""
        splices: list[Splice] = []
        for name, items in self._new.items():
            if not items:
                continue
            section = self._root.child(name)
            if section is None:
                tag = b'<%s%s count="%d">' % (self._prefix, name.encode(), len(items))
                new = tag + b"".join(items) + b"</%s%s>" % (self._prefix, name.encode())
                splices.append(Splice(self._place_of(name), self._place_of(name), new))
            else:
                end = appended(self._content, section, b"".join(items))
                count = re.search(rb"""\scount\s*=\s*["']\d+["']""", self._content[section.start : section.inner])
                n = b' count="%d"' % (len(self._old[name]) + len(items))
                if count and end.start > section.start:
                    at = section.start
                    splices += [Splice(at + count.start(), at + count.end(), n), end]
                else:
                    splices.append(end._replace(new=re.sub(rb"""\scount\s*=\s*["']\d+["']""", n, end.new, count=1)))
        if self._root.inner == self._root.inner_end and splices:
            # It is one tag, or has no content: what is new goes inside, in its order.
            return spliced(self._content, [appended(self._content, self._root, b"".join(s.new for s in splices))])
        return spliced(self._content, splices)

    def _items(self, section: str) -> list[Element]:
        found = self._root.child(section)
        return found.children if found else []

    def _format(self, index: int) -> Element | None:
        formats = self._old["cellXfs"]
        return formats[index] if index < len(formats) else None

    def _place(self, section: str, item: str | bytes) -> int:
        """Append an item that is not there already; return its number."""
        new = self._new[section]
        if not new and not self._old[section]:
            new += (self._named(default) for default in _SECTIONS[section])
        n = len(self._old[section])
        content = self._named(item) if isinstance(item, str) else item
        if content not in new:
            if section == "cellXfs":
                # A format refers to a font, a fill, a border and a named style, which must exist.
                for other in ("fonts", "fills", "borders", "cellStyleXfs"):
                    if not self._old[other] and not self._new[other]:
                        self._new[other] += (self._named(default) for default in _SECTIONS[other])
                if n + len(new) >= MAX_FORMATS:
                    raise MarkupError("it has as many cell formats as Excel can hold")
            new.append(content)
        return n + new.index(content)

    def _number_format(self, code: str) -> int:
        new = self._new["numFmts"]
        taken = [_number(item.attributes.get("numFmtId")) for item in self._old["numFmts"]]
        first = max([_FIRST_NUMBER_FORMAT - 1, *taken]) + 1
        known = {
            item.attributes.get("formatCode"): _number(item.attributes.get("numFmtId")) for item in self._old["numFmts"]
        }
        if code in known:
            return known[code]
        codes = [re.search(b'formatCode="([^"]*)"', item) for item in new]
        for place, found in enumerate(codes):
            if found and found[1].decode() == code:
                return first + place
        self._place("numFmts", f'<numFmt numFmtId="{first + len(new)}" formatCode={attribute(code).decode()}/>')
        return first + len(new) - 1

    def _font(self, base: int, look: Look) -> int:
        fonts = self._old["fonts"]
        if not (look.is_bold or look.color):
            return base
        if base >= len(fonts):
            inner = self._named(_SECTIONS["fonts"][0].removeprefix("<font>").removesuffix("</font>"))
        else:
            font = fonts[base]
            dropped = [
                child
                for child in font.children
                if (child.name == "color" and look.color) or (child.name == "b" and look.is_bold)
            ]
            inner = self._content[font.inner : font.inner_end]
            inner = spliced(inner, [Splice(c.start - font.inner, c.end - font.inner, b"") for c in dropped])
        if look.color:
            color = self._named(f'<color rgb="FF{look.color}"/>')
            size = re.search(rb"<(?:[\w.-]+:)?sz\b[^>]*/>", inner)
            at = size.end() if size else len(inner)
            inner = inner[:at] + color + inner[at:]
        bold = self._named("<b/>") if look.is_bold else b""
        return self._place("fonts", self._named("<font>") + bold + inner + self._named("</font>"))

    def _fill(self, color: str) -> int:
        solid = f'<patternFill patternType="solid"><fgColor rgb="FF{color}"/><bgColor indexed="64"/></patternFill>'
        return self._place("fills", f"<fill>{solid}</fill>")

    def _named(self, item: str) -> bytes:
        """Return XML with the namespace prefix of the style sheet."""
        return re.sub(b"<(/?)(?=[A-Za-z])", rb"<\1" + self._prefix, item.encode())

    def _place_of(self, name: str) -> int:
        """Return where a missing section belongs."""
        order = list(_SECTIONS)
        later = [child for child in self._root.children if child.name not in order[: order.index(name)]]
        return min((child.start for child in later), default=self._root.inner_end)


def _number(value: str | None) -> int:
    return int(value) if value and value.isascii() and value.isdigit() else 0
