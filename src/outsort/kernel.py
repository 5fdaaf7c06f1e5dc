"""The batch kernel: the model's answers for many texts at the speed of compiled code.

It gives the answers of `Model`, by the same definition of terms, from the bytes of the texts. Terms are
looked up by 64-bit hashes. A text in pure ASCII is cut into words as it stands; any other goes through
`outsort.text.words` first and comes as its words with spaces between, so that there is one definition
of what a word is. What a word's own terms add to the scores is remembered, because texts repeat words;
only terms that a text holds more than once need a correction, for each counts once.

Importing this module loads Numba, and its first use compiles (kept on disk for the next time): for a
text or two, ask the model.
"""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from outsort import text as text_module
from outsort.decision import MAX_NEITHER, confidence, threshold_of
from outsort.model import ANSWERS, LABELS, checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from outsort.model import Floats, Model

if "NUMBA_CACHE_DIR" not in os.environ and not os.access(os.path.dirname(__file__), os.W_OK):  # noqa: PTH120
    # Numba caches beside the module, and in a folder of the user's where that is read-only. Where
    # there is no such folder either, compiling must still work: in a folder that will be gone.
    os.environ["NUMBA_CACHE_DIR"] = os.path.join(tempfile.gettempdir(), f"outsort-{os.getuid()}")  # noqa: PTH118

import numba as nb

#: Distinct words remembered by each worker. A row of line scores each: 27 MB for a hundred lines.
_N_REMEMBERED = 1 << 16
#: Answers so near to where a label or a decision turns are the model's own: neither may ever differ.
_NEAR_TIE = 1e-4
#: Texts a worker takes at a time.
_N_PER_TASK = 4096

#: Bits of the filter that most unknown pairs fail: it fits the cache, and the vocabulary does not.
_N_PAIR_BITS = 1 << 20

_WORD_KIND, _PAIR_KIND, _PIECE_KIND = range(3)
_WORD, _PAIR, _PIECE = (
    np.uint64(seed) for seed in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
)


class Answers(NamedTuple):
    """What the kernel says of n texts.

    Attributes:
        log_odds: float64 (n,), of KPO against BPO.
        neither: float64 (n,), the probability of NEITHER; NaN where the model cannot tell.
        line: int16 (n,), the place in `Model.lines` of the likeliest line of the better label.
        blank: bool (n,), whether the text holds nothing but white space.
        n_words: int32 (n,), words in the text that hold a letter.
        n_known: int32 (n,), those of them of which the model knows the whole word.
        n_terms: int32 (n,), distinct known terms; 0 means the answer is the prior.
    """

    log_odds: Floats
    neither: Floats
    line: NDArray[np.int16]
    blank: NDArray[np.bool_]
    n_words: NDArray[np.int32]
    n_known: NDArray[np.int32]
    n_terms: NDArray[np.int32]


