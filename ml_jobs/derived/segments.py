"""The long tail in groups: one model per month-end, frozen and signed in the lake, and everybody's group of a date."""

import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from sklearn.cluster import KMeans
from sklearn.pipeline import Pipeline

from lakehouse import lake, warehouse
from lakehouse.catalog import SEGMENTS
from lakehouse.lake import Pin
from lakehouse.lake.dates import built_dates, training_date
from lakehouse.lake.model_files import Known, model_folder
from lakehouse.settings import Settings
from ml_jobs.errors import CannotScore
from ml_jobs.learning.clustering import (
    Grouping,
    Traits,
    adjusted_rand,
    described,
    group,
    refitted,
    silhouette,
    trait_values,
)
from ml_jobs.learning.metrics import Interval
from ml_jobs.registry.model import UntrustedModel, keep, unpack

TASK = "customer_segments"
STABILITY_MONTHS, STABILITY_ROWS = 6, 4_000

_LONG_TAIL = """
    select customer_key{columns}
    from build_features.customer_features
    where as_of_date = $1 and has_rm = 0
"""


@dataclass(frozen=True)
class LongTail:
    """The customers without a relationship manager on a date, by key."""

    as_of_date: date
    customer: pa.Array  # (n,) text
    values: np.ndarray  # (n, traits), nan where missing


@cache
def traits() -> Traits:
    """What ``ml_jobs/derived/segments.yml`` says."""
    return Traits.model_validate(yaml.safe_load(Path(__file__).with_name("segments.yml").read_text(encoding="utf-8")))


def write_segments(settings: Settings, pin: Pin) -> dict[str, str]:
    """Put every customer without a relationship manager into a group, by the frozen model of the last month-end.

    What is in the lake is kept as it is. Month-ends themselves are assigned when their model is made.

    Returns
    -------
    dict
        ``model_version``, a folder of ``models/customer_segments/`` in the lake, or ``reason``, why there is none.
    """
    told = lake.known_path(settings.lake, "segments", pin)
    if not told.exists():
        lake.write_json(told, _assigned(settings, pin))
    return json.loads(told.read_text())


def _assigned(settings: Settings, pin: Pin) -> dict[str, str]:
    known = Known.by(settings, pin.business_date)
    try:
        grouping, _ = _model(settings, known)
    except CannotScore as reason:
        return {"reason": str(reason)}
    if pin.business_date != known.trained_on:
        with lake.appearing(lake.pinned_path(settings.lake, SEGMENTS.name, pin)) as temporary:
            table = _table(grouping, _long_tail(settings, pin.business_date), known.model_version)
            pq.write_table(table, temporary, compression="zstd")
    return {"model_version": known.model_version}


def _model(settings: Settings, known: Known) -> tuple[Grouping, dict[str, Any]]:
    """The groups of a month-end and their card: from the lake if they are there, otherwise found and put there."""
    folder = model_folder(settings, TASK, known)
    if not folder.exists():
        _train(settings, known, folder)
    parts, card = unpack(folder, settings.token_secret)
    match parts:
        case {"ranks": Pipeline() as ranks, "centres": KMeans() as centres}:
            return Grouping(ranks, centres, tuple(card["ids"])), card
    raise UntrustedModel(f"{folder / 'model.skops'} holds no groups: remove the folder, and they are found anew")


def _train(settings: Settings, known: Known, folder: Path) -> None:
    found = _long_tail(settings, known.trained_on)
    if len(found.customer) < traits().least_customers:
        raise CannotScore(
            f"{len(found.customer)} customers without a relationship manager have features on {known.trained_on}; "
            f"at least {traits().least_customers} are needed"
        )
    before = _before(settings, known)
    grouping, chosen = group(found.values, traits(), before and before[0])
    months = [_long_tail(settings, day) for day in _month_ends(settings, known.trained_on)]
    card = {
        "task_name": TASK,
        "model_version": known.model_version,
        "customers": len(found.customer),
        "ids": list(grouping.ids),
        "chosen": chosen,
        "carried_on": before is not None,
        "silhouette": silhouette(grouping, found.values),
        "groups": described(grouping, found.values, traits(), before[1]["groups"] if before else []),
        "stability": _stability(grouping, months),
        "libraries": {name: version(name) for name in ("scikit-learn", "numpy", "skops")},
    }
    assigned = pa.concat_tables([_table(grouping, month, known.model_version) for month in months])
    parts = {"ranks": grouping.ranks, "centres": grouping.centres}
    keep(folder, settings.token_secret, parts, card, {"assigned": assigned})


def _before(settings: Settings, known: Known) -> tuple[Grouping, dict[str, Any]] | None:
    """The groups of the month-end before, if a date was built then."""
    months = {training_date(day) for day in built_dates(lake.pin(settings.lake, known.business_date))}
    earlier = max((month for month in months if month < known.trained_on), default=None)
    if earlier is None:
        return None
    try:
        return _model(settings, Known.by(settings, earlier))
    except CannotScore:
        return None


def _stability(grouping: Grouping, months: list[LongTail]) -> list[dict[str, object]]:
    """Of each month-end against the one before: models fitted afresh, and customers by the model in use."""
    last = months[-STABILITY_MONTHS - 1 :]
    if min(len(month.customer) for month in last) < traits().least_customers:
        return []
    grouped = len(traits().traits)
    some = [month.values[:: -(-len(month.values) // STABILITY_ROWS), :grouped] for month in last]
    found = []
    for (before, now), afresh in zip(zip(last, last[1:], strict=False), refitted(some, len(grouping.ids)), strict=True):
        at = pc.index_in(now.customer, before.customer)
        both = pc.is_valid(at).to_numpy(zero_copy_only=False)
        own = grouping.assign(now.values[both])[0]
        earlier = grouping.assign(before.values[at.drop_null().to_numpy()])[0]
        stayed = adjusted_rand(earlier, own)
        found.append(
            {
                "as_of_date": str(now.as_of_date),
                "customer_count": int(both.sum()),
                "stayed_rate": float((own == earlier).mean()),
            }
            | _figures("refit_rand", afresh)
            | _figures("customers_rand", stayed)
        )
    return found


def _figures(name: str, found: Interval) -> dict[str, float]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _month_ends(settings: Settings, last: date) -> list[date]:
    """Those that have features, up to ``last``, oldest first."""
    days = warehouse.query(
        settings,
        "select distinct as_of_date from build_features.customer_features where as_of_date <= $1 order by as_of_date",
        (last,),
    )["as_of_date"].to_pylist()
    return [day for day in days if training_date(day) == day][-traits().months :]


def _long_tail(settings: Settings, day: date) -> LongTail:
    columns = traits().features
    # Single precision is blind to the last bits, in which engines differ.
    reals = "".join(f", cast({name} as real) as {name}" for name in columns)
    table = warehouse.query(settings, _LONG_TAIL.format(columns=reals), (day,)).sort_by("customer_key")
    values = np.column_stack([table[name].to_numpy() for name in columns])
    return LongTail(day, table["customer_key"].combine_chunks(), trait_values(traits(), values, columns))


def _table(grouping: Grouping, found: LongTail, model_version: str) -> pa.Table:
    own, distance, confidence = grouping.assign(found.values)
    return pa.table(
        {
            "customer_key": found.customer,
            "as_of_date": [found.as_of_date] * len(own),
            "segment_id": own,
            "distance": distance,
            "confidence": confidence,
            "model_version": [model_version] * len(own),
        },
        SEGMENTS.arrow_schema,
    )
