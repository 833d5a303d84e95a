"""Charts of the linkage model as HTML pages that need no network: what agreements weigh, and why two records match."""

from lakehouse import lake
from lakehouse.errors import Stop
from lakehouse.identity.comparable import create_comparable
from lakehouse.identity.link import opened
from lakehouse.identity.model import Model, current_model, linker
from lakehouse.lake import Pin, pin_of, read_outcomes
from lakehouse.lake.dates import built_dates
from lakehouse.settings import Settings


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


def waterfall(settings: Settings, left: str, right: str) -> str:
    """How the weight of a pair of party records adds up: the best of their records. It shows personal data.

    Raises
    ------
    Stop
        If there is no model, or a party record is not known.
    """
    model = _model(settings)
    with opened(settings, latest_pin(settings), model.linkage) as con:
        create_comparable(con, model.linkage)
        splink, api = linker(con, model)
        for table, party in (("left_party", left), ("right_party", right)):
            con.execute(f"create temp table {table} as from comparable where party_key = $party", {"party": party})
            if con.execute(f"select count(*) from {table}").fetchall() == [(0,)]:
                raise Stop(f"{party} is not known: party records are named cif:..., online:... or lead:...")
        pairs = splink.inference.score_pairs(api.register("left_party"), api.register("right_party"))
        best = max(pairs.as_record_list(), key=lambda pair: pair["match_weight"])
        return splink.visualisations.waterfall_chart([best], filter_nulls=False).to_html(inline=True)


def _model(settings: Settings) -> Model:
    model = current_model(settings.lake)
    if model is None:
        raise Stop("there is no model yet: a run trains it when enough records are known")
    return model
