"""What an engine attaches: every relation of the lake that dbt reads, as files or as small tables."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from lakehouse import catalog, lake
from lakehouse.catalog import Column, Relation
from lakehouse.contracts import load_feeds
from lakehouse.lake import audit
from lakehouse.lake.activations import PlanFiles, all_plans, delivery_of, read_dead_letters
from lakehouse.lake.alerts import read_log, read_state
from lakehouse.lake.figures import causes_since_publish
from lakehouse.lake.figures import gather as gather_figures
from lakehouse.lake.model_files import current_monitoring, current_scores
from lakehouse.lake.page_views import gather
from lakehouse.lake.places import review_file
from lakehouse.sql import identifier, literal

ATTACHED = Relation(
    "_attached",
    "One row per attached file.",
    (
        Column("relation", "varchar", "Relation that it belongs to, with its schema"),
        Column("file", "varchar", "Path of the file"),
        Column("_delivery", "varchar", "Delivery, of a feed's file"),
        Column("_superseded_date", "date", "Day from which another delivery took its place"),
        Column("task", "varchar", "Task, of a file of scores or figures"),
    ),
)
MONITORED_DAYS = 92  # up to the business date: older figures stay in the lake
SENT_DAYS = 7  # up to the business date: older changes stay in the lake
PAGE_VIEW_DAYS = 92  # up to the business date: older events stay in the lake
# of a message, as the log has it
MESSAGE = ("message_id", "rule", "severity", "receiver", "target", "attempts", "error", "publish_id", "run_id")
INTRADAY_DAYS = 7  # up to the business date: events that come later still are not reconciled


@dataclass(frozen=True)
class LakeFile:
    """One Parquet file of a relation, and the values that all its rows share."""

    path: Path
    delivery: str | None = None
    superseded_date: date | None = None
    task: str | None = None


@dataclass(frozen=True)
class LakeTable:
    """A relation whose rows are in Parquet files, and those files."""

    relation: Relation
    files: tuple[LakeFile, ...]


@dataclass(frozen=True)
class SmallTable:
    """A relation that is made from records, whole, at each attach."""

    relation: Relation
    records: Sequence[Mapping[str, object]]  # by column
    kept: pa.Table | None = None  # rows that stand before them, as the lake has them

    @property
    def rows(self) -> pa.Table:
        made = pa.Table.from_pylist(list(self.records), self.relation.arrow_schema)
        return made if self.kept is None else pa.concat_tables([self.kept.cast(made.schema), made])


def lake_tables(root: Path, pin: lake.Pin, xref: Path | None, lineage: Path | None = None) -> list[LakeTable]:
    """Every relation with Parquet behind it, from exactly the files that ``pin`` knows.

    Parameters
    ----------
    root : Path
        The lake.
    xref : Path, optional
        The identity file; None: nobody is linked yet.
    lineage : Path, optional
        The folder of `lake.lineage_folder`; None: that of the project is not read yet.
    """
    feeds = [
        LakeTable(
            catalog.feed_relation(feed),
            tuple(_delivered(root, item) for item in pin.of(feed.name)),
        )
        for feed in load_feeds().values()
    ]
    known = [*(item.outcome for item in pin.deliveries), *pin.rejected]
    rejects = tuple(LakeFile(root / outcome.quarantine_file) for outcome in known if outcome.quarantine_file)
    first = pin.business_date - timedelta(days=INTRADAY_DAYS - 1)
    first_monitored = pin.business_date - timedelta(days=MONITORED_DAYS - 1)
    intraday = [
        LakeTable(
            catalog.intraday_relation(feed),
            tuple(LakeFile(file.path) for file in lake.intraday_files(root, feed, first, pin.business_date)),
        )
        for feed in catalog.INTRADAY_COLUMNS
    ]
    return [
        *feeds,
        *intraday,
        *_forecasts(root, pin),
        LakeTable(catalog.REJECTS, rejects),
        LakeTable(catalog.CUSTOMER_XREF, (LakeFile(xref),) if xref else ()),
        LakeTable(catalog.IDENTITY_REVIEW, _present(review_file(xref)) if xref else ()),
        *(
            LakeTable(relation, _present(lake.pinned_path(root, relation.name, pin)))
            for relation in (catalog.NETWORK, catalog.CHANGE_POINTS)
        ),
        LakeTable(catalog.SEGMENTS, _segments(root, pin)),
        *(
            LakeTable(relation, (LakeFile(lineage / f"{relation.name}.parquet"),) if lineage else ())
            for relation in catalog.OF_THE_CODE
        ),
        LakeTable(catalog.ACTIVATION_CHANGES, _present(*_sent(root, pin))),
        LakeTable(catalog.PAGE_VIEWS, _page_views(root, pin)),
        LakeTable(catalog.AUDIT, tuple(LakeFile(path) for path in audit.gather(root))),
        LakeTable(catalog.SCORES, _of_tasks(current_scores(root, pin))),
        LakeTable(catalog.MODEL_MONITORING, _of_tasks(current_monitoring(root, pin, first_monitored))),
    ]


def _delivered(root: Path, item: lake.PinnedDelivery) -> LakeFile:
    return LakeFile(item.outcome.rows_path(root), item.outcome.delivery_id, item.superseded_date)


def _present(*paths: Path) -> tuple[LakeFile, ...]:
    """Those of the files that are in the lake: a step that has not run has written none."""
    return tuple(LakeFile(path) for path in paths if path.exists())


def _of_tasks(files: Iterable[tuple[str, Path]]) -> tuple[LakeFile, ...]:
    return tuple(LakeFile(path, task=task) for task, path in files)


def _forecasts(root: Path, pin: lake.Pin) -> list[LakeTable]:
    folder = _known(root, lake.FORECASTS, pin).get("forecast")
    return [
        LakeTable(relation, (LakeFile(root / lake.FORECASTS / folder / f"{name}.parquet"),) if folder else ())
        for name, relation in (("balances", catalog.FORECAST_BALANCES), ("accuracy", catalog.FORECAST_ACCURACY))
    ]


def _known(root: Path, kind: str, pin: lake.Pin) -> dict[str, str]:
    path = lake.known_path(root, kind, pin)
    return json.loads(path.read_text()) if path.exists() else {}


def _segments_model(root: Path, pin: lake.Pin) -> Path | None:
    version = _known(root, "segments", pin).get("model_version")
    return root / "models" / "customer_segments" / version if version else None


def _segments(root: Path, pin: lake.Pin) -> tuple[LakeFile, ...]:
    """Month-ends, which were assigned with the model, and the pin's date, if it is none."""
    model = _segments_model(root, pin)
    return _present(model / "assigned.parquet", lake.pinned_path(root, catalog.SEGMENTS.name, pin)) if model else ()


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
        SmallTable(catalog.SEGMENT_GROUPS, groups),
        SmallTable(catalog.SEGMENT_TRAITS, traits),
        SmallTable(catalog.SEGMENT_STABILITY, stability),
    ]


