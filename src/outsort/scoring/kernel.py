"""The batch kernel: the model's answers for many texts, in compiled code.

It computes the answers of `Model`, with the same definition of clauses and terms, from the bytes of the texts.
Terms are looked up by 64-bit hashes. Texts of ASCII, small letters and signs are split into clauses and words
here; where that takes more of Unicode, texts are first replaced by their `outsort.text.words`, joined by spaces,
and by a line break after each of their `outsort.text.clauses`, so that there is one definition of a word. What
the terms of a word add to the scores is cached, because words recur; since a term counts once per clause, the
terms that several words of a clause share are then subtracted again.

Importing this module loads Numba; the first use compiles, which is cached on disk. For one or two texts, use
the model itself.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
import threading
import unicodedata
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outsort import text as text_module
from outsort._numba import nb, njit
from outsort.buffers import Utf8Column, utf8_column
from outsort.decision import threshold_of
from outsort.mixture import DEVIATIONS, FULL_FROM, INFLATION, N_STEPS, PRIOR_CLAUSES
from outsort.model import MAX_LOGIT, Model
from outsort.numeric import Floats

if TYPE_CHECKING:
    import pyarrow as pa


#: Distinct words cached by each worker, with a row of line scores each: 27 MB for a hundred lines.
_N_CACHED = 1 << 16
#: Probabilities this close to a change of label or decision are computed again by the model. In single precision
#: they are off by less than 1e-5: the tests hold them to it, and 2e-7 is usual.
_NEAR = 3e-5
#: Terms with this many weights are stored as dense rows, which are faster to add than single weights.
_DENSE_FROM = 24
#: Bytes of text a worker takes at a time; few, so that all workers finish at about the same time.
_BYTES_PER_TASK = 1 << 17
#: Words looked up at a time, and an upper bound of the terms of a word of 64 characters.
_N_BLOCK, _N_TERMS = 64, 256
#: Bits of a Bloom filter that rejects most unknown pairs: it fits into the CPU cache, unlike the vocabulary.
_N_PAIR_BITS = 1 << 20
_WORD_KIND, _PAIR_KIND, _PIECE_KIND = range(3)
_MAX_LOGIT = MAX_LOGIT
_MARGIN = DEVIATIONS * INFLATION
_MAX_CLAUSES, _MAX_WORDS = text_module.MAX_CLAUSES, text_module.MAX_WORDS
_PIECE_MARK = ord(text_module.PIECE_MARK)
_WORD, _PAIR, _PIECE = (np.uint64(seed) for seed in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


class BatchAnswers(NamedTuple):
    """The answers for n texts.

    Attributes:
        proba: float64 (n, n_labels), the probability of each label.
        line: int16 (n,), index in `Model.lines` of the most probable line of the most probable label.
        blank: bool (n,), whether the text is only white space.
        n_words: int32 (n,), words of the text that contain a letter.
        n_known: int32 (n,), how many of these the model knows as whole words.
        n_terms: int32 (n,), known terms, distinct within each clause; if 0, the answer is the prior.
        says: float64 (n,), log-odds that the text says the work: the most of `Reading.says`.
        shares: float64 (n, n_labels), the share of each label, see `Mixture`.
        margin: float64 (n,), of the shares.
        disagreement: float64 (n,), how far the clauses disagree.
        line_scores: float32 (n, n_lines), the weighted scores of the lines, see `Model.line_proba`; without columns
            where nobody asked for them.
    """

    proba: Floats
    line: NDArray[np.int16]
    blank: NDArray[np.bool_]
    n_words: NDArray[np.int32]
    n_known: NDArray[np.int32]
    n_terms: NDArray[np.int32]
    says: Floats
    shares: Floats
    margin: Floats
    disagreement: Floats
    line_scores: NDArray[np.float32]

    def part(self, start: int, stop: int) -> BatchAnswers:
        """Return a writable view of answers `start` to `stop` (exclusive)."""
        return BatchAnswers._make(column[start:stop] for column in self)


class Kernel:
    """A model, laid out for `Kernel.answer`, which threads may call at once: they take turns."""

    def __init__(self, model: Model, n_workers: int = 1) -> None:
        """Lay out the vocabulary of `model` for `n_workers` threads."""
        self.model = model
        self._layout = _lay_out(model)
        self._memories = [_memory(model) for _ in range(n_workers)]
        self._start_threads()

    def _start_threads(self) -> None:
        n_workers = len(self._memories)
        self._process = os.getpid()
        self._turn = threading.Lock()
        self._executor = ThreadPoolExecutor(n_workers) if n_workers > 1 else None

    def answer(
        self, texts: Utf8Column | Iterable[str] | pa.Array | pa.ChunkedArray, *, with_lines: bool = False
    ) -> BatchAnswers:
        """Return the answers for n texts.

        Args:
            texts: strings, a `Utf8Column`, or an Arrow array; a null counts as an empty text.
            with_lines: also return the scores of the lines, which take as much memory as a hundred other answers.

        Raises:
            TypeError: a text is not a string.
        """
        given = utf8_column(texts)
        # Code is compiled for each kind of array, which takes a quarter of a minute: all texts are of one.
        data = given.data.view()
        data.setflags(write=False)
        given = given._replace(data=data)
        n = given.n_texts
        answers = BatchAnswers(
            np.empty((n, len(self.model.labels))),
            np.empty(n, np.int16),
            np.empty(n, np.bool_),
            np.empty(n, np.int32),
            np.empty(n, np.int32),
            np.empty(n, np.int32),
            np.empty(n),
            np.empty((n, len(self.model.labels))),
            np.empty(n),
            np.empty(n),
            np.empty((n, len(self.model.lines) if with_lines else 0), np.float32),
        )
        parts = iter(_parts(given))

        def work(memory: _Memory) -> None:
            # All workers share one iterator; next() on it is atomic.
            for start, stop in parts:
                (data, offsets), is_cut = _in_words(given.part(start, stop))
                _answer(data, offsets, is_cut, self._layout, memory, answers.part(start, stop))

        if self._process != os.getpid():
            # A fork copies neither the threads nor what they were about to unlock.
            self._start_threads()
        with self._turn:
            if self._executor is None:
                work(self._memories[0])
            else:
                list(self._executor.map(work, self._memories))
        # The sums are in single precision: what is near a change is left to the model.
        falling = np.sort(answers.proba, axis=1)[:, ::-1]
        share = answers.shares[np.arange(n), answers.proba.argmax(axis=1)]
        is_near = falling[:, 0] - falling[:, 1] < _NEAR
        for found, level in (
            (falling[:, 0], threshold_of(self.model)),
            (share, threshold_of(self.model)),
            (answers.disagreement, self.model.mixed),
        ):
            is_near |= np.abs(found - level) < _NEAR
        for i in np.flatnonzero(is_near).tolist():
            reading = self.model.read(given.text(i))
            answers.proba[i] = np.exp(self.model.log_proba(self.model.label_scores(reading)[None, :])[0])
            made_of = self.model.mixture(given.text(i), reading)
            answers.shares[i], answers.disagreement[i] = made_of.shares, made_of.disagreement
            line = self.model.best_line(reading, int(answers.proba[i].argmax()))
            answers.line[i] = self.model.lines.index(line)
        return answers


def _parts(texts: Utf8Column) -> list[tuple[int, int]]:
    """Divide the texts into parts; return start and stop of each."""
    starts = np.arange(texts.offsets[0], texts.offsets[-1], _BYTES_PER_TASK)
    cuts = np.searchsorted(texts.offsets, starts).tolist()
    return list(itertools.pairwise([0, *cuts[1:], texts.n_texts]))


def _in_words(texts: Utf8Column) -> tuple[Utf8Column, NDArray[np.bool_]]:
    """Return the texts as `_answer` reads them, and which of them are only their clauses' words, line by line."""
    data, offsets = texts
    is_cut = np.zeros(texts.n_texts, dtype=np.bool_)
    if data[offsets[0] : offsets[-1]].max(initial=0) < 128:
        return texts, is_cut
    others = np.zeros(texts.n_texts, dtype=np.bool_)
    _find_others(data, offsets, others)
    parts = []
    last = 0
    for i in np.flatnonzero(others).tolist():
        parts.append(bytes(data[offsets[last] : offsets[i]]))
        raw = texts.text(i)
        plain = _simplified(raw)
        if plain is None:
            is_cut[i] = True
            plain = "\n".join(" ".join(text_module.words(raw[a:b])) for a, b in text_module.clauses(raw))
            # A full stop if there are characters, but no words: the text is not blank.
            plain = plain if plain.strip() else "."[: bool(raw.strip())]
        parts.append(plain.encode())
        last = i + 1
    parts.append(bytes(data[offsets[last] : offsets[-1]]))
    lengths = np.diff(offsets)
    lengths[others] = [len(part) for part in parts[1::2]]
    return Utf8Column(np.frombuffer(b"".join(parts), np.uint8), np.concatenate([[0], np.cumsum(lengths)])), is_cut


