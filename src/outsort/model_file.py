"""The model file: data, never code.

A model file is a compressed joblib file with one dict of strings, numbers and bytes, arrays among the latter. It names
no class, not even one of NumPy, so opening an untrusted file cannot run code, and an upgrade cannot break it.
It is unpacked up to a limit and read through before anything is made of it, so it cannot take more memory than a
model does, and it holds the SHA-256 of its content, so a damaged file is no other model.
"""

from __future__ import annotations

import hashlib
import io
import math
import pickle
import pickletools
import re
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import joblib
import numpy as np
from numpy.typing import NDArray

from outsort import text as text_module
from outsort.errors import ModelError
from outsort.files import open_binary, written_whole
from outsort.model import Model

FORMAT = "outsort model"
#: Incremented when older files can no longer be read correctly, or new ones not by older versions.
FORMAT_VERSION = 7
#: How arrays may be stored.
_DTYPES = ("<f2", "<f4", "<f8", "<i2", "<i4", "<u4")
#: What plain data are pickled with.
_OPCODES = """
    PROTO FRAME STOP MARK MEMOIZE BINGET LONG_BINGET NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT
    SHORT_BINUNICODE BINUNICODE BINUNICODE8 SHORT_BINBYTES BINBYTES BINBYTES8 EMPTY_LIST APPEND APPENDS
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT SETITEM SETITEMS
""".split()  # noqa: SIM905 - a list of quoted names is harder to read
#: How many times its size a file's content may be, written out: what is there once can be named many times.
_MAX_EXPANSION = 10
#: Limits of what a file unpacks to, of the objects that it is made of, and of its terms, so that no file takes
#: 600 MB. Of each the default model has a seventh or less.
_MAX_BYTES, _MAX_OBJECTS, _MAX_TERMS = 64 << 20, 1 << 20, 1 << 20
#: The first byte of a compressed file.
_ZLIB = b"\x78"
#: Characters of a file that a message shows.
_MAX_SHOWN = 200
_TOO_LARGE = f"it is larger than {_MAX_BYTES >> 20} MB or has more than {_MAX_TERMS:,} terms"
#: The version in the first bytes of a file, which older files have in the same place.
_VERSION_MARK = re.compile(rb"format_version\x94?K(.)", re.DOTALL)
_ARRAYS = ("idf", "indptr", "indices", "weights", "bias", "position", "later", "calibration", "prior", "seen")


def save(model: Model, path: Path | str, *, force: bool = False) -> int:
    """Write `model` to `path` atomically; return its size in bytes.

    Raises:
        OutputError: `path` exists (and not `force`) or cannot be written.
        ModelError: the model is larger than any that is read.
    """
    raw = _content_of(model)
    if len(raw) > _MAX_BYTES or len(model.terms) > _MAX_TERMS:
        raise ModelError(f"{path}: not written, {_TOO_LARGE}. Train on fewer rows, or with a larger min_texts.")
    with written_whole(Path(path), force=force) as file:
        return file.write(_compressed(raw))


def pack(model: Model) -> bytes:
    """Return the bytes of a model file."""
    return _compressed(_content_of(model))


def _compressed(content: bytes) -> bytes:
    """Return what joblib reads as a compressed file, half as large: neighbouring terms have like columns."""
    # Level 9 takes four times as long, for 3 % less, and a cluster waits for it.
    return zlib.compress(content, 3)


