"""What an engine attaches: every relation of the lake that dbt reads, as files or as small tables."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import pyarrow as pa

from lakehouse import lake
from lakehouse.contracts import load_feeds
from lakehouse.lake.places import review_file

ATTACHED = "raw._attached"  # one row per attached file
ATTACHED_COLUMNS = (
    ("relation", "varchar"),
    ("file", "varchar"),
    ("_delivery", "varchar"),
    ("_superseded_date", "date"),
    ("task", "varchar"),
)
FEED_CONSTANTS = (("_delivery", "varchar"), ("_superseded_date", "date"))
TASK_CONSTANT = (("task", "varchar"),)

REJECTS = (
    ("feed", "varchar"),
    ("period", "varchar"),
    ("version", "integer"),
    ("file", "varchar"),
    ("row", "bigint"),
    ("column_name", "varchar"),
    ("reason", "varchar"),
    ("raw_text", "varchar"),
    ("business_date", "date"),
    ("account_no", "varchar"),
)
XREF = (
    ("party_key", "varchar"),
    ("customer_key", "varchar"),
    ("rule", "varchar"),
    ("match_weight", "double precision"),
    ("valid_from", "date"),
    ("valid_to", "date"),
)
IDENTITY_REVIEW = (
    ("left_party_key", "varchar"),
    ("right_party_key", "varchar"),
    ("left_customer_key", "varchar"),
    ("right_customer_key", "varchar"),
    ("match_weight", "double precision"),
    ("reason", "varchar"),
    ("evidence", "varchar"),
    ("known_from", "date"),
)
SCORES = (
    ("customer_key", "varchar"),
    ("as_of_date", "date"),
    ("horizon_days", "integer"),
    ("probability", "double precision"),
    ("band", "varchar"),
    ("rank", "integer"),
    ("reason_1_code", "varchar"),
    ("reason_1_value", "double precision"),
    ("reason_2_code", "varchar"),
    ("reason_2_value", "double precision"),
    ("reason_3_code", "varchar"),
    ("reason_3_value", "double precision"),
    ("model_name", "varchar"),
    ("model_version", "varchar"),
    ("feature_version", "varchar"),
    ("scored_at", "timestamp"),
)
MODEL_MONITORING = (
    ("as_of_date", "date"),
    ("model_version", "varchar"),
    ("measure", "varchar"),
    ("feature", "varchar"),
    ("measured_date", "date"),
    ("value", "double precision"),
    ("threshold", "double precision"),
    ("is_alert", "boolean"),
)
MONITORED_DAYS = 92  # up to the business date: older figures stay in the lake
NETWORK = (
    ("node_key", "varchar"),
    ("in_degree", "integer"),
    ("out_degree", "integer"),
    ("pagerank", "double precision"),
    ("component_key", "varchar"),
    ("component_size", "integer"),
    ("community_key", "varchar"),
    ("community_size", "integer"),
)
CHANGE_POINTS = (
    ("customer_key", "varchar"),
    ("change_date", "date"),
    ("usual_amount", "decimal(38,2)"),
    ("level_amount", "decimal(38,2)"),
)
SEGMENTS = (
    ("customer_key", "varchar"),
    ("as_of_date", "date"),
    ("segment_id", "integer"),
    ("distance", "double precision"),
    ("confidence", "double precision"),
    ("model_version", "varchar"),
)
SEGMENT_GROUPS = (
    ("segment_id", "integer"),
    ("segment_name_en", "varchar"),
    ("segment_name_zh", "varchar"),
    ("profile_en", "varchar"),
    ("profile_zh", "varchar"),
    ("model_version", "varchar"),
)
SEGMENT_TRAITS = (
    ("segment_id", "integer"),
    ("trait", "varchar"),
    ("trait_en", "varchar"),
    ("trait_zh", "varchar"),
    ("deviation", "double precision"),
    ("median_value", "double precision"),
    ("median_of_all_value", "double precision"),
)
SEGMENT_STABILITY = (
    ("as_of_date", "date"),
    ("customer_count", "integer"),
    ("stayed_rate", "double precision"),
    ("refit_rand", "double precision"),
    ("refit_rand_low", "double precision"),
    ("refit_rand_high", "double precision"),
    ("customers_rand", "double precision"),
    ("customers_rand_low", "double precision"),
    ("customers_rand_high", "double precision"),
)
FORECAST_BALANCES = (
    ("measure", "varchar"),
    ("level", "varchar"),
    ("branch_code", "varchar"),
    ("product_family", "varchar"),
    ("as_of_date", "date"),
    ("horizon_weeks", "integer"),
    ("week_end_date", "date"),
    ("mean_amount", "double precision"),
    ("lower_80_amount", "double precision"),
    ("upper_80_amount", "double precision"),
    ("lower_95_amount", "double precision"),
    ("upper_95_amount", "double precision"),
    ("baseline_amount", "double precision"),
    ("model", "varchar"),
    ("baseline", "varchar"),
)
FORECAST_ACCURACY = (
    ("measure", "varchar"),
    ("level", "varchar"),
    ("as_of_date", "date"),
    ("horizon_weeks", "integer"),
    ("series_count", "integer"),
    ("origin_count", "integer"),
    ("model", "varchar"),
    ("baseline", "varchar"),
    ("mae_amount", "double precision"),
    ("mae_low_amount", "double precision"),
    ("mae_high_amount", "double precision"),
    ("mase", "double precision"),
    ("baseline_mae_amount", "double precision"),
    ("naive_mae_amount", "double precision"),
    ("skill", "double precision"),
    ("skill_low", "double precision"),
    ("skill_high", "double precision"),
    ("coverage_80", "double precision"),
    ("coverage_95", "double precision"),
)
INTRADAY = {
    "transactions": (
        ("txn_id", "varchar"),
        ("account_no", "varchar"),
        ("business_date", "date"),
        ("direction", "varchar"),
        ("amount", "decimal(18,2)"),
    ),
    "wallet_payments": (
        ("payment_id", "varchar"),
        ("binding_id", "varchar"),
        ("business_date", "date"),
        ("amount", "decimal(18,2)"),
    ),
}
INTRADAY_DAYS = 7  # up to the business date: events that come later still are not reconciled
OUTCOMES = (
    ("delivery_id", "varchar"),
    ("feed", "varchar"),
    ("channel", "varchar"),
    ("period", "varchar"),
    ("version", "integer"),
    ("load", "varchar"),
    ("source_hash", "varchar"),
    ("cutoff_date", "date"),
    ("outcome", "varchar"),
    ("reason", "varchar"),
    ("rows_delivered", "bigint"),
    ("rows_loaded", "bigint"),
    ("rows_quarantined", "bigint"),
    ("min_business_date", "date"),
    ("max_business_date", "date"),
    ("late_rows", "bigint"),
    ("lake_file", "varchar"),
    ("quarantine_file", "varchar"),
    ("files", "varchar"),
    ("superseded_date", "date"),
)
RUN_STEPS = (
    ("run_id", "varchar"),
    ("business_date", "date"),
    ("step", "varchar"),
    ("status", "varchar"),
    ("started_at", "timestamp"),
    ("ended_at", "timestamp"),
    ("error", "varchar"),
    ("detail", "varchar"),
)
ARROW_TYPES = {
    "varchar": pa.string(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double precision": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}


@dataclass(frozen=True)
class LakeFile:
    """One Parquet file of a relation, and the values that all its rows share."""

    path: Path
    delivery: str | None = None
    superseded_date: date | None = None
    task: str | None = None


@dataclass(frozen=True)
class LakeRelation:
    """A relation whose rows lie in Parquet files: (name, SQL type) of its columns, and of those constant per file."""

    schema: str
    name: str
    columns: tuple[tuple[str, str], ...]
    constants: tuple[tuple[str, str], ...]
    files: tuple[LakeFile, ...]
    date_column: str | None = None  # by which incremental models read it

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class SmallTable:
    """A relation that is made from records, whole, at each attach: (name, SQL type) of its columns, and its rows."""

    schema: str
    name: str
    columns: tuple[tuple[str, str], ...]
    records: Sequence[Mapping[str, object]]

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def rows(self) -> pa.Table:
        return pa.Table.from_pylist(
            self.records, pa.schema([(name, ARROW_TYPES[type_]) for name, type_ in self.columns])
        )


def lake_relations(root: Path, pin: lake.Pin, xref: Path | None) -> list[LakeRelation]:
    """Every relation with Parquet behind it, from exactly the files that ``pin`` knows."""
    feeds = [
        LakeRelation(
            "raw",
            feed.name,
            feed.lake_columns,
            FEED_CONSTANTS,
            tuple(
                LakeFile(item.outcome.rows_path(root), item.outcome.delivery_id, item.superseded_date)
                for item in pin.of(feed.name)
            ),
            feed.business_date_column,
        )
        for feed in load_feeds().values()
    ]
    known = [*(item.outcome for item in pin.deliveries), *pin.rejected]
    network, change_points = lake.network_path(root, pin), lake.change_points_path(root, pin)
    rejects = tuple(LakeFile(root / outcome.quarantine_file) for outcome in known if outcome.quarantine_file)
    first = pin.business_date - timedelta(days=INTRADAY_DAYS - 1)
    intraday = [
        LakeRelation(
            "raw",
            f"intraday_{feed}",
            columns,
            (),
            tuple(LakeFile(file.path) for file in lake.intraday_files(root, feed, first, pin.business_date)),
        )
        for feed, columns in INTRADAY.items()
    ]
    forecast = _known(root, "forecasts", pin).get("forecast")
    forecasts = [
        LakeRelation(
            "raw",
            f"forecast_{name}",
            columns,
            (),
            (LakeFile(root / "forecasts" / forecast / f"{name}.parquet"),) if forecast else (),
        )
        for name, columns in (("balances", FORECAST_BALANCES), ("accuracy", FORECAST_ACCURACY))
    ]
    return [
        *feeds,
        *intraday,
        *forecasts,
        LakeRelation("quarantine", "rejects", REJECTS, (), rejects),
        LakeRelation("raw", "customer_xref", XREF, (), (LakeFile(xref),) if xref else ()),
        LakeRelation("raw", "identity_review", IDENTITY_REVIEW, (), _review(xref)),
        LakeRelation("raw", "network", NETWORK, (), (LakeFile(network),) if network.exists() else ()),
        LakeRelation(
            "raw", "change_points", CHANGE_POINTS, (), (LakeFile(change_points),) if change_points.exists() else ()
        ),
        LakeRelation("raw", "segments", SEGMENTS, (), _segments(root, pin)),
        LakeRelation("raw", "scores", SCORES, TASK_CONSTANT, tuple(_current_scores(root, pin))),
        LakeRelation("raw", "model_monitoring", MODEL_MONITORING, TASK_CONSTANT, tuple(_monitoring(root, pin))),
    ]


def _review(xref: Path | None) -> tuple[LakeFile, ...]:
    """The list for clerks that was written with an identity file."""
    return (LakeFile(path),) if xref and (path := review_file(xref)).exists() else ()


def _known(root: Path, kind: str, pin: lake.Pin) -> dict[str, str]:
    path = lake.known_path(root, kind, pin)
    return json.loads(path.read_text()) if path.exists() else {}


def _segments_model(root: Path, pin: lake.Pin) -> Path | None:
    version = _known(root, "segments", pin).get("model_version")
    return root / "models" / "customer_segments" / version if version else None


def _segments(root: Path, pin: lake.Pin) -> tuple[LakeFile, ...]:
    """Month-ends, which were assigned with the model, and the pin's date, if it is none."""
    model, today = _segments_model(root, pin), lake.segments_path(root, pin)
    return tuple(LakeFile(path) for path in (model / "assigned.parquet", today) if path.exists()) if model else ()


