"""Reports as HTML pages that need no other file."""

from html import escape
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a page without plots need not wait for it
    from matplotlib.figure import Figure

STYLE = """
body { font: 16px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem;
  color: #222 }
svg { max-width: 100%; height: auto }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #ddd; vertical-align: top }
th:first-child, td:first-child { text-align: left }
td:first-child { white-space: nowrap }
section { border-top: 2px solid #ddd; margin-top: 2rem }
.beside { display: flex; flex-wrap: wrap; gap: 2rem }
"""


def page(title: str, body: str) -> str:
    """A page with a heading; ``body`` is HTML."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1>
{body}
</body></html>
"""


def svg(figure: "Figure") -> str:
    """The figure as an element of a page, on the page's own ground; the same figure gives the same text."""
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    return text.getvalue()[text.getvalue().index("<svg") :]
