"""Take the README's pictures of the page of `outsort serve`, in light and dark.

    pip install -e '.[browser,serve]'
    python docs/pictures.py [FOLDER]

Needs Chromium. The table is rows of the dataset, so nobody's texts are shown; the amounts are made up.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from PIL import Image
from playwright.sync_api import sync_playwright

from outsort.model_file import load
from outsort.service import app

ROOT = Path(__file__).parents[1]
#: Width and height in pixels, and the colours that are enough for a page of few.
SIZE, N_COLOURS = (1180, 720), 96


def tenders() -> pd.DataFrame:
    """Return a table to sort: rows of catalogues in mixed order, each with an amount."""
    tasks = pd.read_csv(ROOT / "data" / "tasks.csv", keep_default_na=False).query("label != 'UNCLEAR'")
    rows = tasks[(tasks["genre"] == "catalogue") & tasks["text"].str.len().between(30, 90)]
    chosen = rows.sample(60, random_state=0).reset_index(drop=True)
    spend = [1000 * (5 + i * 37 % 90) for i in range(len(chosen))]
    return pd.DataFrame({"lot": range(1, len(chosen) + 1), "description": chosen["text"], "spend": spend})


@contextmanager
def served() -> Iterator[str]:
    """Serve the default model, and give the page's address."""
    settings = app.ServiceSettings()
    listener = app.listen("127.0.0.1", 0)
    server = app.server_of(app.create_app(load(), settings), settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def main() -> None:
    """Take the pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs"
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as made, served() as address, sync_playwright() as driver:
        table = Path(made) / "tenders.csv"
        tenders().to_csv(table, index=False)
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme=scheme)
            page.set_default_timeout(180_000)  # the checks take them while the machine is busy
            page.goto(address)
            page.set_input_files("input[type=file]", table)
            page.locator("#results").wait_for()
            page.wait_for_load_state("networkidle")
            path = folder / f"page-{scheme}.png"
            page.screenshot(path=path, animations="disabled")
            # Few colours without dithering: sharp text in a third of the bytes.
            Image.open(path).convert("RGB").quantize(N_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
            print(f"{path}: {path.stat().st_size:,} bytes")
        browser.close()


if __name__ == "__main__":
    main()