_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_ITEM = re.compile(rf"(?<=\s)[{text_module.BULLETS}](?=\s)")


def _simplified(raw: str) -> str | None:
    """Return a text with the same clauses and words in ASCII and small letters, if each character has its own."""
    for char in set(_NOT_ASCII.findall(raw)):
        simple = _simple(char)
        if simple is None:
            return None
        if char in text_module.BULLETS:
            raw = _ITEM.sub("*", raw)
        raw = raw.replace(char, simple)
    return raw


@functools.cache
def _simple(char: str) -> str | None:
    """Return what is read as a character that is not ASCII, whatever is beside it: itself, white space or a comma."""
    normal = unicodedata.normalize("NFKC", char)
    if char in text_module.LINE_BREAKS:
        return "\n"
    if char.isspace():
        return " "
    # Marks and Hangul letters merge with the character before; a capital or a digit begins a sentence.
    is_mark = any(unicodedata.category(c)[0] == "M" for c in normal) or "\u1100" <= char < "\u1200"
    if is_mark or char.isupper() or char.isdecimal():
        return None
    if not text_module.words(char):
        return ","
    return char if char == normal.lower() else None


def _rows(n: int, n_columns: int) -> NDArray[np.float32]:
    """Return n rows of zeros, aligned to and padded to whole cache lines."""
    width = -(-n_columns // 16) * 16
    room = np.zeros((n + 1) * width, np.float32)
    start = -room.ctypes.data % 64 // 4
    return room[start : start + n * width].reshape(n, width)


class _Layout(NamedTuple):
    """A model as compiled code reads it, with its terms reordered and its lines sorted by label.

    A row of scores has a column for each line, one for each label, one for what a clause says about the work,
    and one for idf squared, whose sum is the squared norm of the clause's vector.
    """

    slots: NDArray[np.void]  #: `_SLOT`, hash table of terms, open addressing
    pair_bits: NDArray[np.uint8]  #: Bloom filter of the hashes of pairs
    dense: NDArray[np.float32]  #: (n_dense, width), rows of the first terms
    indptr: NDArray[np.uint64]  #: (n_terms + 1,), start of the weights of each term
    weights: NDArray[np.void]  #: `_WEIGHT`, idf * weight
    bias: NDArray[np.float32]  #: (n_lines,)
    lines: NDArray[np.int16]  #: (n_lines,), indices in `Model.lines`
    starts: NDArray[np.int64]  #: (n_labels + 1,), start of the lines of each label
    n_in_scope: int
    position: Floats  #: (2,), as in `Model`
    later: Floats  #: (n_labels,), as in `Model`
    calibration: Floats  #: (n_labels, 2), as in `Model`
    prior: Floats  #: (n_labels,), as in `Model`


class _Memory(NamedTuple):
    """The word cache and work space of one worker.

    When the cache is full, further words are stored after its end while the current block is processed.
    """

    entries: NDArray[np.void]  #: `_ENTRY`, hash table of words, open addressing
    rows: NDArray[np.float32]  #: (n_rows, width), sums over the terms of each word
    ids: NDArray[np.uint32]  #: the terms of each word, concatenated
    sizes: NDArray[np.uint64]  #: cached words, cached ids, texts answered
    words: NDArray[np.void]  #: (_N_BLOCK + 1,) `_BLOCK_WORD`, the current block of words, in order
    pairs: NDArray[np.uint64]  #: (_N_BLOCK,), hashes, then slots, of the pairs of the block
    repeats: NDArray[np.uint32]  #: terms of the block that occurred in the text before
    marked: NDArray[np.uint8]  #: (260,), a new word, marked
    begins: NDArray[np.int64]  #: (68,), where each of its characters begins
    hashes: NDArray[np.uint64]  #: (_N_TERMS,), of its terms
    seen: NDArray[np.uint8]  #: (n_terms,), 1 for terms that occurred in the clause
    touched: NDArray[np.uint32]  #: (n_terms + 1,), the terms that occurred
    part: NDArray[np.float32]  #: (width,), sum over the words of the block
    sums: Floats  #: (width,), sum over the clause
    scores: NDArray[np.float32]  #: (n_lines,), line scores of the clause
    line_totals: Floats  #: (n_lines,), weighted line scores of the text
    label_totals: Floats  #: (n_labels,), weighted label scores of the text
    of_clauses: Floats  #: (_MAX_CLAUSES, n_labels + 2), scores, then probabilities, of the labels; says; words
    frequencies: Floats  #: (3, n_labels), of the labels in the text, as estimated and anew; divided by the prior


_SLOT = np.dtype([("hash", "u8"), ("term", "u4"), ("start", "u4"), ("stop", "u4")], align=True)
_WEIGHT = np.dtype([("column", "u4"), ("value", "f4")])
_ENTRY = np.dtype([("hash", "u8"), ("stamp", "u8"), ("start", "u4"), ("stop", "u4"), ("row", "u4"), ("known", "u4")])
_BLOCK_WORD = np.dtype([("hash", "u8"), ("start", "u8"), ("stop", "u8"), ("entry", "u4"), ("has_letter", "u4")])


def _lay_out(model: Model) -> _Layout:
    n_held = np.diff(model.indptr)
    hashes = np.empty(len(model.terms), np.uint64)
    kinds = np.empty(len(model.terms), np.int8)
    _hash_terms(*utf8_column(model.terms), kinds, hashes)
    # Of the terms that are added or subtracted one by one, only pieces are common.
    is_dense = (n_held >= _DENSE_FROM) & (kinds == _PIECE_KIND)
    order = np.lexsort((-n_held, ~is_dense))
    hashes, kinds = hashes[order], kinds[order]
    labels = model.label_columns - len(model.lines)
    lines = np.argsort(labels, kind="stable").astype(np.int16)
    n_columns = len(lines) + len(model.labels) + 2
    columns = np.arange(n_columns)
    columns[lines] = np.arange(len(lines))
    places, owner = model.term_weights(order)
    stops = np.cumsum(n_held[order])
    weights = np.zeros(len(places) + len(order), _WEIGHT)
    weights["column"] = np.insert(columns[model.indices[places]], stops, n_columns - 1)
    weights["value"] = np.insert(model.weights[places] * model.idf[order][owner], stops, model.idf[order] ** 2)
    indptr = np.concatenate([[0], stops + np.arange(1, len(stops) + 1)])
    n_dense = int(is_dense.sum())
    dense = _rows(n_dense, n_columns)
    held = weights[: indptr[n_dense]]
    dense[np.repeat(np.arange(n_dense), np.diff(indptr[: n_dense + 1])), held["column"]] = held["value"]
    slots = np.zeros(1 << (4 * len(hashes) - 1).bit_length(), _SLOT)
    _fill(hashes, indptr, slots)
    if np.count_nonzero(slots["hash"]) < len(hashes):
        raise ValueError("two terms of the model share a hash")
    pair_bits = np.zeros(_N_PAIR_BITS // 8, np.uint8)
    _set_bits(hashes[kinds == _PAIR_KIND], pair_bits)
    return _Layout(
        slots,
        pair_bits,
        dense,
        indptr.astype(np.uint64),
        weights,
        model.bias[lines],
        lines,
        np.cumsum([0, *np.bincount(labels)]),
        model.n_in_scope,
        # Copied: another process may hold a model's arrays read-only, and Numba would compile all for those anew.
        *(np.array(of_model) for of_model in (model.position, model.later, model.calibration, model.prior)),
    )


def _memory(model: Model) -> _Memory:
    n_terms, n_lines, n_labels = len(model.terms), len(model.lines), len(model.labels)
    rows = _rows(_N_CACHED + _N_BLOCK, n_lines + n_labels + 2)
    width = rows.shape[1]
    return _Memory(
        np.zeros(2 * _N_CACHED + _N_BLOCK, _ENTRY),
        rows,
        np.zeros(48 * _N_CACHED + _N_TERMS * _N_BLOCK, np.uint32),
        np.zeros(3, np.uint64),
        np.zeros(_N_BLOCK + 1, _BLOCK_WORD),
        np.zeros(_N_BLOCK, np.uint64),
        np.zeros(_N_TERMS * _N_BLOCK, np.uint32),
        np.zeros(260, np.uint8),
        np.zeros(68, np.int64),
        np.zeros(_N_TERMS, np.uint64),
        np.zeros(n_terms, np.uint8),
        np.zeros(n_terms + 1, np.uint32),
        np.zeros(width, np.float32),
        np.zeros(width),
        np.zeros(n_lines, np.float32),
        np.zeros(n_lines),
        np.zeros(n_labels),
        np.zeros((_MAX_CLAUSES, n_labels + 2)),
        np.zeros((3, n_labels)),
    )


#: Compiled functions here allocate nothing, so Numba need not count references to arrays, and are inlined, so
#: that no arrays are passed: that took a third of the time.
_compiled = functools.partial(njit, nogil=True, _nrt=False, forceinline=True)


@nb.extending.intrinsic
def _prefetch(_context, array, place):  # type: ignore[no-untyped-def]
    """Prefetch the cache line of an item: most of the time is spent waiting for memory."""
    from llvmlite import ir

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        number, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        address = builder.bitcast(builder.gep(data, [arguments[1]]), pointer)
        builder.call(function, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return nb.void(array, place), generate


@_compiled()
def _mix(value, byte):  # type: ignore[no-untyped-def]
    return (value ^ nb.uint64(byte)) * nb.uint64(0x100000001B3)


@_compiled()
def _finish(value):  # type: ignore[no-untyped-def]
    # The finalizer of MurmurHash3: without it the low bits, which select the slot, are weak.
    value ^= value >> nb.uint64(33)
    value *= nb.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> nb.uint64(33)
    value *= nb.uint64(0xC4CEB9FE1A85EC53)
    value ^= value >> nb.uint64(33)
    # Zero means an empty slot.
    return value | nb.uint64(value == 0)


@_compiled()
def _pair_hash(first, second):  # type: ignore[no-untyped-def]
    return _finish(first * nb.uint64(0x9DDFEA08EB382D69) + (second ^ _PAIR))


@_compiled()
def _hash_terms(data, offsets, kinds, hashes):  # type: ignore[no-untyped-def]
    for i in range(len(hashes)):
        start, stop = offsets[i], offsets[i + 1]
        is_piece = data[start] == _PIECE_MARK
        value, first, kind = (_PIECE if is_piece else _WORD, nb.uint64(0), _PIECE_KIND if is_piece else _WORD_KIND)
        for k in range(start + is_piece, stop):
            if data[k] == 32:
                first, value, kind = _finish(value), _WORD, _PAIR_KIND
            else:
                value = _mix(value, data[k])
        kinds[i] = kind
        hashes[i] = _pair_hash(first, _finish(value)) if kind == _PAIR_KIND else _finish(value)


@_compiled()
def _fill(hashes, indptr, slots):  # type: ignore[no-untyped-def]
    for i in range(len(hashes)):
        slot = slots[_slot_of(hashes[i], slots, len(slots))]
        slot.hash, slot.term, slot.start, slot.stop = hashes[i], i, indptr[i], indptr[i + 1]


@_compiled()
def _slot_of(value, slots, size):  # type: ignore[no-untyped-def]
    """Return the slot of a hash among the first `size`, or the empty slot where it belongs."""
    mask = nb.uint64(size - 1)
    slot = value & mask
    while slots[slot].hash != value and slots[slot].hash != 0:
        slot = (slot + nb.uint64(1)) & mask
    return slot


@_compiled()
def _set_bits(hashes, bits):  # type: ignore[no-untyped-def]
    for value in hashes:
        bit = value & nb.uint64(_N_PAIR_BITS - 1)
        bits[bit >> nb.uint64(3)] |= nb.uint8(1) << nb.uint8(bit & nb.uint64(7))


@_compiled()
def _may_be_in(value, bits):  # type: ignore[no-untyped-def]
    bit = value & nb.uint64(_N_PAIR_BITS - 1)
    return bits[bit >> nb.uint64(3)] >> nb.uint8(bit & nb.uint64(7)) & nb.uint8(1)


@_compiled()
def _find_others(data, offsets, others):  # type: ignore[no-untyped-def]
    for i in range(len(others)):
        seen = nb.uint8(0)
        for k in range(offsets[i], offsets[i + 1]):
            seen |= data[k]
        others[i] = seen >= 128


@_compiled()
def _add_term(sums, t, sign, dense, indptr, weights):  # type: ignore[no-untyped-def]
    if t < nb.uint64(len(dense)):
        for j in range(len(sums)):
            sums[j] += sign * dense[t, j]
    else:
        for w in range(indptr[t], indptr[t + nb.uint64(1)]):
            sums[weights[w].column] += sign * weights[w].value


#: The class of each byte: 0 for punctuation, 1 for white space, else its lower case as part of a word. Bytes
#: above ASCII occur only in words here.
_FOLDED = np.array(
    [b if b >= 128 else ord(chr(b).lower()) if chr(b).isalnum() or b == 95 else chr(b).isspace() for b in range(256)],
    np.uint8,
)


@_compiled()
def _find_words(data, k, end, words):  # type: ignore[no-untyped-def]
    """Find the next block of words; return its end, its size, and whether it is only white space."""
    n = nb.uint64(0)
    one = nb.uint64(1)
    n_chars = nb.uint64(0)
    start, value, has_letter, is_blank = k, _WORD, False, True
    while k < end and n < nb.uint64(_N_BLOCK):
        raw = data[k]
        byte = _FOLDED[raw]
        is_head = (raw & 0xC0) != 0x80
        within = byte > 1
        is_blank &= byte == 1
        # Written at every byte, but kept only at the end of a word, to avoid a branch.
        words[n].hash, words[n].start, words[n].stop, words[n].has_letter = value, start, k, has_letter
        if n_chars == nb.uint64(64) and is_head and within:
            n += one
            start, value, has_letter, n_chars = k, _WORD, False, nb.uint64(0)
            continue
        n += nb.uint64((not within) & (n_chars > 0))
        n_chars = n_chars + nb.uint64(is_head) if within else nb.uint64(0)
        value = _mix(value, byte) if within else _WORD
        # Anything but digits and the underscore.
        has_letter = (has_letter | (byte > 95)) & within
        k += one
        start = start if within else k
    if n_chars > 0:
        words[n].hash, words[n].start, words[n].stop, words[n].has_letter = value, start, k, has_letter
        n += one
    for i in range(n):
        words[i].hash = _finish(words[i].hash)
    return k, n, is_blank


@_compiled()
def _add_word(data, i_word, layout, memory):  # type: ignore[no-untyped-def]
    """Compute what a word's terms add, and cache it if there is room; return its entry."""
    slots, entries, rows, ids, sizes = layout.slots, memory.entries, memory.rows, memory.ids, memory.sizes
    word = memory.words[i_word]
    entry = _slot_of(word.hash, entries, len(entries) - _N_BLOCK)
    place, first = sizes[0], sizes[1]
    room = place < len(rows) - _N_BLOCK and first < len(ids) - _N_TERMS * (_N_BLOCK + 1)
    if not room:
        entry = nb.uint64(len(entries) - _N_BLOCK + i_word)
        place = nb.uint64(len(rows) - _N_BLOCK + i_word)
        first = nb.uint64(len(ids) - _N_TERMS * (_N_BLOCK - i_word))
    # The marked word, and the start of each of its characters.
    marked, begins, hashes = memory.marked, memory.begins, memory.hashes
    marked[0] = 60
    begins[0] = 0
    n_chars, n_bytes = 1, 1
    for k in range(word.start, word.stop):
        begins[n_chars] = n_bytes
        n_chars += (data[k] & 0xC0) != 0x80
        marked[n_bytes] = _FOLDED[data[k]]
        n_bytes += 1
    marked[n_bytes] = 62
    begins[n_chars] = n_bytes
    begins[n_chars + 1] = n_bytes + 1
    n_chars += 1
    hashes[0] = word.hash
    n_hashes = 1
    for a in range(n_chars):
        piece = _PIECE
        for b in range(a, min(a + 5, n_chars)):
            for k in range(begins[b], begins[b + 1]):
                piece = _mix(piece, marked[k])
            if b - a >= 2:
                hashes[n_hashes] = _finish(piece)
                n_hashes += 1
    mask = nb.uint64(len(slots) - 1)
    for i in range(n_hashes):
        _prefetch(slots, hashes[i] & mask)
    n = first
    for i in range(n_hashes):
        slot = slots[_slot_of(hashes[i], slots, len(slots))]
        ids[n] = slot.term
        n += nb.uint64(slot.hash != 0)
        _prefetch(layout.weights, nb.uint64(slot.start))
        _prefetch(layout.weights, nb.uint64(slot.start) + nb.uint64(8))
        entries[entry].known = n > first if i == 0 else entries[entry].known
    sums = rows[place]
    sums[:] = 0
    for at in range(first, n):
        _add_term(sums, nb.uint64(ids[at]), nb.float32(1), layout.dense, layout.indptr, layout.weights)
    new = entries[entry]
    new.hash, new.stamp = word.hash, 0
    new.start, new.stop, new.row = first, n, place
    if room:
        sizes[0], sizes[1] = place + nb.uint64(1), n
    return entry


@_compiled()
def _look_up(data, n, layout, memory):  # type: ignore[no-untyped-def]
    """Find the entries of the n words of a block, and add new words."""
    entries, words = memory.entries, memory.words
    n_slots = len(entries) - _N_BLOCK
    for i in range(n):
        _prefetch(entries, words[i].hash & nb.uint64(n_slots - 1))
    for i in range(n):
        entry = _slot_of(words[i].hash, entries, n_slots)
        if entries[entry].hash == 0:
            entry = _add_word(data, i, layout, memory)
        words[i].entry = entry


@_compiled()
def _find_pairs(n, before, layout, memory):  # type: ignore[no-untyped-def]
    """Collect the hashes of possibly known pairs in a block and with the word before it; return how many."""
    words, pairs, slots = memory.words, memory.pairs, layout.slots
    n_likely = nb.uint64(0)
    for i in range(n):
        pair = _pair_hash(before, words[i].hash)
        before = words[i].hash
        pairs[n_likely] = pair
        n_likely += nb.uint64(_may_be_in(pair, layout.pair_bits))
    for i in range(n_likely):
        _prefetch(slots, pairs[i] & nb.uint64(len(slots) - 1))
    return n_likely


@_compiled()
def _keep_pairs(n_likely, pairs, slots, weights):  # type: ignore[no-untyped-def]
    n_found = nb.uint64(0)
    for i in range(n_likely):
        slot = _slot_of(pairs[i], slots, len(slots))
        pairs[n_found] = slot
        n_found += nb.uint64(slots[slot].hash != 0)
        _prefetch(weights, nb.uint64(slots[slot].start))
        _prefetch(weights, nb.uint64(slots[slot].start) + nb.uint64(8))
    return n_found


@_compiled()
def _distinct(n, stamp, memory):  # type: ignore[no-untyped-def]
    """Keep the words of a block that are new in the text; return counts of words, known and kept words."""
    entries, words, rows, ids = memory.entries, memory.words, memory.rows, memory.ids
    width = nb.uint64(rows.shape[1])
    n_words = n_known = 0
    n_distinct = nb.uint64(0)
    for i in range(n):
        entry = words[i].entry
        n_words += words[i].has_letter
        n_known += words[i].has_letter & entries[entry].known
        words[n_distinct].entry = entry
        n_distinct += nb.uint64(entries[entry].stamp != stamp)
        entries[entry].stamp = stamp
        place = nb.uint64(entries[entry].row) * width
        for j in range(nb.uint64(0), width, nb.uint64(16)):
            _prefetch(rows, place + j)
        _prefetch(ids, nb.uint64(entries[entry].start))
        _prefetch(ids, nb.uint64(entries[entry].start) + nb.uint64(16))
    return n_words, n_known, n_distinct


@_compiled()
def _add_words(n_distinct, words, entries, rows, part, sums):  # type: ignore[no-untyped-def]
    part[:] = 0
    for i in range(n_distinct):
        place = nb.uint64(entries[words[i].entry].row)
        for j in range(len(part)):
            part[j] += rows[place, j]
    # Single precision is enough for a block, but not for a long text.
    for j in range(len(part)):
        sums[j] += part[j]


@_compiled()
def _touch(n_distinct, n_touched, words, entries, ids, seen, touched, repeats):  # type: ignore[no-untyped-def]
    """Mark the terms of a block; return the numbers of distinct terms in the text and of repeats."""
    n_repeats = nb.uint64(0)
    one = nb.uint8(1)
    for i in range(n_distinct):
        entry = words[i].entry
        for at in range(nb.uint64(entries[entry].start), nb.uint64(entries[entry].stop)):
            t = ids[at]
            held = seen[t]
            seen[t] = one
            # Always written, but kept only if it counts, to avoid a branch.
            touched[n_touched] = t
            n_touched += nb.uint64(held ^ one)
            repeats[n_repeats] = t
            n_repeats += nb.uint64(held)
    return n_touched, n_repeats


@_compiled()
def _correct(n_repeats, layout, repeats, sums):  # type: ignore[no-untyped-def]
    # Terms shared by several words were added for each of them, but count once.
    for at in range(n_repeats):
        _add_term(sums, nb.uint64(repeats[at]), -1.0, layout.dense, layout.indptr, layout.weights)


@_compiled()
def _add_pairs(n_found, n_touched, slots, weights, pairs, seen, touched, sums):  # type: ignore[no-untyped-def]
    one = nb.uint8(1)
    for i in range(n_found):
        slot = pairs[i]
        t = slots[slot].term
        held = seen[t]
        seen[t] = one
        touched[n_touched] = t
        n_touched += nb.uint64(held ^ one)
        start = slots[slot].start
        for w in range(start, start if held else slots[slot].stop):
            sums[weights[w].column] += weights[w].value
    return n_touched


#: What ends a clause, beside white space: see `outsort.text.clauses`.
_LINE_BREAKS, _ENDS, _CLOSING, _OPENING = (
    np.isin(np.arange(256), list(marks.encode("ascii", "ignore")))
    for marks in (text_module.LINE_BREAKS, text_module.ENDS, text_module.CLOSING, text_module.OPENING)
)
_BULLET, _APOSTROPHE, _STOP = (ord(mark) for mark in "*'.")


def _packed(word: str) -> int:
    return int.from_bytes(word.encode(), "big")


_ABBREVIATIONS = np.array(sorted(map(_packed, text_module.ABBREVIATIONS)), np.uint64)


@_compiled()
def _is_space(byte):  # type: ignore[no-untyped-def]
    return _FOLDED[byte] == 1


@_compiled()
def _is_letter_or_digit(byte):  # type: ignore[no-untyped-def]
    return _FOLDED[byte] > 1 and byte != 95 and byte < 128


@_compiled()
def _clause_end(data, k, end, is_cut):  # type: ignore[no-untyped-def]
    """Return where the clause that begins at k ends, as `outsort.text.clauses` has it, and whether it has a word.

    Long clauses are cut here unless they are cut already.
    """
    one = nb.uint64(1)
    n_words, n_chars = 0, 64
    has_word = False
    first = k
    while k < end:
        byte = data[k]
        if _FOLDED[byte] > 1:
            is_head = (byte & 0xC0) != 0x80
            if n_chars == 64 and is_head:
                n_words += 1
                n_chars = 0
                if n_words > _MAX_WORDS and not is_cut:
                    return k, has_word
            n_chars += is_head
            has_word = True
            k += one
            continue
        n_chars = 64
        if _LINE_BREAKS[byte]:
            k += one
            if has_word:
                return k, has_word
        elif _ENDS[byte] or _CLOSING[byte]:
            start = k
            stops = sure = False
            while k < end and (_ENDS[data[k]] or _CLOSING[data[k]]):
                stops |= data[k] == _STOP
                sure |= _ENDS[data[k]] & (data[k] != _STOP)
                k += one
            if (
                has_word
                and (stops or sure)
                and k < end
                and _is_space(data[k])
                and (sure or _ends_sentence(data, first, start, k, end))
            ):
                return k, has_word
        else:
            if byte == _BULLET and has_word and _is_space(data[k - one]) and k + one < end and _is_space(data[k + one]):
                return k, has_word
            k += one
    return k, has_word


@_compiled()
def _ends_sentence(data, first, start, stop, end):  # type: ignore[no-untyped-def]
    """Return whether the full stops from start to stop end a sentence."""
    one = nb.uint64(1)
    k = stop
    while k < end and _is_space(data[k]):
        k += one
    if k == end:
        return False
    byte = data[k]
    is_digit = 48 <= byte <= 57
    if not (65 <= byte <= 90 or is_digit or _OPENING[byte]):
        return False
    # The ASCII letters and digits before, up to seven of them.
    k = start
    packed = nb.uint64(0)
    n_letters = n_chars = 0
    shift = nb.uint64(0)
    while k > first and n_chars < 8 and _is_letter_or_digit(data[k - one]):
        k -= one
        byte = _FOLDED[data[k]]
        n_letters += byte > 57
        n_chars += 1
        packed |= nb.uint64(byte) << shift
        shift += nb.uint64(8)
    if n_chars == 0 or n_chars == 8 or (k > first and data[k - one] == _APOSTROPHE):
        return True
    if n_chars == 1 or (n_chars == 2 and n_letters == 0):
        return False
    is_abbreviation = False
    for abbreviation in _ABBREVIATIONS:
        is_abbreviation |= packed == abbreviation
    return not is_abbreviation


#: Allow reordering of sums, so that loops over lines are vectorised.
_FAST = {"reassoc", "contract", "nnan", "nsz", "arcp"}
_ONE, _HALF, _THIRD, _QUARTER, _LOWEST = (np.float32(x) for x in (1, 1 / 2, 1 / 3, 1 / 4, -40))


@_compiled(fastmath=_FAST)
def _roll_up(label, scale, layout, memory):  # type: ignore[no-untyped-def]
    """Compute the scores of the lines of a label for a clause from its sums; return the score of the label."""
    sums, scores, bias = memory.sums, memory.scores, layout.bias
    start, stop = layout.starts[label], layout.starts[label + 1]
    lift = sums[len(bias) + label]
    highest = np.float32(-np.inf)
    for j in range(start, stop):
        scores[j] = bias[j] + (sums[j] + lift) * scale
        highest = max(highest, scores[j])
    total = np.float32(0)
    for j in range(start, stop):
        # exp(x) for x <= 0 as the series of exp(x / 64) ** 64, without a function call. It is too high or low by up
        # to 1e-8, and in single precision by up to 4e-6 of itself.
        y = max(scores[j] - highest, _LOWEST) * np.float32(1 / 64)
        y = _ONE + y * (_ONE + y * _HALF * (_ONE + y * _THIRD * (_ONE + y * _QUARTER)))
        for _ in range(6):
            y *= y
        total += y
    return highest + np.log(total)


@_compiled()
def _log_logistic(x):  # type: ignore[no-untyped-def]
    return min(x, 0.0) - np.log1p(np.exp(-abs(x)))


@_compiled()
def _log_sum_exp(values, n):  # type: ignore[no-untyped-def]
    """Return the logarithm of the sum of the exponentials of the first n values."""
    highest = -np.inf
    for i in range(n):
        highest = max(highest, values[i])
    total = 0.0
    for i in range(n):
        total += np.exp(values[i] - highest)
    return highest + np.log(total)


@_compiled()
def _answer(data, offsets, is_cut, layout, memory, answers):  # type: ignore[no-untyped-def]
    for row in range(len(offsets) - 1):
        memory.line_totals[:] = 0
        memory.label_totals[:] = 0
        rank = n_words = n_known = n_terms = 0
        weight_total = 0.0
        says = -np.inf
        is_blank = True
        k, end = nb.uint64(offsets[row]), nb.uint64(offsets[row + 1])
        while k < end:
            stop, has_word = _clause_end(data, k, end, is_cut[row])
            if rank == _MAX_CLAUSES - 1:
                stop = end
            more_words, more_known, n_touched, only_space = _sum_clause(data, k, stop, layout, memory)
            k = stop
            is_blank &= only_space
            if has_word:
                rank += 1
                n_words += more_words
                n_known += more_known
                n_terms += n_touched
                weight, logit = _add_clause(rank, n_touched, more_words, layout, memory)
                weight_total += weight
                says = max(says, logit)
        if rank == 0:
            memory.sums[:] = 0
            weight_total, says = _add_clause(1, 0, 0, layout, memory)
        answers.says[row] = says
        _write_answer(row, weight_total, layout, memory, answers)
        if rank > 1:
            for i in range(rank):
                _calibrate(memory.of_clauses[i], memory.of_clauses[i], layout)
            _write_mixture(row, rank, layout, memory, answers)
        else:
            _write_single(row, answers)
        answers.blank[row] = is_blank
        answers.n_words[row], answers.n_known[row], answers.n_terms[row] = n_words, n_known, n_terms


@_compiled()
def _sum_clause(data, k, end, layout, memory):  # type: ignore[no-untyped-def]
    """Sum up the terms of a clause; return counts of its words, known words and terms, and whether it is blank."""
    words, sums, seen, touched = memory.words, memory.sums, memory.seen, memory.touched
    sums[:] = 0
    memory.sizes[2] += nb.uint64(1)
    n_words = n_known = 0
    is_blank = True
    n_touched = nb.uint64(0)
    before = nb.uint64(0)
    while k < end:
        k, n, only_space = _find_words(data, k, end, words)
        is_blank &= only_space
        if n == 0:
            continue
        # Each step prefetches the memory that later steps need.
        n_likely = _find_pairs(n, before, layout, memory)
        before = words[n - nb.uint64(1)].hash
        _look_up(data, n, layout, memory)
        more_words, more_known, n_distinct = _distinct(n, memory.sizes[2], memory)
        n_words += more_words
        n_known += more_known
        n_found = _keep_pairs(n_likely, memory.pairs, layout.slots, layout.weights)
        _add_words(n_distinct, words, memory.entries, memory.rows, memory.part, sums)
        n_touched, n_repeats = _touch(
            n_distinct, n_touched, words, memory.entries, memory.ids, seen, touched, memory.repeats
        )
        _correct(n_repeats, layout, memory.repeats, sums)
        n_touched = _add_pairs(n_found, n_touched, layout.slots, layout.weights, memory.pairs, seen, touched, sums)
    for at in range(n_touched):
        seen[touched[at]] = 0
    return n_words, n_known, n_touched, is_blank


@_compiled()
def _add_clause(rank, n_touched, n_words, layout, memory):  # type: ignore[no-untyped-def]
    """Add the scores of a clause to those of its text; return how much it counts, and would if it were the first."""
    says = len(layout.bias) + len(layout.later)
    scale = 1 / np.sqrt(memory.sums[says + 1]) if n_touched else 1.0
    first = layout.position[0] + memory.sums[says] * scale
    likely = 1 / (1 + np.exp(-max(first, -_MAX_LOGIT)))
    weight = likely
    if rank > 1:
        weight = 1 / (1 + np.exp(-max(first - layout.position[1] * np.log(rank), -_MAX_LOGIT)))
    kept = memory.of_clauses[rank - 1]
    n_labels = len(layout.later)
    kept[n_labels], kept[n_labels + 1] = likely, max(n_words, 1)
    for label in range(n_labels):
        level = layout.later[label] if rank > 1 else 0.0
        kept[label] = _roll_up(label, scale, layout, memory)
        memory.label_totals[label] += weight * (kept[label] - level)
    for j in range(len(memory.scores)):
        memory.line_totals[j] += weight * memory.scores[j]
    return weight, first


@_compiled()
def _write_answer(row, weight_total, layout, memory, answers):  # type: ignore[no-untyped-def]
    """Compute the answer for a text from the scores of its clauses: see `Model.log_proba`."""
    scores = memory.label_totals
    proba = answers.proba[row]
    for label in range(len(scores)):
        scores[label] /= weight_total
    _calibrate(scores, proba, layout)
    answer = 0
    for label in range(1, len(proba)):
        answer = label if proba[label] > proba[answer] else answer
    best = layout.starts[answer]
    for j in range(layout.starts[answer], layout.starts[answer + 1]):
        if memory.line_totals[j] > memory.line_totals[best]:
            best = j
    answers.line[row] = layout.lines[best]
    if answers.line_scores.shape[1]:
        for j in range(len(layout.lines)):
            answers.line_scores[row, layout.lines[j]] = memory.line_totals[j] / weight_total


@_compiled()
def _calibrate(scores, proba, layout):  # type: ignore[no-untyped-def]
    """Turn the scores of the labels into their probabilities, which may take the place of the scores."""
    n, calibration = layout.n_in_scope, layout.calibration
    inside = _log_sum_exp(scores, n)
    outside = scores[n] - inside if n < len(layout.later) else 0.0
    for label in range(n):
        proba[label] = calibration[label, 0] + calibration[label, 1] * scores[label]
    rest = -_log_sum_exp(proba, n)
    if n < len(layout.later):
        out = calibration[n, 0] + calibration[n, 1] * outside
        rest += _log_logistic(-out)
        proba[n] = np.exp(_log_logistic(out))
    for label in range(n):
        proba[label] = np.exp(proba[label] + rest)


@_compiled()
def _write_single(row, answers):  # type: ignore[no-untyped-def]
    """Write what a text of one clause is made of: see `outsort.mixture`."""
    widest = 0.0
    for label in range(answers.proba.shape[1]):
        p = answers.proba[row, label]
        answers.shares[row, label] = p
        widest = max(widest, p * (1 - p))
    answers.margin[row] = min(_MARGIN * np.sqrt(widest), 1.0)
    answers.disagreement[row] = 0.0


@_compiled()
def _write_mixture(row, n, layout, memory, answers):  # type: ignore[no-untyped-def]
    """Write what a text of n clauses is made of: see `outsort.mixture`."""
    n_labels, prior, clauses = len(layout.prior), layout.prior, memory.of_clauses
    old, new, ratio = memory.frequencies
    for i in range(n):
        _sharpen(clauses[i], n_labels)
    answers.disagreement[row] = _disagreement(n, layout.n_in_scope, n_labels, clauses)
    says = words = 0.0
    for i in range(n):
        says += clauses[i, n_labels]
        words += clauses[i, n_labels] * clauses[i, n_labels + 1]
    for label in range(n_labels):
        old[label] = prior[label]
    for _ in range(N_STEPS):
        _estimate(n, says, prior, clauses, old, new, ratio)
    # The answers are those of the last step, by its `ratio`.
    shares = answers.shares[row]
    shares[:], old[:] = 0, 0
    for i in range(n):
        part = clauses[i, n_labels] * clauses[i, n_labels + 1] / words
        scale = 1 / _given(clauses[i], ratio)
        for label in range(n_labels):
            p = clauses[i, label] * ratio[label] * scale
            shares[label] += part * p
            old[label] += part * part * p * (1 - p)
    widest = 0.0
    for label in range(n_labels):
        widest = max(widest, old[label])
    answers.margin[row] = min(_MARGIN * np.sqrt(widest), 1.0)


@_compiled()
def _sharpen(proba, n_labels):  # type: ignore[no-untyped-def]
    total = 0.0
    for label in range(n_labels):
        proba[label] *= proba[label]
        total += proba[label]
    for label in range(n_labels):
        proba[label] /= total


@_compiled()
def _estimate(n, says, prior, clauses, old, new, ratio):  # type: ignore[no-untyped-def]
    """Estimate the labels' frequencies in a text anew, in `old`; `ratio` is that of those before to the prior."""
    n_labels = len(prior)
    for label in range(n_labels):
        ratio[label], new[label] = old[label] / prior[label], 0
    for i in range(n):
        scale = clauses[i, n_labels] / _given(clauses[i], ratio)
        for label in range(n_labels):
            new[label] += clauses[i, label] * scale
    total = 1 / (says + PRIOR_CLAUSES)
    for label in range(n_labels):
        old[label] = (new[label] * ratio[label] + PRIOR_CLAUSES * prior[label]) * total


@_compiled()
def _given(proba, ratio):  # type: ignore[no-untyped-def]
    """Return the sum of the probabilities of a clause, reweighted."""
    total = 0.0
    for label in range(len(ratio)):
        total += proba[label] * ratio[label]
    return total


@_compiled()
def _disagreement(n, n_in_scope, n_labels, clauses):  # type: ignore[no-untyped-def]
    total = certain = 0.0
    for i in range(n):
        inside = squares = 0.0
        for label in range(n_in_scope):
            inside += clauses[i, label]
            squares += clauses[i, label] ** 2
        weight = min(clauses[i, n_labels] / FULL_FROM, 1.0)
        total += weight * inside
        certain += weight * squares / inside
    together = 0.0
    for label in range(n_in_scope):
        share = 0.0
        for i in range(n):
            share += min(clauses[i, n_labels] / FULL_FROM, 1.0) * clauses[i, label]
        together += (share / total) ** 2
    return max(certain / total - together, 0.0)
