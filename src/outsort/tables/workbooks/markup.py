"""XML of which only a few bytes change: where its elements are, and what goes beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

#: A start tag at the place where a search begins, with quoted values that may hold the character >.
TAG = re.compile(rb"""<[^\s<>/="']+(?:[^<>"']|"[^"<]*"|'[^'<]*')*>""")


class MarkupError(ValueError):
    """XML that cannot be changed in place."""


@dataclass(slots=True)
class Element:
    """An element and where it is in the bytes.

    Attributes:
        name: its name without a prefix.
        attributes: values by name without a prefix.
        start: where its start tag begins.
        inner: where its content begins.
        inner_end: where its content ends; `inner` if it is one tag, ``<a/>``.
        end: where the element ends.
        children: the elements inside, as deep as asked.
    """

    name: str
    attributes: dict[str, str]
    start: int
    inner: int = 0
    inner_end: int = 0
    end: int = 0
    children: list[Element] = field(default_factory=list)

    def child(self, name: str) -> Element | None:
        """Return its first child of a name."""
        return next((child for child in self.children if child.name == name), None)

    def all(self, name: str) -> list[Element]:
        """Return its children of a name."""
        return [child for child in self.children if child.name == name]


def integer(element: Element, name: str, default: int | None = None) -> int:
    """Return the value of an attribute that is a whole number.

    Raises:
        MarkupError: it is none, or there is no such attribute (and no default).
    """
    value = element.attributes.get(name)
    if value is None and default is not None:
        return default
    if value is None or not (value.isascii() and value.isdigit()):
        raise MarkupError(f"{element.name} has {name} {value!r}")
    return int(value)


class Splice(NamedTuple):
    """Bytes from `start` to `end` are replaced by others; where both are equal, others are inserted."""

    start: int
    end: int
    new: bytes


def outline(content: bytes, depth: int) -> Element:
    """Return the root of a document with the elements below it, `depth` levels deep.

    Raises:
        MarkupError: it is not well formed, is not in an encoding that contains ASCII, or declares entities.

    >>> root = outline(b'<a><b c="1"/>text</a>', 1)
    >>> root.children[0].attributes, root.inner_end
    ({'c': '1'}, 17)
    """
    if b"\0" in content[:200]:
        raise MarkupError("it is in UTF-16")
    parser = expat.ParserCreate(namespace_separator=" ")
    open_elements: list[Element] = [Element("", {}, 0)]
    level = 0

    def start(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal level
        level += 1
        if level <= depth + 1:
            plain = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
            element = Element(name.rpartition(" ")[2], plain, parser.CurrentByteIndex)
            open_elements[-1].children.append(element)
            open_elements.append(element)

    def end(_: str) -> None:
        nonlocal level
        if level <= depth + 1:
            _close(content, open_elements.pop(), parser.CurrentByteIndex)
        level -= 1

    def refuse(*_: object) -> None:
        raise MarkupError("it declares a document type")

    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = start, end, refuse
    try:
        parser.Parse(content, True)  # noqa: FBT003
    except (expat.ExpatError, LookupError) as error:
        raise MarkupError(str(error)) from None
    return open_elements[0].children[0]


def _close(content: bytes, element: Element, at: int) -> None:
    """Note where an element ends, whose end the parser found at this place."""
    tag = TAG.match(content, element.start)
    if not tag:
        raise MarkupError("a tag cannot be read")
    element.inner = tag.end()
    if content[tag.end() - 2 : tag.end()] == b"/>":
        element.inner_end = element.end = tag.end()
    else:
        element.inner_end, element.end = at, content.index(b">", at) + 1


def spliced(content: bytes, splices: Iterable[Splice]) -> bytes:
    """Return the content with some bytes replaced; those that do not overlap, in any order.

    >>> spliced(b"abc", [Splice(2, 3, b"!"), Splice(0, 0, b">")])
    b'>ab!'
    """
    result, done = [], 0
    for start, end, new in sorted(splices, key=lambda splice: splice[:2]):
        result += [content[done:start], new]
        done = end
    return b"".join([*result, content[done:]])


def prefix_of(content: bytes, element: Element) -> bytes:
    """Return the namespace prefix of an element with its colon, b"" for none."""
    name = re.split(rb"[\s/>]", content[element.start + 1 : element.inner], maxsplit=1)[0]
    return name[: name.find(b":") + 1]


def appended(content: bytes, element: Element, new: bytes) -> Splice:
    """Put content at the end of an element."""
    if element.inner_end == element.inner and content[element.inner - 2 : element.inner] == b"/>":
        tag = content[element.start : element.inner - 2]
        name = re.split(rb"[\s/>]", tag[1:], maxsplit=1)[0]
        return Splice(element.start, element.end, tag + b">" + new + b"</" + name + b">")
    return Splice(element.inner_end, element.inner_end, new)


def with_attributes(tag: bytes, values: Mapping[str, object]) -> bytes:
    """Return a start tag with the values of some attributes, which are replaced or added; None removes one.

    >>> with_attributes(b'<row r="1" spans="1:2"/>', {"spans": "1:3", "s": 4})
    b'<row r="1" spans="1:3" s="4"/>'
    """
    for name, value in values.items():
        old = re.search(rb"""\s%s\s*=\s*("[^"]*"|'[^']*')""" % name.encode(), tag)
        new = b"" if value is None else b" " + name.encode() + b"=" + attribute(str(value))
        if old:
            tag = tag[: old.start()] + new + tag[old.end() :]
        else:
            end = len(tag) - (2 if tag.endswith(b"/>") else 1)
            tag = tag[:end].rstrip() + new + tag[end:]
    return tag


def retagged(content: bytes, element: Element, values: Mapping[str, object]) -> Splice:
    """Change attributes of an element."""
    tag = content[element.start : element.inner]
    return Splice(element.start, element.inner, with_attributes(tag, values))


def attribute(value: str) -> bytes:
    """Return a value of an attribute in quotes, in ASCII, which is right in every encoding that contains it."""
    return quoteattr(value).encode("ascii", "xmlcharrefreplace")


def text(value: str) -> bytes:
    """Return a text as content of an element, in ASCII."""
    return escape(value).encode("ascii", "xmlcharrefreplace")