def _content_of(model: Model) -> bytes:
    """Return what a model file unpacks to."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "terms_version": text_module.VERSION,
        # One string loads ten times as fast as a list of fifty thousand; no term contains a newline.
        "terms": "\n".join(model.terms),
        # A pickle stores an object that occurs twice once, but equal strings or dtypes twice. Interning makes
        # the bytes of a file the same whether the model was fitted in this process or in another.
        "lines": [sys.intern(line) for line in model.lines],
        "line_labels": [sys.intern(label) for label in model.line_labels],
        "out_of_scope": sys.intern(model.out_of_scope),
        "threshold": model.threshold,
        "mixed": model.mixed,
        "about": model.about,
    }
    # Training rounds weights to what half precision holds, which makes the file a third smaller.
    half = model.weights.astype(np.float16)
    for name in _ARRAYS:
        array = half if name == "weights" and (half == model.weights).all() else getattr(model, name)
        content[name] = (
            sys.intern(array.dtype.newbyteorder("<").str),
            array.shape,
            array.astype("<" + array.dtype.str[1:]).tobytes(),
        )
    buffer = io.BytesIO()
    joblib.dump(content | {"sha256": _digest(content)}, buffer)
    return buffer.getvalue()


def _digest(content: dict[str, Any]) -> str:
    """Return the SHA-256 of a model file's content, however it was pickled."""
    digest = hashlib.sha256()
    for key in sorted(content.keys() - {"sha256"}):
        *plain, raw = content[key] if key in _ARRAYS else (content[key], b"")
        if key == "threshold":
            # No threshold is a NaN, of which there are many that look alike.
            plain, raw = [], struct.pack("<d", content[key])
        part = f"{key} {plain!r} {len(raw)} ".encode("utf-8", "surrogatepass")
        digest.update(len(part).to_bytes(8, "big") + part)
        digest.update(raw)
    return digest.hexdigest()


def load(path: Path | str | None = None) -> Model:
    """Load a model file; without a path, the default model.

    Raises:
        ModelError: the file is missing, damaged, of a newer format, or contains anything but data.
    """
    path = default_path() if path is None else Path(path)
    try:
        with open_binary(path, hint="Name a model file made by 'outsort train'.") as file:
            # In parts: asked for all at once, that much memory would be taken for any file.
            raw = b"".join(islice(iter(partial(file.read, 1 << 20), b""), (_MAX_BYTES >> 20) + 1))
    except ValueError as error:
        raise ModelError(str(error)) from None
    return unpack(raw, path)


