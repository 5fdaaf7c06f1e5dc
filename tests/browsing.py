"""The page in a browser, for the tests of what it does: open it, give it texts, read what it shows."""

import csv
import io
import os
from pathlib import Path

import pytest

from serving import PATIENCE

expect = pytest.importorskip("playwright.sync_api", reason="pip install 'outsort[browser]'").expect
expect.set_options(timeout=1000 * PATIENCE)


def opened(browser, client, script="", path="", **options):
    """Open the page in a browser of its own, after running a script in it."""
    context = browser.new_context(accept_downloads=True, **options)
    context.set_default_timeout(1000 * PATIENCE)
    context.add_init_script(script)
    messages, requests = [], []
    context.on("console", lambda message: messages.append(message.text) if message.type != "verbose" else None)
    context.on("weberror", lambda error: messages.append(str(error.error)))
    context.on("request", lambda request: requests.append(request.url))
    page = tab(context, client, path)
    page.messages = messages
    yield page
    context.close()
    assert messages == []
    assert [url for url in requests if not url.startswith((str(client.base_url), "blob:"))] == []


def tab(context, client, path=""):
    page = context.new_page()
    page.goto(f"{client.base_url}/{path}")
    expect(page.locator("#model")).to_contain_text("Model")
    return page


def wait_until(page, condition):
    """Wait until a function of JavaScript, which may be asynchronous, returns something true.

    Playwright's own wait evaluates a string in the page, which the page's content security policy forbids.
    """
    assert page.evaluate(
        f"""async () => {{
            const end = performance.now() + 30_000;
            while (!(await ({condition})())) {{
                if (performance.now() > end) return false;
                await new Promise((next) => setTimeout(next, 50));
            }}
            return true;
        }}"""
    )


def paste(page, texts):
    page.fill("#texts", "\n".join(texts))
    page.click("#ask .primary")
    expect(page.locator("#results")).to_be_visible()


def drop(page, name, content):
    """Drop a file on the page."""
    page.evaluate(
        """([name, content]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(content)], name));
            for (const kind of ["dragover", "drop"])
                document.body.dispatchEvent(
                    new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
        }""",
        [name, list(content)],
    )


def sorted_file(page, name, texts):
    """Drop a table of texts, and wait until it is sorted."""
    drop(page, name, table(texts))
    expect(page.locator("#source")).to_have_text(name)
    expect(page.locator("#status")).to_contain_text("sorted")


def state(page, place):
    """Return what is said of the state of a row, to be expected."""
    return expect(row(page, place).locator(".state"))


def row(page, place):
    return page.locator(f"#row-{place}")


def shown(page, place):
    """Return what a row shows: text, label, probability, line and state."""
    at = row(page, place)
    return (
        at.locator(".words").text_content(),
        at.locator(".badge").text_content(),
        float(at.locator("data").get_attribute("value")),
        at.locator(".line").text_content(),
        at.locator(".state").text_content(),
    )


def expected_row(prediction, none="no service line"):
    state = f"review: {prediction.reason}" if prediction.reason else "accepted"
    line = (prediction.service_line or none).replace("_", " ")
    # What is shown is rounded to six digits, and its sum may have been in another order.
    probability = pytest.approx(prediction.probability, abs=1e-6)
    return (prediction.text, prediction.label, probability, line, state)


def downloaded(page, button):
    with page.expect_download() as download:
        page.click(button)
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def corrections(page):
    name, content = downloaded(page, "#save")
    assert name == "corrections.csv"
    return records(content)


def records(content):
    """Return the rows of a CSV file by name."""
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def table(texts):
    file = io.StringIO(newline="")
    csv.writer(file).writerows([["lot", "description"], *([f"{i:03}", text] for i, text in enumerate(texts))])
    return file.getvalue().encode()


def axe_source():
    """Return the source of axe-core, which checks pages for who can use them; "" where npm has not installed it."""
    path = Path(os.environ.get("NODE_PATH", "")) / "axe-core" / "axe.min.js"
    return path.read_text("utf-8") if path.is_file() else ""


def violations(page, axe):
    """Return what axe finds: the rule, and the elements."""
    page.evaluate(axe)
    found = page.evaluate("async () => (await axe.run()).violations")
    return [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found]