class Kernel:
    """A model, laid out for `Kernel.answer`. Safe to use from several threads one after another only."""

    def __init__(self, model: Model, n_workers: int = 1) -> None:
        """Lay out the vocabulary of `model` for `n_workers` threads."""
        self.model = model
        self._executor = ThreadPoolExecutor(n_workers) if n_workers > 1 else None
        # The commonest terms first: what most texts touch then lies close together in memory.
        order = np.argsort(model.idf, kind="stable")
        terms = [model.terms[i] for i in order]
        joined, offsets = _joined([term.removeprefix("~") for term in terms])
        hashes = np.empty(len(terms), dtype=np.uint64)
        kinds = np.array([_kind(term) for term in terms], dtype=np.int8)
        _hash_terms(joined, offsets, kinds, hashes)
        if len(np.unique(hashes)) < len(hashes):
            raise ValueError("two terms of the model share a hash")
        n_slots = 1 << (4 * len(hashes) - 1).bit_length()
        slot_hashes, slot_ids = np.zeros(n_slots, np.uint64), np.zeros(n_slots, np.int64)
        _fill(hashes, slot_hashes, slot_ids)
        pair_bits = np.zeros(_N_PAIR_BITS // 8, np.uint8)
        _set_bits(hashes[kinds == _PAIR_KIND], pair_bits)
        lengths = np.diff(model.indptr)[order]
        places, _ = model.term_weights(order)
        labels = np.array([LABELS.index(label) for label in model.line_labels], dtype=np.uint8)
        self._layout = (
            slot_hashes,
            slot_ids,
            pair_bits,
            model.idf[order],
            # Unsigned, so that compiled code need not look for places counted from the end.
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.uint64),
            model.indices[places].astype(np.uint16),
            model.weights[places],
            model.bias.astype(np.float64),
            labels,
            model.calibration,
        )
        self._memories = [_memory(len(model.terms), len(model.lines) + len(LABELS)) for _ in range(n_workers)]

    def answer(self, texts: Sequence[str] | pa.Array | pa.ChunkedArray) -> Answers:
        """Answer n texts; see `Answers`.

        Args:
            texts: strings, or an Arrow array of them; a null is an empty text.

        Raises:
            TypeError: a text is no string.
        """
        data, offsets = _buffers(texts)
        n = len(offsets) - 1
        answers = Answers(
            np.empty(n),
            np.empty(n),
            np.empty(n, np.int16),
            np.empty(n, np.bool_),
            *(np.empty(n, np.int32) for _ in range(3)),
        )
        if self._executor is None:
            _answer(data, offsets, 0, n, *self._layout, *self._memories[0], *answers)
        else:
            starts = iter(range(0, n, _N_PER_TASK))

            def work(memory: tuple[Any, ...]) -> None:
                # The iterator hands each part to whoever is free; next() on it is atomic.
                for start in starts:
                    _answer(
                        data, offsets, start, min(start + _N_PER_TASK, n), *self._layout, *memory, *answers
                    )

            list(self._executor.map(work, self._memories))
        sure = confidence(answers.log_odds, answers.neither)
        near = np.flatnonzero(
            (np.abs(answers.log_odds) < _NEAR_TIE)
            | (np.abs(sure - threshold_of(self.model)) < _NEAR_TIE)
            | (np.abs(answers.neither - MAX_NEITHER) < _NEAR_TIE)
        )
        if len(near):
            exact = self.model.line_scores(_text_at(texts, i) for i in near.tolist())
            answers.log_odds[near] = self.model.log_odds(exact)
            answers.neither[near] = self.model.neither(exact)
            for i, scores in zip(near, exact, strict=True):
                lines = self.model.lines_of(ANSWERS[int(answers.log_odds[i] > 0)])
                answers.line[i] = lines[scores[lines].argmax()]
        return answers


