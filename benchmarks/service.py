"""How many single texts a second does the service answer, and how soon, beside scikit-learn's pipeline?

The same service runs twice, each in a process of its own: around the model, and around scikit-learn's
TfidfVectorizer and LogisticRegression with the very terms, weights and calibration of the model, which
give texts of one clause the same labels. Clients on the same machine ask over connections that they keep, each
one text at a time, for a bounded time. Written as Markdown.

    pip install -e '.[serve]'
    python benchmarks/service.py --seconds 10
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import multiprocessing
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import peers

from outsort import model_file
from outsort import text as text_module
from outsort.service import app

if TYPE_CHECKING:
    from collections.abc import Callable

    from outsort.model import Model

ROOT = Path(__file__).parents[1]


def pipeline_of(model: Model) -> Any:
    """The model as scikit-learn has it: a fitted pipeline of the same terms, idf, weights and biases."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    vectorizer = TfidfVectorizer(analyzer=text_module.terms, binary=True, vocabulary=model.vocabulary)
    vectorizer.idf_ = model.idf.astype(np.float64)
    classifier = LogisticRegression()
    classifier.classes_ = np.array(model.lines)
    classifier.coef_ = np.ascontiguousarray(peers.weights_of(model).T)
    classifier.intercept_ = model.bias.astype(np.float64)
    return make_pipeline(vectorizer, classifier)


def answering_of(model: Model) -> Callable[..., dict[str, Any]]:
    """Answer with scikit-learn: the likeliest label, its probability and line, without reasons."""
    pipeline = pipeline_of(model)
    places = [model.lines_of(label) for label in model.labels]

    def answering(_model: Model, text: str, *, explain: bool) -> dict[str, Any]:  # noqa: ARG001
        p = pipeline.predict_proba([text])[0]
        proba = np.exp(model.log_proba(np.log([[p[of_label].sum() for of_label in places]]))[0])
        answer = int(proba.argmax())
        line = model.lines[places[answer][p[places[answer]].argmax()]]
        label, probability = model.labels[answer], float(proba[answer])
        return {"text": text, "label": label, "probability": probability, "service_line": line}

    return answering


def serve(listener: socket.socket, *, with_sklearn: bool) -> None:
    model = model_file.load()
    settings = app.ServiceSettings()
    answering = answering_of(model) if with_sklearn else app.answer
    app.server_of(app.create_app(model, settings, answering), settings).run(sockets=[listener])


async def ask(port: int, texts: list[str], n_clients: int, seconds: float) -> tuple[list[float], int, list[str]]:
    """Ask for a while; return seconds each answer took, how many were refused, and the first labels."""
    times: list[float] = []
    labels: list[str] = []
    n_refused = 0
    end = time.perf_counter() + seconds

    async def client(k: int) -> None:
        nonlocal n_refused
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        i = k
        while time.perf_counter() < end:
            body = json.dumps({"texts": [texts[i % len(texts)]]}).encode()
            head = (
                "POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\n\r\n"
            )
            begun = time.perf_counter()
            writer.write(head.encode() + body)
            said = await reader.readuntil(b"\r\n\r\n")
            length = int(said.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            content = await reader.readexactly(length)
            times.append(time.perf_counter() - begun)
            if not said.startswith(b"HTTP/1.1 200"):
                n_refused += 1
            elif n_clients == 1:
                labels.append(json.loads(content)["answers"][0]["label"])
            i += n_clients
        writer.close()

    await asyncio.gather(*(client(k) for k in range(n_clients)))
    return times, n_refused, labels


def wait_until_up(port: int) -> None:
    for _ in range(600):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                connection.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                if connection.recv(100).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the service does not come up")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement, 60 at most")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8])
    arguments = parser.parse_args()
    seconds = min(arguments.seconds, 60)
    with (ROOT / "data" / "tasks.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][::7]
    print("| service around | clients | requests a second | p50 | p99 | refused |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    first: dict[str, list[str]] = {}
    for name, with_sklearn in (("outsort", False), ("scikit-learn's pipeline", True)):
        listener = app.listen("127.0.0.1", 0)
        port = listener.getsockname()[1]
        process = multiprocessing.get_context("fork").Process(
            target=serve, args=(listener,), kwargs={"with_sklearn": with_sklearn}
        )
        process.start()
        listener.close()
        wait_until_up(port)
        asyncio.run(ask(port, texts, 2, 1))
        for n_clients in arguments.clients:
            begun = time.perf_counter()
            times, n_refused, labels = asyncio.run(ask(port, texts, n_clients, seconds))
            rate = len(times) / (time.perf_counter() - begun)
            p50, p99 = np.percentile(times, [50, 99]) * 1000
            print(f"| {name} | {n_clients} | {rate:,.0f} | {p50:.1f} ms | {p99:.1f} ms | {n_refused} |", flush=True)
            first.setdefault(name, labels)
        process.terminate()
        process.join()
    ours, theirs = first.values()
    n = min(len(ours), len(theirs))
    if n:
        same = sum(a == b for a, b in zip(ours, theirs, strict=False))
        print(f"\nOf {n:,} texts that both answered, {same / n:.1%} got the same label.")


if __name__ == "__main__":
    main()
