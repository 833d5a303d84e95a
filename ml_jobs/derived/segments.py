"""Segments of the long tail: one model per month-end, frozen and signed in the lake, and the segments of a date."""

import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sklearn.cluster import KMeans
from sklearn.pipeline import Pipeline

from lakehouse import lake, warehouse
from lakehouse.catalog import SEGMENTS
from lakehouse.lake import Pin
from lakehouse.lake.dates import built_dates, training_date
from lakehouse.lake.model_files import Known, model_folder
from lakehouse.settings import Settings
from lakehouse.yaml_files import read_yaml
from ml_jobs.errors import CannotScore
from ml_jobs.inventory import require_entry
from ml_jobs.learning.clustering import (
    Agreement,
    ClusterDescription,
    Clustering,
    Traits,
    adjusted_rand,
    describe_clusters,
    fit_clusters,
    refit_agreement,
    silhouette,
    trait_values,
)
from ml_jobs.purposes import not_refused
from ml_jobs.registry.model import UntrustedModel, library_versions, load_signed, save_signed

TASK = "customer_segments"
STABILITY_MONTHS, STABILITY_ROWS = 6, 4_000

_LONG_TAIL = """
    select customer_key{columns}
    from build_features.customer_features as features
    where as_of_date = $1 and has_rm = 0 and {allowed}
"""


@dataclass(frozen=True)
class LongTail:
    """The customers without a relationship manager on a date, by key."""

    as_of_date: date
    customer: pa.Array  # (n,) text
    values: np.ndarray  # (n, traits), nan where missing


class Stability(TypedDict):
    """A month-end against the one before: models fitted afresh, and customers by the model in use."""

    as_of_date: str
    customer_count: int
    stayed_rate: float
    refit_rand: float
    refit_rand_low: float
    refit_rand_high: float
    customers_rand: float
    customers_rand_low: float
    customers_rand_high: float


class Tried(TypedDict):
    """The numbers of clusters that a first model tried."""

    tried: dict[int, Agreement]


class SegmentsCard(TypedDict):
    """What ``card.json`` holds of the segments of a month-end."""

    task_name: str
    model_version: str
    customers: int
    ids: list[int]
    chosen: Tried
    carried_on: bool  # whether the segments continue those of the month-end before
    silhouette: float
    groups: list[ClusterDescription]
    stability: list[Stability]
    libraries: dict[str, str]


@cache
def traits() -> Traits:
    """The content of ``ml_jobs/derived/segments.yml``."""
    return Traits.model_validate(read_yaml(Path(__file__).with_name("segments.yml")))


def write_segments(settings: Settings, pin: Pin) -> dict[str, str]:
    """Assign every customer without a relationship manager to a segment, by the frozen model of the last month-end.

    Files already in the lake are kept. Customers of a month-end are assigned when its model is fitted.

    Returns
    -------
    dict
        ``model_version``, a folder of ``models/customer_segments/`` in the lake, or ``reason``, why there is none.
    """
    path = lake.known_path(settings.lake, "segments", pin)
    if not path.exists():
        lake.write_json(path, _assign(settings, pin))
    return json.loads(path.read_text())


def _assign(settings: Settings, pin: Pin) -> dict[str, str]:
    known = Known.by(settings, pin.business_date)
    try:
        require_entry(TASK)
        clustering, _ = _model(settings, known)
    except CannotScore as reason:
        return {"reason": str(reason)}
    if pin.business_date != known.trained_on:
        with lake.appearing(lake.pinned_path(settings.lake, SEGMENTS.name, pin)) as temporary:
            table = _table(clustering, _long_tail(settings, pin.business_date), known.model_version)
            pq.write_table(table, temporary, compression="zstd")
    return {"model_version": known.model_version}


def _model(settings: Settings, known: Known) -> tuple[Clustering, SegmentsCard]:
    """The model of a month-end and its card: from the lake if they are there, otherwise fitted and put there."""
    folder = model_folder(settings, TASK, known)
    if not folder.exists():
        _train(settings, known, folder)
    parts, card = load_signed(folder, settings.token_secret)
    match parts:
        case {"ranks": Pipeline() as ranks, "centres": KMeans() as centres}:
            return Clustering(ranks, centres, tuple(card["ids"])), card
    raise UntrustedModel(f"{folder / 'model.skops'} holds no segments: remove the folder, and they are fitted anew")


