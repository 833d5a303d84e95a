"""Small plots of a customer's page, drawn at once: it is asked for while people wait, and matplotlib takes a while.

Everything is in units of a picture 640 wide, which the page scales.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup, escape

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, BOTTOM, LINE = 76, 600, 292, 18
INK, GRID = "#1d2733", "#c3ccd6"
LETTER, IDEOGRAPH, MARK = 6.5, 12.5, 26  # widths in a legend


@dataclass(frozen=True)
class Series:
    """What has one colour."""

    name: str
    color: str
    values: Sequence[float]


def stacked_areas(title: str, ticks: Sequence[str], areas: Sequence[Series], steps: Series, most: int) -> Markup:
    """Areas on each other, and above them a line of steps on a scale of its own, from 0 to ``most``.

    Parameters
    ----------
    ticks : sequence of str
        A name per value, of which as many are written as there is room for.
    """
    top, legend = _legend([*areas, steps])
    scale = _Scale.of([sum(values) for values in zip(*(area.values for area in areas), strict=True)], top)
    places = _places(len(ticks))
    parts, low = [_axis(scale), _names(ticks, places)], [0.0] * len(ticks)
    for area in areas:
        high = [below + value for below, value in zip(low, area.values, strict=True)]
        there = _points(places, map(scale.at, high))
        back = _points(reversed(places), map(scale.at, reversed(low)))
        parts.append(Markup('<polygon points="{} {}" fill="{}"/>').format(there, back, area.color))
        low = high
    own = _Scale(0, most + 0.5, top)
    corners = [(places[0], own.at(steps.values[0]))]
    for place, value in zip(places[1:], steps.values[1:], strict=True):
        corners += [(place, corners[-1][1]), (place, own.at(value))]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    parts.append(Markup('<polyline points="{}" fill="none" stroke="{}" stroke-width="2"/>').format(line, steps.color))
    parts += [_text(RIGHT + 8, own.at(value) + 4, str(value), steps.color) for value in range(1, most + 1)]
    return _picture(title, [legend, *parts])


def stacked_bars(title: str, ticks: Sequence[str], up: Sequence[Series], down: Sequence[Series]) -> Markup:
    """Bars on each other, up and down from zero; the series of both have the same names and colours, in one order."""
    top, legend = _legend(up)
    sums = [[sum(values) for values in zip(*(one.values for one in half), strict=True)] for half in (up, down)]
    scale = _Scale.of([*sums[0], *(-value for value in sums[1])], top)
    step = (RIGHT - LEFT) / len(ticks)
    places = [LEFT + step * (at + 0.5) for at in range(len(ticks))]
    parts = [_axis(scale), _names(ticks, places)]
    for half, sign in ((up, 1), (down, -1)):
        low = [0.0] * len(ticks)
        for one in half:
            for at, value in enumerate(one.values):
                if value:
                    ends = sorted((scale.at(sign * low[at]), scale.at(sign * (low[at] + value))))
                    parts.append(
                        Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}"/>').format(
                            places[at] - 0.375 * step, ends[0], 0.75 * step, ends[1] - ends[0], one.color
                        )
                    )
                    low[at] += value
    zero = scale.at(0)
    parts.append(Markup('<path d="M{} {:.1f}H{}" stroke="{}"/>').format(LEFT, zero, RIGHT, INK))
    return _picture(title, [legend, *parts])


@dataclass(frozen=True)
class _Scale:
    """From values to heights in the picture."""

    low: float
    high: float
    top: float

    @classmethod
    def of(cls, values: Iterable[float], top: float) -> "_Scale":
        """One on which all values and zero have room, in whole steps."""
        found = [0.0, *values]
        step = _step(max(found) - min(found))
        return cls(step * floor(min(found) / step), step * max(ceil(max(found) / step), 1), top)

    def at(self, value: float) -> float:
        """Where a value lies."""
        return BOTTOM - (value - self.low) / (self.high - self.low) * (BOTTOM - self.top)

    @property
    def ticks(self) -> list[float]:
        """What is written beside it."""
        step = _step(self.high - self.low)
        return [self.low + step * at for at in range(round((self.high - self.low) / step) + 1)]


def _step(span: float) -> float:
    """A round number of which three to seven make the span.

    >>> _step(37_000), _step(6), _step(0)
    (10000.0, 1.0, 1.0)
    """
    if span <= 0:
        return 1.0
    power = 10.0 ** floor(log10(span))
    return next(power * part for part in (0.2, 0.25, 0.5, 1.0, 2.0) if span / (power * part) <= 6)


def _legend(series: Sequence[Series]) -> tuple[float, Markup]:
    """Where the plot begins below it, and the legend."""
    x, y, parts = 8.0, 14.0, []
    for one in series:
        width = MARK + sum(IDEOGRAPH if ord(letter) > 0x2E80 else LETTER for letter in one.name) + 10
        if x + width > WIDTH and x > 8:
            x, y = 8.0, y + LINE
        parts.append(Markup('<rect x="{}" y="{}" width="12" height="12" fill="{}"/>').format(x, y - 10, one.color))
        parts.append(_text(x + 18, y, one.name))
        x += width
    return y + 16, Markup("").join(parts)


def _axis(scale: _Scale) -> Markup:
    parts = []
    for value in scale.ticks:
        height = scale.at(value)
        parts.append(Markup('<path d="M{} {:.1f}H{}" stroke="{}"/>').format(LEFT, height, RIGHT, GRID))
        parts.append(_text(LEFT - 6, height + 4, f"{value:,.0f}".replace("-", "−"), end=True))
    return Markup("").join(parts)


def _names(ticks: Sequence[str], places: Sequence[float]) -> Markup:
    every = ceil(len(ticks) / 12)
    shown = [(name, place) for name, place in zip(ticks[::every], places[::every], strict=True)]
    return Markup("").join(_text(place, BOTTOM + 18, name, middle=True) for name, place in shown)


def _places(count: int) -> list[float]:
    step = (RIGHT - LEFT) / max(count - 1, 1)
    return [LEFT + step * at for at in range(count)]


def _points(xs: Iterable[float], ys: Iterable[float]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))


def _text(x: float, y: float, text: str, color: str = INK, end: bool = False, middle: bool = False) -> Markup:
    anchor = "end" if end else "middle" if middle else "start"
    return Markup('<text x="{:.1f}" y="{:.1f}" fill="{}" text-anchor="{}">{}</text>').format(x, y, color, anchor, text)


def _picture(title: str, parts: Iterable[Markup]) -> Markup:
    head = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" font-size="12" role="img" aria-label="{}">'
    ).format(WIDTH, HEIGHT, title)
    return head + Markup("<title>") + escape(title) + Markup("</title>") + Markup("").join(parts) + Markup("</svg>")
