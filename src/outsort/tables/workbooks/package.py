"""The package of a workbook: its parts, how they are related, and a copy of which only some differ.

A package is a zip archive of parts. Relations lead from a part to others, and one part lists the content types.
A copy keeps the parts that it does not change byte for byte.
"""

from __future__ import annotations

import posixpath
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import IO, cast
from xml.etree.ElementTree import ParseError

from outsort.errors import first_line
from outsort.tables.workbooks.contents import (
    Relation,
    SheetPart,
    relations_of,
    relations_part,
    sheets_of,
    workbook_part,
)
from outsort.tables.workbooks.markup import MarkupError, Splice, appended, attribute, outline, prefix_of, spliced

#: Bytes of a part that is held in memory; only sheets are larger, which are streamed.
MAX_PART = 1 << 26
CONTENT_TYPES = "[Content_Types].xml"
#: Kinds of relations and content types of what may be added.
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
SHEET_TYPE, STYLES_TYPE = f"{_SPREADSHEET}.worksheet+xml", f"{_SPREADSHEET}.styles+xml"
_RELATIONS_TYPE = "http://schemas.openxmlformats.org/package/2006/relationships"
#: Bytes above which zipfile writes the larger headers of ZIP64, at which Excel offers to repair the file.
_DECLARED = 1 << 31
#: What zipfile raises where an entry is damaged, encrypted, or packed in a way that it does not know.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ParseError)


@contextmanager
def _naming_damage(name: str) -> Iterator[None]:
    """Name the part that is damaged."""
    try:
        yield
    except _DAMAGE as error:
        raise MarkupError(f"{name} is damaged ({first_line(error)})") from None


class Package:
    """A package that is read.

    Attributes:
        names: the names of its parts, in order.
        workbook: the name of the part that lists the sheets.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        """Open a package from a stream that its owner closes.

        Raises:
            MarkupError: it is not the package of a workbook, or holds two parts of one name.
        """
        self._archive = zipfile.ZipFile(stream)
        self._entries = {entry.filename: entry for entry in self._archive.infolist()}
        self.names = list(self._entries)
        if len(self.names) < len(self._archive.infolist()):
            raise MarkupError("it holds two parts of one name")
        with _naming_damage(relations_part("")):
            self.workbook = workbook_part(self._archive)
        if not self.has(self.workbook):
            raise MarkupError("it lists no workbook")

    def read(self, name: str) -> bytes:
        """Return the content of a part.

        Raises:
            MarkupError: there is none, or it is too large.
        """
        if self.size(name) > MAX_PART:
            raise MarkupError(f"{name} is larger than {MAX_PART >> 20} MiB")
        with self.open(name) as part:
            return part.read()

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Read a part as a stream.

        Raises:
            MarkupError: there is none, or it is damaged.
        """
        entry = self.entry(name)
        with _naming_damage(name), self._archive.open(entry) as part:
            yield part

    def size(self, name: str) -> int:
        """Return how many bytes a part has."""
        return self.entry(name).file_size

    def entry(self, name: str) -> zipfile.ZipInfo:
        """Return the entry of a part in the archive.

        Raises:
            MarkupError: there is none.
        """
        if not self.has(name):
            raise MarkupError(f"it lacks {name or 'a part that it lists'}")
        return self._entries[name]

    def has(self, name: str) -> bool:
        """Return whether there is such a part."""
        return name in self._entries

    def relations(self, part: str) -> list[Relation]:
        """Return the relations of a part; of the package for ""."""
        with _naming_damage(relations_part(part)):
            return relations_of(self._archive, part)

    @cached_property
    def sheets(self) -> list[SheetPart]:
        """The sheets in the order of their tabs."""
        with _naming_damage(self.workbook):
            return sheets_of(self._archive, self.workbook)[0]

    def related(self, part: str, kind: str) -> list[str]:
        """Return the names of the parts that a part has relations of a kind with."""
        return [relation.target for relation in self.relations(part) if relation.kind == kind]


class _Archive(zipfile.ZipFile):
    """An archive that is complete once it is closed, and not when a run that failed lets go of it."""

    def __del__(self) -> None:
        """Write no directory."""