def unpack(raw: bytes, path: Path | str) -> Model:
    """Load a model from the bytes of a model file.

    Args:
        raw: the bytes.
        path: its name in error messages.

    Raises:
        ModelError: it is damaged, of a newer format, or contains anything but data.
    """
    raw = _inflated(raw, path)
    mark = _VERSION_MARK.search(raw[:100])
    _check_version(path, "format_version", mark[1][0] if mark else FORMAT_VERSION, FORMAT_VERSION)
    content = _unpickle(raw, path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        _refuse(path, "it is not a model made by 'outsort train'")
    for key, known in (("format_version", FORMAT_VERSION), ("terms_version", text_module.VERSION)):
        _check_version(path, key, content.get(key), known)
    with _refusing_inconsistent(path):
        _check_plain(content, _MAX_EXPANSION * len(raw))
        is_intact = content["sha256"] == _digest(content)
    if not is_intact:
        _refuse(path, "it is damaged: its content is not what was saved")
    with _refusing_inconsistent(path):
        if content["terms"].count("\n") >= _MAX_TERMS:
            raise ValueError("it has more terms than any model")
        arrays = {name: _array(*content[name]) for name in _ARRAYS}
        if arrays["weights"].dtype == np.float16:
            arrays["weights"] = arrays["weights"].astype(np.float32)
        return Model(
            terms=content["terms"].split("\n"),
            lines=tuple(content["lines"]),
            line_labels=tuple(content["line_labels"]),
            out_of_scope=content["out_of_scope"],
            threshold=content["threshold"],
            mixed=content["mixed"],
            about=content["about"],
            **arrays,
        )


def _inflated(raw: bytes, path: Path | str) -> bytes:
    """Return what a file unpacks to, which is the file itself where it is not compressed, as older ones are."""
    content = raw
    if raw[:1] == _ZLIB:
        stream = zlib.decompressobj()
        try:
            content = stream.decompress(raw, _MAX_BYTES + 1)
        except zlib.error as error:
            _refuse(path, f"it is damaged, or not a model file ({error})")
        if len(content) <= _MAX_BYTES and (not stream.eof or stream.unused_data):
            _refuse(path, "it is damaged, or not a model file: it ends too early or too late")
    if len(content) > _MAX_BYTES:
        _refuse(path, _TOO_LARGE)
    return content


@contextmanager
def _refusing_inconsistent(path: Path | str) -> Iterator[None]:
    try:
        yield
    except (KeyError, AttributeError, TypeError, ValueError, RecursionError) as error:
        _refuse(path, f"its content is inconsistent ({_shown(error)})")


def _check_version(path: Path | str, key: str, found: object, known: int) -> None:
    if not isinstance(found, int):
        _refuse(path, f"its {key} is missing")
    name = key.replace("_", " ")
    if found > known:
        shown = found if found < 1_000_000 else "a number too large to be one"
        _refuse(path, f"its {name} is {shown} and this outsort reads up to {known}. Upgrade outsort")
    if found < known:
        _refuse(path, f"its {name} is {found} and this outsort reads {known}. Train it again with 'outsort train'")


def _check_plain(content: dict[str, Any], budget: int) -> None:
    """Check that a model file's content is plain data, and what it would be if nothing were named twice.

    Raises:
        TypeError: labels or lines are not strings, the threshold is not a number, or `about` is not plain data.
        ValueError: written out, the content is larger than `budget`.
    """
    names = [*content["lines"], *content["line_labels"], content["out_of_scope"]]
    if not all(isinstance(name, str) for name in names):
        raise TypeError("a label or a service line is not a string")
    if not (isinstance(content["threshold"], float) and isinstance(content["mixed"], float)):
        raise TypeError("a level is not a number")
    if not isinstance(content["about"], dict):
        raise TypeError("about is not a dict")
    left: list[object] = [content]
    while left:
        value = left.pop()
        if isinstance(value, (str, bytes, list, tuple, dict)):
            budget -= len(value)
        elif not (value is None or isinstance(value, (int, float))):
            raise TypeError(f"a {type(value).__name__} is not plain data")
        if budget < 0:
            raise ValueError("written out, it is larger than its file can be")
        if isinstance(value, dict):
            left += value.keys()
            left += value.values()
        elif isinstance(value, (list, tuple)):
            left += value


def _array(dtype: str, shape: tuple[int, ...], raw: bytes) -> NDArray[Any]:
    """Return the array of some bytes, in this machine's byte order.

    Raises:
        ValueError: the type is none that model files have, or the bytes do not fit the shape.
    """
    if dtype not in _DTYPES:
        raise ValueError(f"an array of {dtype!r}")
    if any(not isinstance(n, int) or n < 0 for n in shape) or math.prod(shape) * np.dtype(dtype).itemsize != len(raw):
        raise ValueError("an array whose bytes do not fit its shape")
    return np.frombuffer(raw, dtype).reshape(shape).astype(np.dtype(dtype).newbyteorder("="))


def default_path() -> Path:
    """Return the path of the model that ships with the package."""
    packaged = Path(str(files("outsort"))) / "default.joblib"
    if packaged.is_file():
        return packaged
    # An editable install has no copy in the package; use the one of the checkout.
    return Path(__file__).parents[2] / "models" / "default.joblib"


class _NotDataError(Exception):
    """A model file refers to something that is not data."""


class _DataUnpickler(pickle.Unpickler):
    """An unpickler that knows no class."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise _NotDataError(f"{module}.{name}")


def _unpickle(raw: bytes, path: Path | str) -> Any:  # noqa: ANN401
    try:
        # Read through first: the unpickler takes memory for whatever length it is told.
        names: list[object] = ["?", "?"]
        end = 0
        for n_objects, (opcode, argument, place) in enumerate(pickletools.genops(raw)):
            if n_objects > _MAX_OBJECTS:
                raise ValueError("a model has fewer objects")
            if "GLOBAL" in opcode.name:
                raise _NotDataError(argument or ".".join(map(str, names[-2:])))
            if opcode.name not in _OPCODES:
                raise ValueError(f"{opcode.name} is not data")
            if isinstance(argument, str):
                names.append(argument)
            end = place or 0
        if end != len(raw) - 1:
            raise ValueError("something follows its end")
        return _DataUnpickler(io.BytesIO(raw)).load()
    except _NotDataError as error:
        _refuse(path, f"it contains code or objects ({_shown(error)}), which a model file never does")
    except Exception as error:  # noqa: BLE001 - damaged bytes can raise anything
        _refuse(path, f"it is damaged, or not a model file ({type(error).__name__}: {_shown(error)})")


def _shown(error: Exception) -> str:
    """Return what an error says on one line of bearable length: a damaged file puts any of its texts there."""
    said = " ".join(str(error).split())
    return said if len(said) <= _MAX_SHOWN else f"{said[:_MAX_SHOWN]}…"


def _refuse(path: Path | str, why: str) -> NoReturn:
    raise ModelError(f"{path}: refused, {why}.")