def small_tables(root: Path, pin: lake.Pin) -> list[SmallTable]:
    """What is made from records: outcomes of deliveries, steps of runs, contracts, activations, groups of customers."""
    known = [(item.outcome, item.superseded_date) for item in pin.deliveries]
    known += [(outcome, None) for outcome in pin.rejected]
    outcomes = [
        asdict(outcome)
        | {"delivery_id": outcome.delivery_id, "files": ",".join(outcome.files), "superseded_date": superseded}
        for outcome, superseded in known
    ]
    contracts = [
        {"feed": feed.name, "channel": feed.channel, "latency_days": feed.latency_days}
        for feed in load_feeds().values()
    ]
    steps = [_step(path) for path in sorted((root / "runs").glob("*/[!.]*.json"))]
    return [
        SmallTable(catalog.DELIVERY_OUTCOMES, outcomes),
        SmallTable(catalog.RUN_STEPS, steps),
        SmallTable(catalog.FEED_CONTRACTS, contracts),
        SmallTable(catalog.FEED_PURPOSES, _purposes()),
        SmallTable(catalog.ACTIVATION_PLANS, [_delivery(files) for files in all_plans(root)]),
        SmallTable(catalog.ACTIVATION_DEAD_LETTERS, read_dead_letters(root)),
        SmallTable(catalog.ALERT_MESSAGES, _messages(root)),
        SmallTable(catalog.ALERT_CASES, _cases(root)),
        *_figures(root, pin),
        *_segment_tables(root, pin),
    ]


def _figures(root: Path, pin: lake.Pin) -> list[SmallTable]:
    """What each publish showed of the main figures, and which deliveries came or went before it."""
    gathered = gather_figures(root)
    now = [{"publish_id": None} | asdict(cause) for cause in causes_since_publish(root, pin)]
    return [
        SmallTable(catalog.PUBLISHED_FIGURES, (), gathered.shown),
        SmallTable(catalog.RESTATEMENT_CAUSES, now, gathered.causes),
    ]


