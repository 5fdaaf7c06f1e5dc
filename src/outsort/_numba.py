"""Compile functions with Numba, and cache what was compiled where only its user can write.

Importing this module loads Numba.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba as nb
from numba.core.caching import IndexDataCacheFile

from outsort.errors import OutsortError

__all__ = ["nb", "njit"]

if nb.config.DISABLE_JIT:
    raise OutsortError("NUMBA_DISABLE_JIT is set, and outsort needs compiled code. Unset it and run again.")


def _can_cache() -> bool:
    """Tell whether Numba finds a folder of its own choice: beside the modules, or the user's cache folder."""
    if os.access(Path(__file__).parent, os.W_OK):
        return True
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    folder = Path(base) if base else Path.home() / ".cache"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


if not nb.config.CACHE_DIR and not _can_cache():
    # Numba runs what it finds in its cache: a folder that another user could have made, by a name that can be
    # guessed, would let that user in. This one is new, its owner's alone, and goes with the process.
    nb.config.CACHE_DIR = tempfile.mkdtemp(prefix="outsort-")
    atexit.register(shutil.rmtree, nb.config.CACHE_DIR, ignore_errors=True)


class _CacheFile(IndexDataCacheFile):  # type: ignore[misc]
    """A cache whose damaged or outdated files are compiled anew rather than raised."""

    def _load_index(self) -> Any:  # noqa: ANN401 - what Numba keeps
        try:
            return super()._load_index()
        except Exception:  # noqa: BLE001 - damaged bytes raise whatever they happen to hit
            return {}

    def load(self, key: object) -> Any:  # noqa: ANN401 - likewise
        try:
            return super().load(key)
        except Exception:  # noqa: BLE001 - likewise
            return None


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:  # noqa: ANN401 - as Numba's own
    """Compile a function when it is first called, as `numba.njit` does, and cache what was compiled."""

    def decorate(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - a dispatcher
        dispatcher = nb.njit(cache=True, **options)(function)
        dispatcher._cache._cache_file.__class__ = _CacheFile
        return dispatcher

    return decorate
