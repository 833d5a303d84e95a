"""Doing again what a receipt says: its model scores the stored features, its policy judges the stored facts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from c360.receipts.files import HASH, Receipt, Receipts, hash_of
from c360.receipts.writing import OF_BARS, OF_FACTS
from lakehouse.errors import Stop
from lakehouse.lake.erasures import read_erasures
from lakehouse.lake.files import digest
from lakehouse.settings import Settings
from ml_jobs.learning.bands import bands_of
from ml_jobs.task_file import Task, load_tasks

if TYPE_CHECKING:
    from ml_jobs.registry.model import Model

CLOSE = 1e-9  # floats of two machines or engines may differ in their last bits
SERVICE = frozenset({"deceased", "in collection", "closed", "unreachable"})
MARKETING = SERVICE | {"opted out", "complaint", "recent contact", "other owner", "cap reached"}
UNFAIR = "unfair score"  # its model is beyond a limit of fairness, and the bank withholds what it says
DEAD = frozenset({"deceased"})
# Which bars of the contact policy each list obeys, the first set in front, and what holds it back besides.
LISTS: dict[str, tuple[tuple[frozenset[str], ...], frozenset[str]]] = {
    "retention": ((MARKETING,), frozenset({"other action", UNFAIR})),
    "next_best_offer": ((MARKETING,), frozenset({"other action", UNFAIR})),
    "lead_calls": ((MARKETING,), frozenset({"is a customer"})),
    "outflow_actions": ((SERVICE, MARKETING), frozenset({"spoken with since", "lent money"})),
    "early_warning": ((DEAD,), frozenset({"no phone number", "unreachable", UNFAIR})),
    "collections": ((DEAD,), frozenset()),
}
SERIOUS_OUTFLOW = ((SERVICE,), frozenset({"spoken with since"}))


@dataclass(frozen=True)
class Replayed:
    """What became of a receipt when it was done again."""

    receipt_id: str
    differences: tuple[str, ...]
    score: float | None = None  # of the model, now
    bars: Mapping[str, bool] | None = None  # of the policy, now

    @property
    def is_same(self) -> bool:
        return not self.differences


def replay(settings: Settings, receipts: Receipts) -> list[Replayed]:
    """Do receipts of one publish again, each by itself.

    The score is computed by the model of the hash that the receipt names, from the features that it keeps; each reason
    must be a value of these features, and the score lower without it. Its place among all scores of the day, and the
    band that follows, are those of the file of that hash. The contact policy is its own SQL of that day,
    over the facts and limits of that day. The hash of the receipt must be that of its values.
    """
    rows = receipts.table.to_pylist()
    differences: dict[str, list[str]] = {row["receipt_id"]: [] for row in rows}
    for row in rows:
        if hash_of(row) != row[HASH]:
            differences[row["receipt_id"]].append("the receipt is not what was written")
    scores = _scored_again(settings, rows, differences)
    _placed_again(settings.lake, rows, differences)
    judged = _judged_again(receipts, rows, differences)
    for row in rows:
        if row["receipt_kind"] == "action" and (problem := _misfit(row, judged.get(row["customer_key"]))):
            differences[row["receipt_id"]].append(problem)
    return [
        Replayed(
            row["receipt_id"],
            tuple(differences[row["receipt_id"]]),
            scores.get(row["receipt_id"]),
            {name: bool(judged[row["customer_key"]][name]) for name in OF_BARS}
            if row["customer_key"] in judged
            else None,
        )
        for row in rows
    ]


def _scored_again(settings: Settings, rows: list[Receipt], differences: dict[str, list[str]]) -> dict[str, float]:
    """The score of every receipt that has one; differences are added to those that there are."""
    from ml_jobs.scores.prediction import stated  # scikit-learn takes seconds to import
    from ml_jobs.scores.reasons import are_lower_without

    groups: dict[tuple[str, str, str], list[Receipt]] = {}
    for row in rows:
        if row["score"] is not None:
            groups.setdefault((row["task"], row["model_version"], row["model_sha256"]), []).append(row)
    scores: dict[str, float] = {}
    for (name, version, sha256), scored in groups.items():
        task, model = load_tasks()[name], _model(settings, name, version, sha256)
        if isinstance(model, str):
            for row in scored:
                differences[row["receipt_id"]].append(model)
            continue
        values = np.array([row["features"] for row in scored], np.float32)
        now = stated(task, model, model.margin(values), scored[0]["horizon_days"])
        lower = are_lower_without(model, values, scored)
        for row, score, is_lower in zip(scored, now, lower, strict=True):
            scores[row["receipt_id"]] = float(score)
            said = row["model_probability"]
            if abs(score - said) > CLOSE:
                differences[row["receipt_id"]].append(f"the model said {said:.9f} and says {score:.9f}")
            elif not task.horizons and abs(score - row["score"]) > CLOSE:  # a curve is anchored in another score
                differences[row["receipt_id"]].append(f"the score is {row['score']:.9f}, and the model says {said:.9f}")
            differences[row["receipt_id"]] += [f"{code} is no reason for the score" for code in is_lower]
    return scores


def _placed_again(lake: Path, rows: list[Receipt], differences: dict[str, list[str]]) -> None:
    """Rank and band of every receipt of a score, from the file of all scores of its day; differences are added."""
    files: dict[str, list[Receipt]] = {}
    for row in rows:
        if row.get("scores_file") is not None:  # receipts of before have none
            files.setdefault(row["scores_file"], []).append(row)
    for name, scored in files.items():
        path = lake / name
        sha256, dropped = _after_erasures(lake, name, scored[0]["scores_sha256"])
        is_kept = path.exists() and digest(path) == sha256
        places = _places(pq.read_table(path, partitioning=None), dropped) if is_kept else {}
        for row in scored:
            problems = differences[row["receipt_id"]]
            if not is_kept or row["scores_sha256"] != scored[0]["scores_sha256"]:
                problems.append(f"{name} is not the file of the day's scores any more")
            else:
                problems += _misplaced(row, places, load_tasks()[row["task"]])


def _after_erasures(lake: Path, name: str, sha256: str) -> tuple[str | None, int]:
    """The digest that a file of the lake has after the erasures since, and how many rows these took out of it."""
    now, dropped = sha256, 0
    for erasure in read_erasures(lake):
        for file in erasure.files:
            if (file.place, file.file, file.before) == ("lake", name, now):
                now, dropped = file.after, dropped + file.rows_dropped
    return now, dropped


class _Place(NamedTuple):
    first: int  # of those with the same probability
    last: int
    count: int  # of all on the list
    erased: int  # rows that were on it besides, wherever


def _places(scores: pa.Table, erased: int) -> dict[tuple[str, int], _Place]:
    """Where the probability of each customer and horizon lies among all."""
    places: dict[tuple[str, int], _Place] = {}
    for horizon in pc.unique(scores["horizon_days"]).to_pylist():
        listed = scores.filter(pc.equal(scores["horizon_days"], horizon))
        probability = listed["probability"].to_numpy()
        ascending = np.sort(probability)
        above = len(ascending) - np.searchsorted(ascending, probability, side="right")
        last = len(ascending) - np.searchsorted(ascending, probability, side="left")
        for key, first, end in zip(listed["customer_key"].to_pylist(), above + 1, last, strict=True):
            places[key, horizon] = _Place(int(first), int(end), len(ascending), erased)
    return places


def _misplaced(row: Receipt, places: Mapping[tuple[str, int], _Place], task: Task) -> Iterator[str]:
    """What of a receipt's rank and band does not follow from the place of its score."""
    place = places.get((row["scored_customer_key"], row["horizon_days"]))
    if place is None:
        yield "the customer is not on the day's list of scores"
        return
    if not place.first <= row["rank"] <= place.last + place.erased:
        yield f"its rank is {row['rank']}, and by its score it lies from {place.first} to {place.last}"
    ends = (place.count, place.count + place.erased)
    bands = {str(bands_of(task.bands, np.array(row["rank"]), count)) for count in ends}
    if row["band"] not in bands:
        yield f"its band is {row['band']}, and that of its rank is {' or '.join(sorted(bands))}"


