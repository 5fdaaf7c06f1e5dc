"""Threads and forks that use one model at once: the answers are those of one thread."""

from __future__ import annotations

import os
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from attack.harness import Found, Try
from models import WORDS, random_model
from outsort.prediction import predict
from outsort.scoring.frames import score

#: Seconds that a forked process may take.
PATIENCE = 60


@contextmanager
def start(folder: Path) -> Iterator[Try]:  # noqa: ARG001 - nothing is written
    """Make a model; each try asks it from several sides."""
    # Python says that forking with threads may end badly: that is what is tried.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    model = random_model(4, with_out_of_scope=True)

    def attempt(seed: int, its_folder: Path) -> None:  # noqa: ARG001
        rng = random.Random(seed)
        texts = [". ".join(" ".join(rng.choices(WORDS, k=rng.randrange(9))) for _ in "ab") for _ in range(500)]
        frame = pd.DataFrame({"text": texts})
        asked: list[Callable[[], object]] = [
            lambda: model.predict_proba(texts).tobytes(),
            lambda: score(frame, model, workers=1).to_csv(),
            lambda: score(frame, model, workers=3).to_csv(),
            lambda: repr(predict(texts[:20], model)),
        ]
        expected = [ask() for ask in asked]
        order = [rng.randrange(len(asked)) for _ in range(12)]
        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(asked[which]) for which in order]
            # In the midst of it.
            children = [forked(asked[which], expected[which]) for which in rng.sample(order, 3)]
            for which, answer in zip(order, answers, strict=True):
                if answer.result() != expected[which]:
                    raise Found("lost", f"a thread got other answers to question {which}")
        wait_for(children)

    yield attempt


def forked(ask: Callable[[], object], expected: object) -> int:
    """Ask in a fork of this process; return its id."""
    pid = os.fork()
    if pid:
        return pid
    code = 2
    try:
        code = int(ask() != expected)
    finally:
        # At once, without what the parent has open.
        sys.stderr.flush()
        os._exit(code)


def wait_for(children: list[int]) -> None:
    """Wait until forks have ended.

    Raises:
        Found: one got other answers, failed, or waits forever.
    """
    end = time.monotonic() + PATIENCE
    codes = {}
    while len(codes) < len(children):
        for pid in set(children) - codes.keys():
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                codes[pid] = os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            for pid in set(children) - codes.keys():
                os.kill(pid, 9)
                os.waitpid(pid, 0)
            raise Found("crashes", "a forked process waits forever")
        time.sleep(0.01)
    if 1 in codes.values():
        raise Found("lost", "a forked process got other answers")
    if any(codes.values()):
        raise Found("crashes", f"forked processes ended with {sorted(codes.values())}")
