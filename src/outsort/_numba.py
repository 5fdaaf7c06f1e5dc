"""Numba, ready to compile: its cache stands where it can be written.

Importing this module loads Numba.
"""

from __future__ import annotations

import os
import tempfile

if "NUMBA_CACHE_DIR" not in os.environ and not os.access(os.path.dirname(__file__), os.W_OK):  # noqa: PTH120
    # Numba caches beside the module, and in a folder of the user's where that is read-only. Where
    # there is no such folder either, compiling must still work: in a folder that will be gone.
    # On Windows, each user has a temporary folder, and no number.
    user = f"outsort-{os.getuid()}" if hasattr(os, "getuid") else "outsort"
    os.environ["NUMBA_CACHE_DIR"] = os.path.join(tempfile.gettempdir(), user)  # noqa: PTH118

import numba as nb

__all__ = ["nb"]