def _purposes() -> list[dict[str, object]]:
    """For which purposes the contracts let each column be used."""
    return [
        {"feed": feed.name, "column_name": column.name, "purpose": purpose, "valid_from": feed.purposes_since}
        for feed in load_feeds().values()
        for column in feed.columns
        for purpose in column.purposes
    ]


def select(table: LakeTable) -> str:
    """DuckDB SQL that reads the table's files with the catalog's names and types; needs ``raw._attached``."""
    relation = table.relation
    if not table.files:
        typed = (f"cast(null as {type_}) as {identifier(name)}" for name, type_ in relation.typed_columns)
        return f"select {', '.join(typed)} where false"
    names = [(identifier(column.name), column.type) for column in relation.in_file]
    columns = [f"cast(parquet.{name} as {type_}) as {name}" for name, type_ in names]
    paths = ", ".join(literal(str(file.path)) for file in table.files)
    if not relation.per_file:
        return f"select {', '.join(columns)} from {_read(relation, paths, '')} as parquet"
    columns += [f"attached.{identifier(column.name)}" for column in relation.per_file]
    return (
        f"select {', '.join(columns)} from {_read(relation, paths, ', filename = true')} as parquet "
        f"join {ATTACHED.full_name} as attached on attached.file = parquet.filename "
        f"and attached.relation = {literal(relation.full_name)}"
    )


def _read(relation: Relation, paths: str, options: str) -> str:
    """DuckDB SQL of the files' rows; a column that some files are too old to have is null in those."""
    later = [column for column in relation.in_file if column.is_later]
    if not later:
        return f"read_parquet([{paths}]{options})"
    typed = ", ".join(f"cast(null as {column.type}) as {identifier(column.name)}" for column in later)
    files = f"select * from read_parquet([{paths}]{options}, union_by_name = true)"
    return f"({files} union all by name select {typed} where false)"


def attached_files(tables: list[LakeTable]) -> SmallTable:
    """``raw._attached``: every file of the tables, with what all its rows share."""
    records = [
        {
            "relation": table.relation.full_name,
            "file": str(file.path),
            "_delivery": file.delivery,
            "_superseded_date": file.superseded_date,
            "task": file.task,
        }
        for table in tables
        for file in table.files
    ]
    return SmallTable(ATTACHED, records)


def _sent(root: Path, pin: lake.Pin) -> list[Path]:
    """What became of the changes of the last days."""
    first = str(pin.business_date - timedelta(days=SENT_DAYS - 1))
    return [files.sent for files in all_plans(root) if files.read_header()["business_date"] >= first]


def _page_views(root: Path, pin: lake.Pin) -> tuple[LakeFile, ...]:
    """The events of the last days, each date in one file."""
    first = pin.business_date - timedelta(days=PAGE_VIEW_DAYS - 1)
    return tuple(LakeFile(path) for path in gather(root, first, pin.business_date))


def _delivery(files: PlanFiles) -> dict[str, object]:
    delivery = delivery_of(files)
    return dict(delivery) | {
        "business_date": date.fromisoformat(delivery["business_date"]),
        "planned_at": _utc(delivery["planned_at"]),
        "last_answer_at": _utc(delivery["last_answer_at"]),
    }


def _messages(root: Path) -> list[dict[str, object]]:
    """The messages in the log of alerts."""
    return [
        {
            "message_number": number,
            "case_count": len(entry["cases"]),
            "outcome": entry["kind"],
            "sent_at": _utc(entry["at"]),
            **{name: entry.get(name) for name in MESSAGE},
            "business_date": date.fromisoformat(entry.get("business_date", "")),
        }
        for number, entry in read_log(root)
        if "message_id" in entry
    ]


def _cases(root: Path) -> list[dict[str, object]]:
    """The cases that are open as of the last entry in the log of alerts."""
    return [
        {
            "rule": rule,
            "case_key": case,
            "receivers": ",".join(sorted(one.told)),
            "last_told_at": _utc(max((told.at for told in one.told.values()), default=None)),
            "acknowledged_by": taken.by if (taken := one.acknowledged) else None,
            "acknowledged_at": _utc(taken.at) if taken else None,
            "acknowledged_why": taken.why if taken else None,
            "is_changed": bool(taken) and any(told.at > taken.at for told in one.told.values()),
        }
        for (rule, case), one in sorted(read_state(root).cases.items())
    ]


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