def _segment_tables(root: Path, pin: lake.Pin) -> list[SmallTable]:
    """What the card of the groups says of them."""
    model = _segments_model(root, pin)
    card = json.loads((model / "card.json").read_text()) if model else {"groups": [], "stability": []}
    groups = [
        {"segment_id": group["segment_id"], "model_version": card["model_version"]}
        | {f"segment_name_{language}": text for language, text in group["name"].items()}
        | {f"profile_{language}": text for language, text in group["profile"].items()}
        for group in card["groups"]
    ]
    traits = [
        {
            "segment_id": group["segment_id"],
            "trait": trait["trait"],
            "trait_en": trait["words"]["en"],
            "trait_zh": trait["words"]["zh"],
            "deviation": trait["deviation"],
            "median_value": trait["median"],
            "median_of_all_value": trait["median_of_all"],
        }
        for group in card["groups"]
        for trait in group["traits"]
    ]
    stability = [month | {"as_of_date": date.fromisoformat(month["as_of_date"])} for month in card["stability"]]
    return [
        SmallTable("raw", "segment_groups", SEGMENT_GROUPS, groups),
        SmallTable("raw", "segment_traits", SEGMENT_TRAITS, traits),
        SmallTable("raw", "segment_stability", SEGMENT_STABILITY, stability),
    ]