def _train(settings: Settings, known: Known, folder: Path) -> None:
    long_tail = _long_tail(settings, known.trained_on)
    if len(long_tail.customer) < traits().least_customers:
        raise CannotScore(
            f"{len(long_tail.customer)} customers without a relationship manager have features on {known.trained_on}; "
            f"at least {traits().least_customers} are needed"
        )
    previous = _previous(settings, known)
    clustering, tried = fit_clusters(long_tail.values, traits(), previous and previous[0])
    months = [_long_tail(settings, day) for day in _month_ends(settings, known.trained_on)]
    card: SegmentsCard = {
        "task_name": TASK,
        "model_version": known.model_version,
        "customers": len(long_tail.customer),
        "ids": list(clustering.ids),
        "chosen": {"tried": tried},
        "carried_on": previous is not None,
        "silhouette": silhouette(clustering, long_tail.values),
        "groups": describe_clusters(clustering, long_tail.values, traits(), previous[1]["groups"] if previous else []),
        "stability": _stability(clustering, months),
        "libraries": library_versions(),
    }
    assigned = pa.concat_tables([_table(clustering, month, known.model_version) for month in months])
    parts = {"ranks": clustering.ranks, "centres": clustering.centres}
    save_signed(folder, settings.token_secret, parts, card, {"assigned": assigned})


def _previous(settings: Settings, known: Known) -> tuple[Clustering, SegmentsCard] | None:
    """The model of the month-end before, if a date was built then."""
    months = {training_date(day) for day in built_dates(lake.pin(settings.lake, known.business_date))}
    earlier = max((month for month in months if month < known.trained_on), default=None)
    if earlier is None:
        return None
    try:
        return _model(settings, Known.by(settings, earlier))
    except CannotScore:
        return None


def _stability(clustering: Clustering, months: list[LongTail]) -> list[Stability]:
    """Each of the last month-ends against the one before."""
    last = months[-STABILITY_MONTHS - 1 :]
    if min(len(month.customer) for month in last) < traits().least_customers:
        return []
    count = len(traits().traits)
    samples = [month.values[:: -(-len(month.values) // STABILITY_ROWS), :count] for month in last]
    stability: list[Stability] = []
    for (before, now), refit in zip(pairwise(last), refit_agreement(samples, len(clustering.ids)), strict=True):
        at = pc.index_in(now.customer, before.customer)
        both = pc.is_valid(at).to_numpy(zero_copy_only=False)
        later = clustering.assign(now.values[both])[0]
        earlier = clustering.assign(before.values[at.drop_null().to_numpy()])[0]
        customers = adjusted_rand(earlier, later)
        stability.append(
            {
                "as_of_date": str(now.as_of_date),
                "customer_count": int(both.sum()),
                "stayed_rate": float((later == earlier).mean()),
                "refit_rand": refit.value,
                "refit_rand_low": refit.low,
                "refit_rand_high": refit.high,
                "customers_rand": customers.value,
                "customers_rand_low": customers.low,
                "customers_rand_high": customers.high,
            }
        )
    return stability


def _month_ends(settings: Settings, last: date) -> list[date]:
    """The last month-ends with features, up to ``last``, oldest first."""
    days = warehouse.query(
        settings,
        "select distinct as_of_date from build_features.customer_features where as_of_date <= $1 order by as_of_date",
        (last,),
    )["as_of_date"].to_pylist()
    return [day for day in days if training_date(day) == day][-traits().months :]


def _long_tail(settings: Settings, day: date) -> LongTail:
    columns = traits().features
    # Single precision leaves out the last bits, in which engines differ.
    reals = "".join(f", cast({name} as real) as {name}" for name in columns)
    statement = _LONG_TAIL.format(columns=reals, allowed=not_refused(TASK, "features"))
    table = warehouse.query(settings, statement, (day,)).sort_by("customer_key")
    values = np.column_stack([table[name].to_numpy() for name in columns])
    return LongTail(day, table["customer_key"].combine_chunks(), trait_values(traits(), values, columns))


def _table(clustering: Clustering, long_tail: LongTail, model_version: str) -> pa.Table:
    ids, distance, confidence = clustering.assign(long_tail.values)
    return pa.table(
        {
            "customer_key": long_tail.customer,
            "as_of_date": [long_tail.as_of_date] * len(ids),
            "segment_id": ids,
            "distance": distance,
            "confidence": confidence,
            "model_version": [model_version] * len(ids),
        },
        SEGMENTS.arrow_schema,
    )
