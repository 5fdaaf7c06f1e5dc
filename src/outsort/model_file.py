"""The model file: data, never code.

A model file is a joblib file with one dict of arrays, strings and numbers. It is loaded by an unpickler that
allows NumPy arrays and nothing else, so opening an untrusted file cannot run code. It contains no classes of
this package or of scikit-learn, which an upgrade might break.
"""

from __future__ import annotations

import io
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import joblib
import numpy as np
from joblib import numpy_pickle

from outsort import text as text_module
from outsort.errors import ModelError
from outsort.files import read_bytes, written_whole
from outsort.model import Model

FORMAT = "outsort model"
#: Incremented when older files can no longer be read correctly.
FORMAT_VERSION = 2
_ARRAYS = ("idf", "indptr", "indices", "weights", "bias", "calibration", "seen")


def save(model: Model, path: Path | str, *, force: bool = False) -> int:
    """Write `model` to `path` atomically; return its size in bytes.

    Raises:
        OutputError: `path` exists (and not `force`) or cannot be written.
    """
    raw = pack(model)
    with written_whole(Path(path), force=force) as file:
        file.write(raw)
    return len(raw)


def pack(model: Model) -> bytes:
    """Return the bytes of a model file."""
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
        "threshold": model.threshold,
        "about": model.about,
        **{name: getattr(model, name).view(getattr(model, name).dtype.str) for name in _ARRAYS},
    }
    # Training rounds weights to half precision, which makes the file a third smaller.
    half = model.weights.astype(np.float16)
    if (half == model.weights).all():
        content["weights"] = half
    buffer = io.BytesIO()
    joblib.dump(content, buffer)
    return buffer.getvalue()


def load(path: Path | str | None = None) -> Model:
    """Load a model file; without a path, the default model.

    Raises:
        ModelError: the file is missing, damaged, of a newer format, or contains anything but data.
    """
    path = default_path() if path is None else Path(path)
    try:
        raw = read_bytes(path, hint="Name a model file made by 'outsort train'.")
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
    content = _unpickle(raw, path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        _refuse(path, "it is not a model made by 'outsort train'")
    for key, known in (("format_version", FORMAT_VERSION), ("terms_version", text_module.VERSION)):
        found = content.get(key)
        if not isinstance(found, int):
            _refuse(path, f"its {key} is missing")
        if found > known:
            _refuse(
                path, f"its {key.replace('_', ' ')} is {found} and this outsort reads up to {known}. Upgrade outsort"
            )
        if found < known:
            _refuse(
                path,
                f"its {key.replace('_', ' ')} is {found} and this outsort reads {known}. "
                "Train it again with 'outsort train'",
            )
    try:
        arrays = {name: content[name] for name in _ARRAYS}
        if arrays["weights"].dtype == np.float16:
            arrays["weights"] = arrays["weights"].astype(np.float32)
        return Model(
            terms=content["terms"].split("\n"),
            lines=tuple(content["lines"]),
            line_labels=tuple(content["line_labels"]),
            threshold=content["threshold"],
            about=content["about"],
            **arrays,
        )
    except (ModelError, KeyError, AttributeError, TypeError) as error:
        _refuse(path, f"its content is inconsistent ({error})")


def default_path() -> Path:
    """Return the path of the model that ships with the package."""
    packaged = Path(str(files("outsort"))) / "default.joblib"
    if packaged.is_file():
        return packaged
    # An editable install has no copy in the package; use the one of the checkout.
    return Path(__file__).parents[2] / "models" / "default.joblib"


class _Array(numpy_pickle.NumpyArrayWrapper):  # type: ignore[misc]
    """Joblib's array header, but refusing object arrays and arrays larger than the file."""

    def read_array(self, unpickler: _DataUnpickler, *args: Any) -> Any:  # noqa: ANN401
        if not isinstance(self.dtype, np.dtype) or self.dtype.kind not in "fiu":
            raise _NotDataError(f"an array of {self.dtype!r}")
        size = self.dtype.itemsize
        for length in self.shape:
            size *= int(length)
            if not 0 <= int(length) <= unpickler.n_bytes or size > unpickler.n_bytes:
                raise ValueError("an array larger than the file")
        return super().read_array(unpickler, *args)


class _DataUnpickler(numpy_pickle.NumpyUnpickler):  # type: ignore[misc]
    """Joblib's unpickler, restricted to NumPy arrays."""

    _allowed: ClassVar = {
        ("joblib.numpy_pickle", "NumpyArrayWrapper"): _Array,
        ("numpy", "dtype"): np.dtype,
        ("numpy", "ndarray"): np.ndarray,
    }

    def __init__(self, raw: bytes) -> None:
        self.n_bytes = len(raw)
        super().__init__("", io.BytesIO(raw), ensure_native_byte_order=True)

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        try:
            return self._allowed[module, name]
        except KeyError:
            raise _NotDataError(f"{module}.{name}") from None


class _NotDataError(Exception):
    """A model file refers to something that is not data."""


def _unpickle(raw: bytes, path: Path | str) -> Any:  # noqa: ANN401
    try:
        return _DataUnpickler(raw).load()
    except _NotDataError as error:
        _refuse(path, f"it contains code or objects ({error}), which a model file never does")
    except Exception as error:  # noqa: BLE001 - damaged bytes can raise anything
        _refuse(path, f"it is damaged, or not a model file ({type(error).__name__}: {error})")


def _refuse(path: Path | str, why: str) -> NoReturn:
    raise ModelError(f"{path}: refused, {why}.")
