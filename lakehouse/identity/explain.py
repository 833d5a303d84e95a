"""The linkage model as HTML pages that need no network: what agreements weigh, and why two records match."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, cast

from lakehouse import lake, pages
from lakehouse.errors import Stop
from lakehouse.identity.comparable import create_comparable
from lakehouse.identity.link import opened, opened_records
from lakehouse.identity.model import Model, current_model, linker
from lakehouse.lake import Pin, pin_of, read_outcomes
from lakehouse.lake.dates import built_dates
from lakehouse.language import ENGLISH, Voice
from lakehouse.settings import Settings

Show = Callable[[str, object, object], tuple[str, str]]
TOLD = ("name", "birth_date", "id_no", "phone", "email", "address", "city", "gender", "occupation", "known_from")
_LAST_TOLD = f"""
select {", ".join(TOLD)} from party_records where party_key = $party
order by known_from desc, record_id limit 1
"""
NUMBERS = ("id_no", "phone")  # whose characters are shown where they differ, and their last ones
SHOWN_END = 4


@dataclass(frozen=True)
class Step:
    """What a comparison adds to the weight of a pair."""

    column: str
    left: str
    right: str
    level: str  # how alike the two are
    bits: float
    total: float  # with all before it


@dataclass(frozen=True)
class Evidence:
    """What speaks for and against a pair of party records."""

    steps: tuple[Step, ...]
    told: dict[str, tuple[str, str]]  # column -> the values of both records as they were last told
    accept: float  # bits from which a pair is one customer
    review: float  # bits from which a clerk looks at it

    @property
    def weight(self) -> float:
        """All steps together, in bits."""
        return self.steps[-1].total

    @property
    def reach(self) -> float:
        """The largest distance from zero that the sum comes to."""
        return max(abs(edge) for step in self.steps for edge in (step.total, step.total - step.bits)) or 1.0


def latest_pin(settings: Settings) -> Pin:
    """Everything that the lake knows.

    Raises
    ------
    Stop
        If there is nothing in the lake.
    """
    outcomes = read_outcomes(settings.lake)
    if not outcomes:
        raise Stop(f"nothing in {settings.lake}: run a business date first")
    pin = pin_of(outcomes, max(outcome.cutoff_date for outcome in outcomes))
    return lake.pin(settings.lake, built_dates(pin)[-1])


def match_weights(settings: Settings) -> str:
    """The current model: a bar for every level of every comparison, in bits."""
    model = _model(settings)
    with opened(settings, latest_pin(settings), model.linkage) as con:
        create_comparable(con, model.linkage)
        splink, _ = linker(con, model)
        return splink.visualisations.match_weights_chart().to_html(inline=True)


def waterfall(settings: Settings, left: str, right: str, say: Voice = ENGLISH) -> str:
    """How the weight of a pair of party records adds up: the best of their records. It shows personal data.

    Raises
    ------
    Stop
        If there is no model, or a party record is not known.
    """
    found = evidence_of(settings, latest_pin(settings), left, right, shown_pair)
    template = pages.environment(pages.LAYOUT).get_template("waterfall.html.j2")
    return template.render(
        left=left, right=right, steps=found.steps, limits=found, reach=found.reach, say=say, language=say.language
    )


def evidence_of(settings: Settings, pin: Pin, left: str, right: str, show: Show) -> Evidence:
    """How the weight of a pair of party records adds up, and the two as they were last told.

    Parameters
    ----------
    show
        How two values of a column are shown to who asks.

    Raises
    ------
    Stop
        If there is no model, or a party record is not known.
    """
    model = _model(settings)
    with opened_records(settings, pin, model.linkage, (left, right)) as con:
        create_comparable(con, model.linkage)
        splink, api = linker(con, model)
        told: list[tuple] = []
        for table, party in (("left_party", left), ("right_party", right)):
            con.execute(f"create temp table {table} as from comparable where party_key = $party", {"party": party})
            if con.execute(f"select count(*) from {table}").fetchall() == [(0,)]:
                raise Stop(f"{party} is not known: party records are named cif:..., online:... or lead:...")
            told += con.execute(_LAST_TOLD, {"party": party}).fetchall()
        pairs = splink.inference.score_pairs(api.register("left_party"), api.register("right_party"))
        best = max(pairs.as_record_list(), key=lambda pair: pair["match_weight"])
        chart = splink.visualisations.waterfall_chart([best], filter_nulls=False)
    return Evidence(
        steps=tuple(steps_of(cast("list[Mapping[str, Any]]", chart.raw_records), best, show)),
        told={column: show(column, one, other) for column, one, other in zip(TOLD, *told, strict=True)},
        accept=model.linkage.accept,
        review=model.linkage.review,
    )


def steps_of(bars: Iterable[Mapping[str, Any]], pair: Mapping[str, Any], show: Show) -> list[Step]:
    """The bars of Splink's waterfall as steps: how common a value is counts into the step of its column.

    Parameters
    ----------
    bars : iterable of mapping
        Of Splink's chart: the prior, each comparison, and after some of them the correction by the value's frequency.
    pair : mapping
        The two records, their columns with the endings ``_l`` and ``_r``.
    """
    steps: list[Step] = []
    total = 0.0
    for bar in bars:
        column, bits = bar["column_name"], float(bar["log2_bayes_factor"])
        if column == "Final score":
            continue
        total += bits
        if bar["term_frequency_adjustment"]:
            last = steps.pop()
            steps.append(Step(last.column, last.left, last.right, last.level, last.bits + bits, total))
            continue
        shown = show(column, pair.get(f"{column}_l"), pair.get(f"{column}_r"))
        level = bar["label_for_charts"]
        if bar["comparison_vector_value"] == -1 and all(shown):
            level = "counted in another line"  # a city that is part of an address, for instance
        steps.append(Step(column, *shown, level, bits, total))
    return steps


def shown_pair(column: str, left: object, right: object) -> tuple[str, str]:
    """Two values for a person to compare; of a number, the characters that differ and the last ones.

    >>> shown_pair("id_no", "310101199001011234", "310101199001021234")
    ('•••••••••••••11234', '•••••••••••••21234')
    """
    first, second = ("" if value is None else str(value) for value in (left, right))
    if column not in NUMBERS or not (first and second):
        hidden = column in NUMBERS
        return (_end(first), _end(second)) if hidden else (first, second)
    places = list(zip_longest(first, second, fillvalue=""))
    kept = len(places) - SHOWN_END
    return tuple(  # type: ignore[return-value]
        "".join(pair[side] if place >= kept or pair[0] != pair[1] else "•" for place, pair in enumerate(places))
        for side in (0, 1)
    )


def _end(number: str) -> str:
    return "•" * max(0, len(number) - SHOWN_END) + number[-SHOWN_END:]


def _model(settings: Settings) -> Model:
    model = current_model(settings.lake)
    if model is None:
        raise Stop("there is no model yet: a run trains it when enough records are known")
    return model