def _buffers(
    texts: Sequence[str] | pa.Array | pa.ChunkedArray,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the UTF-8 bytes of the texts and where each begins: ASCII as it is, others as their words."""
    if hasattr(texts, "type"):
        data, offsets = _arrow_buffers(texts)
    else:
        data, offsets = _joined(list(checked(texts)))
    others = np.empty(len(offsets) - 1, dtype=np.bool_)
    _find_others(data, offsets, others)
    if not others.any():
        return data, offsets
    parts = []
    last = 0
    for i in np.flatnonzero(others):
        parts.append(bytes(data[offsets[last] : offsets[i]]))
        raw = bytes(data[offsets[i] : offsets[i + 1]]).decode("utf-8", "surrogatepass")
        # A full stop stands for signs that are neither words nor white space.
        parts.append((" ".join(text_module.words(raw)) or "."[: bool(raw.strip())]).encode())
        last = int(i) + 1
    parts.append(bytes(data[offsets[last] : offsets[-1]]))
    lengths = np.diff(offsets)
    lengths[others] = [len(part) for part in parts[1::2]]
    return np.frombuffer(b"".join(parts), np.uint8), np.concatenate([[0], np.cumsum(lengths)])


def _text_at(texts: Sequence[str] | pa.Array | pa.ChunkedArray, place: int) -> str:
    text = texts[place]
    return text if isinstance(text, str) else str(text.as_py() or "")


def _joined(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    together = "".join(texts)
    # In ASCII a character is a byte: no need to encode text by text.
    parts: Sequence[str | bytes] = texts
    if not together.isascii():
        parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    return np.frombuffer(together.encode("utf-8", "surrogatepass") or b"\0", np.uint8), offsets


def _arrow_buffers(array: pa.Array | pa.ChunkedArray) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        array = array.cast(pa.large_string())
    if array.null_count:
        array = array.fill_null("")
    width = np.int64 if pa.types.is_large_string(array.type) else np.int32
    _, places, content = array.buffers()
    if len(array) == 0:
        return np.zeros(1, np.uint8), np.zeros(1, np.int64)
    offsets = np.frombuffer(places, width)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    data = np.zeros(1, np.uint8) if content is None or content.size == 0 else np.frombuffer(content, np.uint8)
    return data, offsets


def _kind(term: str) -> int:
    return _PIECE_KIND if text_module.is_piece(term) else _PAIR_KIND if " " in term else _WORD_KIND


def _memory(n_terms: int, n_columns: int) -> tuple[Any, ...]:
    """Return what one worker remembers of words, and its desk."""
    return (
        np.zeros(2 * _N_REMEMBERED, np.uint64),  # hashes of remembered words, open addressing
        np.zeros(2 * _N_REMEMBERED, np.int64),  # their places below
        np.zeros((_N_REMEMBERED + 1, n_columns), np.float32),  # sum of idf * weight over the word's terms
        np.zeros(_N_REMEMBERED + 1, np.float64),  # sum of idf ** 2 over them
        np.zeros((_N_REMEMBERED + 1, 2), np.uint64),  # from where to where their ids stand below
        np.zeros(_N_REMEMBERED + 1, np.bool_),  # whether the word as a whole is known
        np.zeros(48 * _N_REMEMBERED + 512, np.uint32),  # term ids
        np.zeros(3, np.int64),  # words remembered, ids remembered, texts answered
        np.zeros(n_terms, np.uint32),  # counts of the terms of the text at hand, zero between texts
        np.zeros(_N_REMEMBERED + 1, np.int64),  # the text in which each word was met last
    )


@nb.njit(cache=True, inline="always")
def _mix(value, byte):  # type: ignore[no-untyped-def]
    return (value ^ nb.uint64(byte)) * nb.uint64(0x100000001B3)


@nb.njit(cache=True, inline="always")
def _finish(value):  # type: ignore[no-untyped-def]
    # The finalizer of MurmurHash3: products alone leave the low bits, which pick the slot, weak.
    value ^= value >> nb.uint64(33)
    value *= nb.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> nb.uint64(33)
    value *= nb.uint64(0xC4CEB9FE1A85EC53)
    value ^= value >> nb.uint64(33)
    # Zero marks an empty slot.
    return value | nb.uint64(value == 0)


@nb.njit(cache=True, inline="always")
def _pair_hash(first, second):  # type: ignore[no-untyped-def]
    return _finish(first * nb.uint64(0x9DDFEA08EB382D69) + (second ^ _PAIR))


@nb.njit(cache=True, nogil=True)
def _hash_terms(data, offsets, kinds, hashes):  # type: ignore[no-untyped-def]
    for i in range(len(hashes)):
        if kinds[i] == _PAIR_KIND:
            value, first = _WORD, nb.uint64(0)
            for k in range(offsets[i], offsets[i + 1]):
                if data[k] == 32:
                    first, value = _finish(value), _WORD
                else:
                    value = _mix(value, data[k])
            hashes[i] = _pair_hash(first, _finish(value))
        else:
            value = _PIECE if kinds[i] == _PIECE_KIND else _WORD
            for k in range(offsets[i], offsets[i + 1]):
                value = _mix(value, data[k])
            hashes[i] = _finish(value)


@nb.njit(cache=True, nogil=True)
def _fill(hashes, slot_hashes, slot_ids):  # type: ignore[no-untyped-def]
    mask = nb.uint64(len(slot_hashes) - 1)
    for i in range(len(hashes)):
        slot = hashes[i] & mask
        while slot_hashes[slot]:
            slot = (slot + nb.uint64(1)) & mask
        slot_hashes[slot], slot_ids[slot] = hashes[i], i


@nb.njit(cache=True, inline="always")
def _find(value, slot_hashes, slot_ids):  # type: ignore[no-untyped-def]
    mask = nb.uint64(len(slot_hashes) - 1)
    slot = value & mask
    while slot_hashes[slot]:
        if slot_hashes[slot] == value:
            return slot_ids[slot]
        slot = (slot + nb.uint64(1)) & mask
    return nb.int64(-1)


@nb.njit(cache=True, nogil=True)
def _set_bits(hashes, bits):  # type: ignore[no-untyped-def]
    for value in hashes:
        bit = value & nb.uint64(_N_PAIR_BITS - 1)
        bits[bit >> nb.uint64(3)] |= nb.uint8(1) << nb.uint8(bit & nb.uint64(7))


@nb.njit(cache=True, inline="always")
def _may_be_in(value, bits):  # type: ignore[no-untyped-def]
    bit = value & nb.uint64(_N_PAIR_BITS - 1)
    return bits[bit >> nb.uint64(3)] >> nb.uint8(bit & nb.uint64(7)) & nb.uint8(1)


@nb.njit(cache=True, nogil=True)
def _find_others(data, offsets, others):  # type: ignore[no-untyped-def]
    for i in range(len(others)):
        seen = nb.uint8(0)
        for k in range(offsets[i], offsets[i + 1]):
            seen |= data[k]
        others[i] = seen >= 128


@nb.njit(cache=True, nogil=True)
def _learn_word(  # type: ignore[no-untyped-def]
    data, start, stop, value, slot_hashes, slot_ids, idf, indptr, indices, weights,
    word_hashes, word_places, word_scores, word_squares, word_spans, word_known, word_ids, sizes,
):  # fmt: skip
    """Work out what a word's terms add, and remember it where there is room; return its place."""
    n_words, n_ids = sizes[0], sizes[1]
    # Past the last remembered word is a place for words that there is no room to remember.
    n_places = len(word_known) - 1
    room = n_words < n_places and n_ids + 256 < len(word_ids) - 256
    place = n_words if room else n_places
    first = n_ids if room else len(word_ids) - 256
    n = first
    found = _find(value, slot_hashes, slot_ids)
    word_known[place] = found >= 0
    if found >= 0:
        word_ids[n] = found
        n += 1
    # Where each character of the marked word begins: -1 and -2 stand for the marks.
    begins = np.empty(67, np.int64)
    n_chars = 1
    begins[0] = -1
    for k in range(start, stop):
        if (data[k] & 0xC0) != 0x80:
            begins[n_chars] = k
            n_chars += 1
    begins[n_chars] = -2
    n_chars += 1
    for a in range(n_chars):
        piece = _PIECE
        for b in range(a, min(a + 5, n_chars)):
            if begins[b] == -1:
                piece = _mix(piece, 60)
            elif begins[b] == -2:
                piece = _mix(piece, 62)
            else:
                k = begins[b]
                piece = _mix(piece, _lower(data[k]))
                k += 1
                while k < stop and (data[k] & 0xC0) == 0x80:
                    piece = _mix(piece, data[k])
                    k += 1
            if b - a >= 2:
                found = _find(_finish(piece), slot_hashes, slot_ids)
                if found >= 0:
                    word_ids[n] = found
                    n += 1
    word_scores[place, :] = 0
    squares = 0.0
    for k in range(first, n):
        t = word_ids[k]
        squares += idf[t] * idf[t]
        for w in range(indptr[t], indptr[t + 1]):
            word_scores[place, indices[w]] += idf[t] * weights[w]
    word_squares[place] = squares
    word_spans[place, 0], word_spans[place, 1] = first, n
    if room:
        mask = nb.uint64(len(word_hashes) - 1)
        slot = value & mask
        while word_hashes[slot]:
            slot = (slot + nb.uint64(1)) & mask
        word_hashes[slot], word_places[slot] = value, place
        sizes[0], sizes[1] = n_words + 1, n
    return place


@nb.njit(cache=True, inline="always")
def _lower(byte):  # type: ignore[no-untyped-def]
    return byte + nb.uint8(32) if 65 <= byte <= 90 else byte


@nb.njit(cache=True, inline="always")
def _is_space(byte):  # type: ignore[no-untyped-def]
    # What str.strip takes for white space in ASCII.
    return byte == 32 or 9 <= byte <= 13 or 28 <= byte <= 31


@nb.njit(cache=True, inline="always")
def _in_word(byte):  # type: ignore[no-untyped-def]
    return 97 <= byte <= 122 or 65 <= byte <= 90 or 48 <= byte <= 57 or byte == 95 or byte >= 128


@nb.njit(cache=True, nogil=True)
def _answer(  # type: ignore[no-untyped-def]
    data, offsets, row_start, row_stop,
    slot_hashes, slot_ids, pair_bits, idf, indptr, indices, weights, bias, labels,
    calibration, word_hashes, word_places, word_scores, word_squares, word_spans, word_known, word_ids,
    sizes, counts, word_stamps, log_odds, neither, line, blank, n_words_out, n_known_out, n_terms_out,
):  # fmt: skip
    n_lines = len(bias)
    scores = np.empty(n_lines, np.float64)
    sums = np.empty(n_lines + 3, np.float64)
    touched = np.empty(1024, np.uint32)
    for row in range(row_start, row_stop):
        sums[:] = 0
        sizes[2] += 1
        stamp = sizes[2]
        squares = 0.0
        n_words = n_known = 0
        is_blank = True
        is_first = True
        n_touched = nb.uint64(0)
        before = nb.uint64(0)
        k, end = offsets[row], offsets[row + 1]
        while k < end:
            if not _in_word(data[k]):
                is_blank &= _is_space(data[k])
                k += 1
                continue
            start, value, n_chars, has_letter = k, _WORD, 0, False
            while k < end and _in_word(data[k]):
                is_head = (data[k] & 0xC0) != 0x80
                if is_head and n_chars == 64:
                    break
                n_chars += is_head
                has_letter |= not (48 <= data[k] <= 57 or data[k] == 95)
                value = _mix(value, _lower(data[k]))
                k += 1
            value = _finish(value)
            place = _find(value, word_hashes, word_places)
            if place < 0:
                place = _learn_word(
                    data, start, k, value, slot_hashes, slot_ids, idf, indptr, indices, weights,
                    word_hashes, word_places, word_scores, word_squares, word_spans, word_known, word_ids,
                    sizes,
                )  # fmt: skip
            is_blank = False
            n_words += has_letter
            n_known += has_letter and word_known[place]
            if n_touched + nb.uint64(512) > nb.uint64(len(touched)):
                larger = np.empty(2 * len(touched), np.uint32)
                larger[:n_touched] = touched[:n_touched]
                touched = larger
            # A term counts once, so a word that the text has held already adds nothing.
            if word_stamps[place] != stamp or place == len(word_stamps) - 1:
                word_stamps[place] = stamp
                squares += word_squares[place]
                for j in range(n_lines + 3):
                    sums[j] += word_scores[place, j]
                for at in range(word_spans[place, 0], word_spans[place, 1]):
                    t = word_ids[at]
                    # Written in any case and kept when new: no branch to guess.
                    touched[n_touched] = t
                    n_touched += nb.uint64(counts[t] == 0)
                    counts[t] += nb.uint32(1)
            if not is_first:
                pair = _pair_hash(before, value)
                found = _find(pair, slot_hashes, slot_ids) if _may_be_in(pair, pair_bits) else nb.int64(-1)
                if found >= 0 and counts[found] == 0:
                    t = nb.uint32(found)
                    touched[n_touched] = t
                    n_touched += nb.uint64(1)
                    counts[t] = nb.uint32(1)
                    squares += idf[t] * idf[t]
                    for w in range(indptr[t], indptr[t + 1]):
                        sums[indices[w]] += idf[t] * weights[w]
            before, is_first = value, False
        for at in range(nb.uint64(0), n_touched):
            t = touched[at]
            count = counts[t]
            counts[t] = 0
            if count > 1:
                # Added for each word that holds it above, though it counts once.
                surplus = np.float64(count) - 1
                squares -= surplus * idf[t] * idf[t]
                for w in range(indptr[t], indptr[t + 1]):
                    sums[indices[w]] -= surplus * idf[t] * weights[w]
        norm = np.sqrt(squares) if n_touched else 1.0
        highest = np.full(3, -np.inf)
        best = np.zeros(3, np.int16)
        for j in range(n_lines):
            scores[j] = bias[j] + (sums[j] + sums[n_lines + labels[j]]) / norm
            if scores[j] > highest[labels[j]]:
                highest[labels[j]] = scores[j]
                best[labels[j]] = j
        totals = np.zeros(3)
        for j in range(n_lines):
            totals[labels[j]] += np.exp(scores[j] - highest[labels[j]])
        bpo, kpo = highest[0] + np.log(totals[0]), highest[1] + np.log(totals[1])
        log_odds[row] = calibration[0, 0] + calibration[0, 1] * (kpo - bpo)
        if totals[2] == 0:
            neither[row] = np.nan
        else:
            either = max(bpo, kpo) + np.log1p(np.exp(-abs(kpo - bpo)))
            of_neither = highest[2] + np.log(totals[2]) - either
            neither[row] = 1 / (1 + np.exp(-(calibration[1, 0] + calibration[1, 1] * of_neither)))
        line[row] = best[1] if log_odds[row] > 0 else best[0]
        blank[row] = is_blank
        n_words_out[row], n_known_out[row], n_terms_out[row] = n_words, n_known, n_touched