def _model(settings: Settings, task: str, version: str, sha256: str) -> "Model | str":
    """The model that scored, or why it cannot be had."""
    from ml_jobs.registry.model import UntrustedModel, load  # scikit-learn takes seconds to import

    folder = settings.lake / "models" / task / version
    path = folder / "model.skops"
    if not path.exists():
        return f"the model {version} is not in the lake any more"
    if digest(path) != sha256:
        return f"the model {version} is not the one that scored"
    try:
        return load(folder, settings.token_secret)
    except (UntrustedModel, OSError) as error:
        return str(error)


def _judged_again(
    receipts: Receipts, rows: list[Receipt], differences: dict[str, list[str]]
) -> dict[str, dict[str, object]]:
    """Bars and verdict of the contact policy, by customer, from the facts of the receipts."""
    known = [row for row in rows if row["fact_business_date"] is not None]
    by_customer = {str(row["customer_key"]): row for row in known}
    table = receipts.table.select(["customer_key", *(f"fact_{name}" for name in OF_FACTS)])
    facts = table.rename_columns(["customer_key", *OF_FACTS])
    with duckdb.connect() as con:
        con.register("receipts", facts)
        con.register("limits", pa.Table.from_pylist(receipts.about["contact_limits"]))
        exact = "cast(threshold_value as decimal(38, 12)) as threshold_value"  # in JSON an exact number is a text
        con.execute(f"create table contact_limits as select threshold, {exact} from limits")
        con.execute("create table contact_facts as select distinct * from receipts where business_date is not null")
        try:
            con.execute(f"create table contact_bars as {receipts.about['bars_sql']}")
            con.execute(f"create table policy as {receipts.about['policy_sql']}")
        except duckdb.Error as error:
            raise Stop(f"{receipts.path}: the contact policy of that day cannot be evaluated: {error}") from error
        judged = con.sql(
            "select contact_bars.*, block_reason, service_block_reason, is_control from contact_bars "
            "join policy using (customer_key)"
        ).to_arrow_table()
    found: dict[str, dict[str, object]] = {row["customer_key"]: row for row in judged.to_pylist()}
    for row in known:
        now = found[str(row["customer_key"])]
        kept = {name: row[name] for name in OF_BARS} | {
            name: row[f"policy_{name}"] for name in ("block_reason", "service_block_reason", "is_control")
        }
        differences[str(row["receipt_id"])] += [
            f"{name} was {value} and is {now[name]}" for name, value in kept.items() if now[name] != value
        ]
    return {key: found[key] for key in by_customer}


def _misfit(action: Receipt, judged: Mapping[str, object] | None) -> str | None:
    """Why what became of an action does not follow from the policy; None where it does."""
    reason, is_handed_out = action["block_reason"], action["is_handed_out"]
    if action["is_allowed"] != (reason is None) or (is_handed_out and not action["is_allowed"]):
        return "it is handed out, and forbidden"
    obeyed, own = LISTS[action["source"]]
    if action["source"] == "outflow_actions" and action["urgency"] == "high":
        obeyed, own = SERIOUS_OUTFLOW
    if reason in own or judged is None:
        return None
    first = next((bar for bars in obeyed for bar in _up(judged, bars)), None)
    if first != reason:
        return f"the policy says {first or 'allowed'}, and the list {reason or 'allowed'}"
    return None


def _up(judged: Mapping[str, object], obeyed: frozenset[str]) -> Iterator[str]:
    """The bars that are up, the first in front, of those that count."""
    for column in OF_BARS:
        reason = column.removeprefix("bars_").replace("_", " ")
        if judged[column] and reason in obeyed:
            yield reason
