"""What all pages have in common: one self-contained HTML file, for screens of any width and for print."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from outsort.errors import OutputError
from outsort.files import check_output, written_whole
from outsort.reporting.captions import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Placeholder colours of the plots, and the style sheet variables that replace them, so that plots follow the
#: page, light or dark.
INK, SOFT, BLUE, PINK, GREY, GREEN, AMBER, VIOLET = (f"#01020{i}" for i in range(8))
_NAMES = ("ink", "soft", "blue", "pink", "grey", "green", "amber", "violet")
_VARIABLES = {f"#01020{i}": f"var(--{name})" for i, name in enumerate(_NAMES)}
#: Those of labels, in the order of the style sheet's c0, c1 …; more labels share the last.
COLOURS = (BLUE, PINK, GREY, GREEN, AMBER, VIOLET)


def check(path: Path, *, force: bool) -> None:
    """Raise OutputError unless a report can be written to `path`: call it before the work."""
    missing = [name for name in ("jinja2", "matplotlib") if find_spec(name) is None]
    if missing:
        raise OutputError(f"{path}: a report needs {' and '.join(missing)}; run pip install 'outsort[report]'.")
    check_output(path, force=force)


def render(template: str, filters: Mapping[str, Callable[..., object]], **content: object) -> str:
    """Return a page as HTML; call `check` first.

    The same content gives the same bytes with the same versions of Matplotlib and Jinja.

    Args:
        template: the name of a template in this package.
        filters: its filters, besides share, score, count, breakable and zip.
        content: its variables.
    """
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(lambda name: files("outsort.reporting").joinpath(name).read_text("utf-8")),
    )
    environment.filters |= {
        "share": percent,
        "score": _score,
        "count": count,
        "breakable": _breakable,
        "zip": zip,
        **filters,
    }
    return environment.get_template(template).render(**content)


def write(html: str, path: Path, *, force: bool) -> None:
    """Write a page to `path` atomically.

    Raises:
        OutputError: `path` exists (and not `force`) or cannot be written.
    """
    # A lone surrogate is not valid UTF-8; as a character reference a browser shows a replacement.
    with written_whole(path, force=force) as file:
        file.write(html.encode("utf-8", "xmlcharrefreplace"))


def svg(name: str, draw: Callable[[Axes], str], width: float, height: float | None = None) -> str:
    """Return a plot as SVG, `width` inches wide and 0.85 as high; `draw` draws it and returns its description.

    Its identifiers are prefixed with its name: they must be unique in the page.
    """
    import matplotlib as mpl
    from markupsafe import Markup, escape
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with mpl.rc_context():
        # The user's own style may not suit the page.
        mpl.rcdefaults()
        mpl.rc("svg", fonttype="none", hashsalt=name)
        mpl.rc("font", size=10)
        mpl.rc("text", color=INK)
        mpl.rc("axes", labelcolor=INK, edgecolor=INK)
        mpl.rc("axes.spines", top=False, right=False)
        mpl.rc("legend", frameon=False)
        mpl.rc("xtick", color=INK)
        mpl.rc("ytick", color=INK)
        figure = Figure(figsize=(width, height or 0.85 * width), layout="constrained")
        description = draw(figure.subplots())
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = buffer.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r' xmlns(:xlink)?="[^"]*"', "", drawn).replace("xlink:href=", "href=")
    drawn = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{name}-", drawn)
    for colour, variable in _VARIABLES.items():
        drawn = drawn.replace(colour, variable)
    return Markup(drawn.replace("<svg", f'<svg role="img" aria-label="{escape(description)}"', 1))  # noqa: S704


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _breakable(name: str) -> str:
    """Allow line breaks in a name at its underscores."""
    from markupsafe import Markup, escape

    return escape(name).replace("_", Markup("_<wbr>"))


def count(value: float) -> str:
    """Return a number of rows or an amount, small ones to three digits."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.3g}"