def small_tables(root: Path, pin: lake.Pin) -> list[SmallTable]:
    """The outcome of every delivery known by the pin's date, every step of every run, and the groups of customers."""
    known = [(item.outcome, item.superseded_date) for item in pin.deliveries]
    known += [(outcome, None) for outcome in pin.rejected]
    outcomes = [
        asdict(outcome)
        | {"delivery_id": outcome.delivery_id, "files": ",".join(outcome.files), "superseded_date": superseded}
        for outcome, superseded in known
    ]
    steps = [_step(path) for path in sorted((root / "runs").glob("*/[!.]*.json"))]
    return [
        SmallTable("raw", "delivery_outcomes", OUTCOMES, outcomes),
        SmallTable("raw", "run_steps", RUN_STEPS, steps),
        *_segment_tables(root, pin),
    ]


def select(relation: LakeRelation) -> str:
    """DuckDB SQL that reads the relation's files with the contract's names and types; needs ``raw._attached``."""
    if not relation.files:
        typed = (f"cast(null as {type_}) as {quoted(name)}" for name, type_ in relation.columns + relation.constants)
        return f"select {', '.join(typed)} where false"
    columns = [f"cast(parquet.{quoted(name)} as {type_}) as {quoted(name)}" for name, type_ in relation.columns]
    paths = ", ".join(literal(str(file.path)) for file in relation.files)
    if not relation.constants:
        return f"select {', '.join(columns)} from read_parquet([{paths}]) as parquet"
    columns += [f"attached.{quoted(name)}" for name, _ in relation.constants]
    return (
        f"select {', '.join(columns)} from read_parquet([{paths}], filename = true) as parquet "
        f"join {ATTACHED} as attached on attached.file = parquet.filename "
        f"and attached.relation = {literal(relation.full_name)}"
    )