class _Output:
    """A stream to write to, which takes nothing once its owner has closed it, as one does when a run fails."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.flush = stream.flush

    def tell(self) -> int:
        return 0 if self._stream.closed else self._stream.tell()

    def write(self, content: bytes) -> int:
        return len(content) if self._stream.closed else self._stream.write(content)

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0 if self._stream.closed else self._stream.seek(offset, whence)


class PackageCopy:
    """A copy of a package, written to a stream: parts not named keep their bytes."""

    def __init__(self, package: Package, stream: IO[bytes]) -> None:
        """Begin with the relations of the package, by which programs know a workbook from another archive."""
        self.package = package
        self._archive = _Archive(cast("IO[bytes]", _Output(stream)), "w", zipfile.ZIP_DEFLATED)
        self._written: set[str] = set()
        self._changed: dict[str, bytes] = {}
        self._dropped: set[str] = set()
        self._copy(relations_part(""))

    def read(self, name: str) -> bytes:
        """Return the content of a part as it will be."""
        return self._changed[name] if name in self._changed else self.package.read(name)

    def has(self, name: str) -> bool:
        """Return whether there is such a part."""
        return name in self._changed or (self.package.has(name) and name not in self._dropped)

    def drop(self, name: str) -> None:
        """Leave out a part, with its relations and its content type; what it leads to stays."""
        self._dropped |= {name, relations_part(name)}
        types = self.read(CONTENT_TYPES)
        listed = [
            Splice(element.start, element.end, b"")
            for element in outline(types, 1).children
            if element.attributes.get("PartName") == f"/{name}"
        ]
        self.replace(CONTENT_TYPES, spliced(types, listed))

    def replace(self, name: str, content: bytes) -> None:
        """Change a part, or add one that is listed already."""
        self._changed[name] = content

    @contextmanager
    def streamed(self, name: str, size: float) -> Iterator[IO[bytes]]:
        """Write a changed part as it comes, of about `size` bytes; no other may be written meanwhile."""
        info = self._info(name)
        info.file_size = int(size)
        try:
            with self._archive.open(info, "w", force_zip64=size >= _DECLARED) as part:
                yield part
        except RuntimeError:
            raise MarkupError(f"{name} would be far larger than was to be expected") from None
        self._written.add(name)

    def add(self, name: str, content: bytes, content_type: str) -> None:
        """Add a part with its content type."""
        types = self.read(CONTENT_TYPES)
        root = outline(types, 1)
        entry = b"<%sOverride PartName=%s ContentType=%s/>" % (
            prefix_of(types, root),
            attribute(f"/{name}"),
            attribute(content_type),
        )
        self.replace(CONTENT_TYPES, spliced(types, [appended(types, root, entry)]))
        self.replace(name, content)

    def relate(self, part: str, kind: str, target: str) -> str:
        """Add a relation of a part to another; return its id."""
        name = relations_part(part)
        if self.has(name):
            content = self.read(name)
        else:
            content = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Relationships xmlns=%s/>' % attribute(
                _RELATIONS_TYPE
            )
        root = outline(content, 1)
        taken = {element.attributes.get("Id") for element in root.children}
        new = next(f"rId{n}" for n in range(len(taken) + 1, 2 * len(taken) + 3) if f"rId{n}" not in taken)
        target = posixpath.relpath(f"/{target}", f"/{posixpath.dirname(part)}")
        entry = b"<%sRelationship Id=%s Type=%s Target=%s/>" % (
            prefix_of(content, root),
            attribute(new),
            attribute(f"{RELATIONS}/{kind}"),
            attribute(target),
        )
        self.replace(name, spliced(content, [appended(content, root, entry)]))
        return new

    def close(self) -> None:
        """Write the other parts, in their order, and those that were added."""
        for name in self.package.names:
            if name in self._changed:
                self._archive.writestr(self._info(name), self._changed[name])
            elif name not in self._written | self._dropped:
                self._copy(name)
        for name, content in self._changed.items():
            if not self.package.has(name):
                self._archive.writestr(self._info(name), content)
        self._archive.close()

    def _copy(self, name: str) -> None:
        info = self._info(name)
        info.file_size = self.package.size(name)
        with self.package.open(name) as source, self._archive.open(info, "w") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        self._written.add(name)

    def _info(self, name: str) -> zipfile.ZipInfo:
        """Return the entry of a part, which has no time of its own: the same rows give the same bytes."""
        if not self.package.has(name):
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            return info
        old = self.package.entry(name)
        info = zipfile.ZipInfo(name, old.date_time)
        info.external_attr, info.create_system = old.external_attr, old.create_system
        info.compress_type = zipfile.ZIP_STORED if old.compress_type == zipfile.ZIP_STORED else zipfile.ZIP_DEFLATED
        return info
