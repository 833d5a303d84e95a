"""What every HTML page shares: templates over one layout, with escaped values, and figures as part of the page."""

import re
import warnings
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import ChoiceLoader, Environment, FileSystemLoader
from markupsafe import Markup, escape

if TYPE_CHECKING:  # matplotlib takes a second to import, and a page without figures does without it
    from matplotlib.figure import Figure

WHOLE = re.compile(r"\d{4}-\d\d-\d\d|[A-Z]{3} -?[\d,.]*\d|-?[\d,.]*\d %")  # a date, an amount, a share
LAYOUT = Path(__file__).with_name("templates")  # holds layout.html.j2


def environment(folder: Path) -> Environment:
    """The templates of a folder; each extends ``layout.html.j2``, and gives a page that needs no other file."""
    made = Environment(loader=ChoiceLoader([FileSystemLoader(folder), FileSystemLoader(LAYOUT)]), autoescape=True)
    made.filters["unbroken"] = unbroken
    return made


def unbroken(text: str) -> Markup:
    """A sentence whose dates, amounts and shares do not end a line in their middle.

    >>> str(unbroken("CNY 1,234 left on 2026-01-03, 43 % & more"))
    '<span class="d">CNY 1,234</span> left on <span class="d">2026-01-03</span>, <span class="d">43 %</span> &amp; more'
    """
    return Markup(WHOLE.sub(r'<span class="d">\g<0></span>', str(escape(text))))


def svg(figure: "Figure", title: str) -> Markup:
    """The figure as an element of a page, on the ground of the page; equal figures give equal text.

    Parameters
    ----------
    title : str
        What it shows, for who cannot see it and for who points at it.
    """
    from matplotlib import rc_context

    text = StringIO()
    # As text, and not as outlines: it can be searched and read out, and the reader's machine has the Chinese letters.
    with rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    head, _, rest = text.getvalue()[text.getvalue().index("<svg") :].partition(">")
    named = Markup(' role="img" aria-label="{title}"><title>{title}</title>').format(title=title)
    return Markup(head) + named + Markup(rest)