def attached_rows(relations: list[LakeRelation]) -> pa.Table:
    """The content of ``raw._attached``."""
    records = [
        {
            "relation": relation.full_name,
            "file": str(file.path),
            "_delivery": file.delivery,
            "_superseded_date": file.superseded_date,
            "task": file.task,
        }
        for relation in relations
        for file in relation.files
    ]
    return SmallTable("raw", "_attached", ATTACHED_COLUMNS, records).rows


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string, where a view's definition allows no bound value."""
    return "'" + text.replace("'", "''") + "'"


def _current_scores(root: Path, pin: lake.Pin) -> Iterator[LakeFile]:
    """For each task and as-of date: the scores of what was known by then, by the newest model of what was known then.

    Files are named ``<training date>-<pin of it>-<pin of the as-of date>.parquet``.
    """
    pin_of = _pins(pin)
    for folder in sorted((root / "scores").glob("*/as_of_date=*")):
        as_of = date.fromisoformat(folder.name.removeprefix("as_of_date="))
        if as_of > pin.business_date:
            continue
        files = {}
        for path in folder.glob(f"[!.]*-{pin_of(as_of)}.parquet"):
            training_date, training_pin, _ = path.stem.rsplit("-", 2)
            files[training_date, training_pin == pin_of(date.fromisoformat(training_date)), path.name] = path
        if files:
            yield LakeFile(files[max(files)], task=folder.parent.name)


def _monitoring(root: Path, pin: lake.Pin) -> Iterator[LakeFile]:
    """For each task and date of the last ones: the figures of what was known by then."""
    pin_of = _pins(pin)
    first = pin.business_date - timedelta(days=MONITORED_DAYS - 1)
    for path in sorted((root / "models").glob("*/monitoring/[!.]*.parquet")):
        as_of, known = date.fromisoformat(path.stem[:10]), path.stem[11:]
        if first <= as_of <= pin.business_date and known == pin_of(as_of):
            yield LakeFile(path, task=path.parents[1].name)


def _pins(pin: lake.Pin) -> Callable[[date], str]:
    """The hash of what was known by a date, of those deliveries that the pin knows."""

    @cache
    def pin_of(known: date) -> str:
        deliveries = tuple(item for item in pin.deliveries if item.outcome.cutoff_date <= known)
        return lake.Pin(known, deliveries, ()).hash

    return pin_of


def _step(path: Path) -> dict[str, object]:
    step = json.loads(path.read_text())
    return step | {
        "business_date": date.fromisoformat(step["business_date"]),
        "started_at": _utc(step["started_at"]),
        "ended_at": _utc(step["ended_at"]),
        "detail": json.dumps(step["detail"], ensure_ascii=False),
    }


def _utc(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
