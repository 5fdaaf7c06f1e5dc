"""Markdown: read as the page that it stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

from markdown_it import MarkdownIt

from outsort.tables.documents.html import blocks_of
from outsort.tables.documents.passages import ITEM, PARAGRAPH, Block, Passage, begins_block, passages

#: Settings at the head of a file, between two lines of dashes.
_SETTINGS = re.compile(r"\A---\n.*?\n(?:---|\.\.\.)\n", re.DOTALL)


def read(stream: IO[bytes], encoding: str = "") -> Iterator[int | str | Passage]:
    """Yield what `documents.reading.Reader` takes of a document: what a person should know of it, and its passages."""
    text = stream.read().decode(encoding or "utf-8-sig", "replace").replace("\r\n", "\n")
    page = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(_SETTINGS.sub("", text))
    blocks, remarks = blocks_of(page)
    yield from remarks
    yield from passages(part for block in blocks for part in _lines(block))


def _lines(block: Block) -> Iterator[Block]:
    """Part a block at lines that begin with a number, which Markdown takes for one paragraph."""
    if block.kind not in (PARAGRAPH, ITEM):
        yield block
        return
    parts: list[str] = []
    for line in block.text.strip().split("\n"):
        if parts and not begins_block(line.strip()):
            parts[-1] += f"\n{line}"
        else:
            parts.append(line)
    yield replace(block, text=parts[0])
    yield from (Block(PARAGRAPH, part) for part in parts[1:])
