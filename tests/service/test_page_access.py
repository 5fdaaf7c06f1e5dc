"""Who can use the page: axe's rules in every state and size, keys alone, touch, print, and two people at once."""

import os
from pathlib import Path

import pytest

from browsing import corrections, drop, expect, opened, paste, row, sorted_file, state, table

pytestmark = pytest.mark.slow

SIZES = [(360, 800), (1024, 800), (1440, 900)]
SCOPE = b"# Scope\n\n1.1 Key invoices into SAP. Draft a contract.\n\n- clean the office\n"
SPEND = b"text,spend,place\nkey invoices,5,north\nzzz,7,south\nkey invoices,9,east\nclean the office,2,west\n"


@pytest.fixture(scope="session")
def axe():
    """The source of axe-core, where npm has installed it."""
    path = Path(os.environ.get("NODE_PATH", "")) / "axe-core" / "axe.min.js"
    if not path.is_file():
        pytest.skip("no axe-core: npm install axe-core, and set NODE_PATH to its node_modules")
    return path.read_text("utf-8")


@pytest.fixture
def page(browser, client):
    """A page that fails the test if it logs to the console or sends a request elsewhere."""
    yield from opened(browser, client)


def violations(page, axe):
    """Return what axe finds: the rule, and the elements."""
    page.evaluate(axe)
    found = page.evaluate("async () => (await axe.run()).violations")
    return [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_in_any_state_size_and_light(browser, client, axe, size, scheme):
    options = {"viewport": dict(zip(("width", "height"), size, strict=True)), "color_scheme": scheme}
    for page in opened(browser, client, **options):
        found = {"start": violations(page, axe)}

        drop(page, "x.odt", b"no")
        expect(page.get_by_role("alert")).to_be_visible()
        found["error"] = violations(page, axe)
        page.messages.clear()  # the browser tells of the response
        drop(page, "x.csv", b"a,Note\n1,key invoices\n")
        expect(page.locator("#columns")).to_be_visible()
        found["columns"] = violations(page, axe)
        page.messages.clear()

        drop(page, "spend.csv", SPEND)
        expect(page.get_by_role("status")).to_contain_text("4 texts sorted")
        page.select_option("#measure", "spend")
        page.click("#columns-shown summary")
        page.get_by_role("checkbox", name="place").check()
        found["columns shown"] = violations(page, axe)
        page.click("#columns-shown summary")
        page.fill("#threshold", "0.99")
        row(page, 0).click()
        page.click("#decide [value=KPO]")
        state(page, 0).to_have_text("corrected")
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]
        found["list"] = violations(page, axe)
        page.keyboard.press("Escape")
        page.fill("#find", "no such text")
        expect(page.locator("#empty")).to_be_visible()
        found["empty"] = violations(page, axe)

        drop(page, "scope.txt", SCOPE)
        expect(page.locator("#source")).to_have_text("scope.txt")
        page.get_by_role("button", name="Draft a contract").first.click()
        found["document"] = violations(page, axe)
        page.click("#again")
        expect(page.locator("#kept")).to_be_visible()
        found["kept"] = violations(page, axe)
        assert {name: faults for name, faults in found.items() if faults} == {}
