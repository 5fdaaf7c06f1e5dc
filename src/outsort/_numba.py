"""Import Numba with a cache folder that is writable.

Importing this module loads Numba.
"""

import os
import tempfile

if "NUMBA_CACHE_DIR" not in os.environ and not os.access(os.path.dirname(__file__), os.W_OK):  # noqa: PTH120
    # Numba caches beside the module, or in a folder of the user if that is read-only. If there is no such
    # folder either, use a temporary one, so that compiling still works. On Windows each user has their own
    # temporary folder, and no number.
    user = f"outsort-{os.getuid()}" if hasattr(os, "getuid") else "outsort"
    os.environ["NUMBA_CACHE_DIR"] = os.path.join(tempfile.gettempdir(), user)  # noqa: PTH118

import numba as nb

__all__ = ["nb"]
