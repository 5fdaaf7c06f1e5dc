"""Model files, damaged by opcode, bit and length: refused in one message, or the answers stay the same."""

from __future__ import annotations

import pickle
import pickletools
import random
import resource
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np

from attack.harness import Found, Try
from models import WORDS, random_model
from outsort import model_file
from outsort.errors import ModelError

#: Bytes of memory that a file may take, a model itself included.
MOST_MEMORY = 1_500_000_000
TEXTS = ["", "key invoices", "Draft a contract. Audit data etc", "nurse naïve design", *WORDS]
#: What no file of plain data needs, and what asks for more than it brings.
HOSTILE = [
    *(pickle.BYTEARRAY8 + (1 << n).to_bytes(8, "little") for n in (20, 32, 62)),
    *(pickle.BINUNICODE8 + (1 << n).to_bytes(8, "little") for n in (20, 32, 62)),
    *(pickle.LONG_BINPUT + (1 << n).to_bytes(4, "little") for n in (20, 31)),
    *(pickle.LONG4 + (1 << n).to_bytes(4, "little") for n in (20, 30)),
    *(b"cos\nsystem\n", b"cposix\nmkdir\n(S'ran'\ntR", b"\x8c\x02os\x8c\x06system\x93", b"\x82\x01", b"Pid\n", b"Q"),
    *(b"]" * 5000, b"(" * 5000, b"0", b"2" * 5000, b"R", b"b", b"\x81", b"."),
]


@contextmanager
def start(folder: Path) -> Iterator[Try]:
    """Save models with and without lines and a label out of scope; each try damages one of them."""
    models = [
        random_model(n, with_out_of_scope=out, lines_per_label=lines, seed=n)
        for n, out, lines in ((2, False, 1), (3, True, 3), (8, False, 2))
    ]
    files = [model_file.pack(model) for model in models]
    # What is saved again must load as the same.
    answers = [model_file.unpack(raw, "model").predict_proba(TEXTS) for raw in files]
    limit = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_virtual_size() + MOST_MEMORY, limit[1]))
    path = folder / "model.joblib"

    def attempt(seed: int, its_folder: Path) -> None:
        rng = random.Random(seed)
        which = rng.randrange(len(files))
        raw = rng.choice([by_opcode, by_opcode, by_bit, by_length])(rng, files[which])
        (its_folder / "model.joblib").write_bytes(raw)
        path.write_bytes(raw)
        try:
            model = model_file.load(path)
        except ModelError as error:
            if not str(error).startswith(f"{path}: ") or "\n" in str(error):
                raise Found("tracebacks", f"the message {error}") from error
            return
        if not np.array_equal(model.predict_proba(TEXTS), answers[which]):
            raise Found("lost", "another model was loaded")

    yield attempt


def _virtual_size() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def by_opcode(rng: random.Random, raw: bytes) -> bytes:
    """Leave out, repeat, exchange or insert whole opcodes of what a file unpacks to; sometimes pack that again."""
    raw = zlib.decompress(raw)
    places = [place for _, _, place in pickletools.genops(raw)] + [len(raw)]
    parts = [raw[a:b] for a, b in pairwise(places)]
    for _ in range(rng.choice([1, 1, 2, 5])):
        # Most of a file are its lists; what is peculiar stands at its ends.
        n = len(parts)
        i, j = (
            rng.choice([rng.randrange(n), rng.randrange(min(n, 40)), n - 1 - rng.randrange(min(n, 40))]) for _ in "ij"
        )
        match rng.randrange(5):
            case 0:
                del parts[i]
            case 1:
                parts.insert(i, parts[j])
            case 2:
                parts[i], parts[j] = parts[j], parts[i]
            case 3:
                parts.insert(i, rng.choice(HOSTILE))
            case _:
                parts[i] = rng.randbytes(1) + parts[i][1:]
    damaged = b"".join(parts)
    return rng.choice([damaged, zlib.compress(damaged, 1), zlib.compress(damaged + bytes(1 << 27), 1)])


def by_bit(rng: random.Random, raw: bytes) -> bytes:
    """Flip some bits."""
    changed = bytearray(raw)
    for _ in range(rng.choice([1, 1, 1, 2, 50])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def by_length(rng: random.Random, raw: bytes) -> bytes:
    """Cut the file short, or add to it."""
    place = rng.randrange(len(raw))
    return rng.choice([raw[:place], raw + raw[:place], raw[place:], raw + rng.randbytes(rng.randrange(1, 99))])
