"""Tables within documents: from the cells of a row to blocks of text."""

from __future__ import annotations

from collections.abc import Sequence

from outsort.tables.documents.passages import HEADER, HEADING, ITEM, PARAGRAPH, ROW, Block, row_of

#: Paragraphs of so many words are clauses of their own.
_WORDS_OF_A_CLAUSE = 4


def row_blocks(cells: Sequence[Sequence[Block]]) -> list[Block]:
    """Return the blocks of a row: those of the only cell with text, or one for all cells.

    Where a cell holds several clauses, the row has the first of them, and the others follow. A row all in bold is a
    header, if it is at the top of its table.

    Args:
        cells: the blocks of each cell.
    """
    filled = [cell for cell in cells if cell]
    if len(filled) < 2:
        return [block for cell in filled for block in cell]
    first = filled[0][0]
    is_bold = all(block.kind == HEADING for cell in filled for block in cell)
    kept = [cell[:1] if _is_long(cell) else cell for cell in filled]
    text = row_of(" ".join(map(_whole, cell)) for cell in kept)
    row = Block(HEADER if is_bold else ROW, text, first.page, is_first=first.is_first)
    rest = [block for cell, in_row in zip(filled, kept, strict=True) for block in cell[len(in_row) :]]
    for block in rest:
        # A title within a cell is of nothing beyond it.
        block.kind = PARAGRAPH if block.kind == HEADING else block.kind
    return [row, *rest]


def _is_long(cell: Sequence[Block]) -> bool:
    """Return whether a cell holds several clauses: an item after something else, or paragraphs of some length."""
    n_clauses = sum(len(block.text.split()) >= _WORDS_OF_A_CLAUSE for block in cell)
    return n_clauses > 1 or any(block.kind == ITEM for block in cell[1:])


def _whole(block: Block) -> str:
    return f"{block.number} {block.text}" if block.number else block.text
