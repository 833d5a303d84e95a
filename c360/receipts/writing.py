"""Writing the receipts of a publish, from the build engine as it was published."""

import json
import re
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from c360.receipts.files import About, Receipts, hashed, not_in_audit, path_of, prepared_path, read, write
from lakehouse import warehouse
from lakehouse.catalog import SCORES
from lakehouse.lake import Pin, audit
from lakehouse.lake.files import digest
from lakehouse.lake.model_files import current_scores
from lakehouse.lake.publishes import publish_path
from lakehouse.settings import Settings
from lakehouse.sql import literal
from lakehouse.warehouse.dbt import compiled_sql, read_manifest
from ml_jobs.scores.data import read_features_of
from ml_jobs.task_file import load_tasks

WORKLIST = "actions.worklist"
BAND = "high"  # scores of this band leave a receipt, whatever becomes of them
FACTS, BARS, LIMITS = "int_customer__contact_facts", "int_customer__contact_bars", "contact_limits"
OF_FACTS = (
    *("business_date", "is_deceased", "is_in_collection", "is_opted_out", "is_closed"),
    *("contact_count_30d", "contact_count_90d", "last_contact_date", "last_complaint_date", "last_service_date"),
    *("last_other_owner_date", "has_phone", "preferred_channel", "owner", "rm_id", "branch_code"),
)
OF_BARS = (
    *("bars_deceased", "bars_in_collection", "bars_opted_out", "bars_closed", "bars_unreachable", "bars_complaint"),
    *("bars_recent_contact", "bars_other_owner", "bars_cap_reached"),
)
OF_ACTIONS = (
    *("source", "urgency", "priority", "action_en", "action_zh", "reason_en", "reason_zh", "basis", "amount_at_stake"),
    *("expected_amount", "is_allowed", "block_reason", "channel", "owner", "rm_id", "branch_code", "due_date", "arm"),
    "is_handed_out",
)
REASON_COLUMNS = tuple(column.name for column in SCORES.columns if column.name.startswith("reason_"))
OF_SCORES = (
    "scored_customer_key",
    "as_of_date",
    "horizon_days",
    "measure",
    "score",
    "model_probability",
    "band",
    "rank",
    "model_version",
)

# Which score a list goes by, by action.
TASKS = """
    select action_id, task from build_actions.retention
    union all select action_id, 'propensity_' || product_line as task from build_actions.next_best_offer
    union all select action_id, 'lead_conversion' as task from build_actions.lead_calls where basis = 'score'
    union all select action_id, 'credit_warning' as task from build_actions.early_warning
"""


def prepare_receipts(settings: Settings, run_id: str, pin: Pin, project: str) -> None:
    """Write down, before a publish, the receipts that it is to leave: no publish can then be without.

    There is one of every action on the worklist, and of every score in the highest band. It has what its decision went
    by: the score with model, features and reasons, the facts that the contact policy went by, each bar of the policy,
    and what came of it.
    """
    compiled = compiled_sql(settings, read_manifest(settings))
    with warehouse.reading(settings):
        limits = warehouse.query(settings, f"select * from build_seeds.{LIMITS} order by threshold").to_pylist()
        rows = warehouse.query(settings, _decisions(pin.business_date))
        table = hashed(_with_lists(settings.lake, pin, _with_models(settings, rows)))
    about = About(
        publish_id=warehouse.published_snapshot(settings).publish_id + 1,
        business_date=str(pin.business_date),
        run_id=run_id,
        project=project,
        pin=pin.hash,
        publish_sha256=None,
        bars_sql=_over_names(compiled[f"model.bank.{BARS}"]),
        policy_sql=_over_names(compiled["model.bank.contact_policy"]),
        contact_limits=limits,
    )
    write(Receipts(prepared_path(settings.lake), about, table))


def keep_receipts(settings: Settings) -> Path | None:
    """Keep the prepared receipts as those of the publish that there was since, in the lake and in the audit.

    After a run that was killed the next one does it: what was prepared for a publish that never was is thrown away.

    Returns
    -------
    Path or None
        Their file; None if there were none, or none of a publish.
    """
    prepared = prepared_path(settings.lake)
    if not prepared.exists():
        return None
    found = read(prepared)
    if not _is_published(settings, found.about):
        prepared.unlink()
        return None
    about = found.about
    record = publish_path(settings.lake, about["publish_id"])
    path = path_of(settings.lake, date.fromisoformat(about["business_date"]), about["publish_id"])
    if not path.exists():
        about["publish_sha256"] = digest(record) if record.exists() else None
        write(Receipts(path, about, found.table))
    if not_in_audit(settings.lake, path):
        detail = f"{found.table.num_rows} receipts, root {found.root}"
        name = str(path.relative_to(settings.lake))
        entry = audit.entry("receipts", name, about["run_id"], detail, new=digest(path))
        audit.append(settings.lake, [entry])
    prepared.unlink()
    return path


def _is_published(settings: Settings, about: About) -> bool:
    """Whether readers have what the receipts were prepared for; a later publish may have replaced ``ops`` alone."""
    now = warehouse.published_snapshot(settings)
    worklist = now.publications.get(WORKLIST)
    return worklist is not None and worklist.run_id == about["run_id"] and now.publish_id >= about["publish_id"]


def _over_names(statement: str) -> str:
    """The compiled SQL of a model, reading plain names in place of the engine's tables."""
    for relation, name in ((FACTS, "contact_facts"), (BARS, "contact_bars"), (LIMITS, "contact_limits")):
        statement = re.sub(rf'(?:"?\w+"?\.)*"?\b{relation}\b"?', name, statement)
    return statement


def _decisions(day: date) -> str:
    """SQL of every receipt, without what is known of models."""
    actions = ", ".join(f"actions.{name}" for name in OF_ACTIONS)
    no_action = ", ".join(f"null as {name}" for name in OF_ACTIONS)
    scores = ", ".join(f"scores.{name}" for name in (*OF_SCORES, *REASON_COLUMNS))
    facts = ", ".join(f"facts.{name} as fact_{name}" for name in OF_FACTS)
    return f"""
        with decisions as (
            select actions.action_id as receipt_id, 'action' as receipt_kind, actions.customer_key, tasks.task,
                {actions}
            from build_actions.worklist as actions
            left join ({TASKS}) as tasks on actions.action_id = tasks.action_id
            union all
            select 'score:' || task || ':' || customer_key as receipt_id, 'score' as receipt_kind, customer_key, task,
                {no_action}
            from build_intermediate.int_score__latest
            where band = '{BAND}'
        )
        select
            decisions.*, {literal(day)} as business_date, {scores},
            sentences.reason_en as score_reason_en, sentences.reason_zh as score_reason_zh,
            {facts}, {", ".join(f"bars.{name}" for name in OF_BARS)},
            policy.block_reason as policy_block_reason, policy.service_block_reason as policy_service_block_reason,
            policy.is_control as policy_is_control
        from decisions
        left join build_intermediate.int_score__latest as scores
            on decisions.task = scores.task and decisions.customer_key = scores.customer_key
        left join build_scores.customer_scores as sentences
            on decisions.task = sentences.task and decisions.customer_key = sentences.customer_key
        left join build_intermediate.{FACTS} as facts on decisions.customer_key = facts.customer_key
        left join build_intermediate.{BARS} as bars on decisions.customer_key = bars.customer_key
        left join build_actions.contact_policy as policy on decisions.customer_key = policy.customer_key
        order by decisions.receipt_id
    """


def _with_lists(lake: Path, pin: Pin, rows: pa.Table) -> pa.Table:
    """The rows with the file of all scores of the day, whose order gave each its rank and band."""
    places = {(task, path.parent.name): path for task, path in current_scores(lake, pin)}
    days = zip(rows["task"].to_pylist(), rows["as_of_date"].to_pylist(), strict=True)
    found = [places.get((task, f"as_of_date={day}")) for task, day in days]
    digests = {path: digest(path) for path in found if path}
    files = [path and str(path.relative_to(lake)) for path in found]
    rows = rows.append_column("scores_file", pa.array(files, pa.string()))
    return rows.append_column("scores_sha256", pa.array([path and digests[path] for path in found], pa.string()))


def _with_models(settings: Settings, rows: pa.Table) -> pa.Table:
    """The rows with what the model of each is, and the values of its features in the model's order."""
    count = rows.num_rows
    texts = {name: np.full(count, None, object) for name in ("model_sha256", "card_sha256", "feature_version")}
    features = np.full(count, None, object)
    scored = rows.filter(pc.is_valid(rows["score"]))
    groups = scored.group_by(["task", "as_of_date", "model_version"]).aggregate([])
    for group in groups.to_pylist():
        mask = pc.and_(pc.equal(rows["task"], group["task"]), pc.is_valid(rows["score"])).fill_null(False)
        at = np.flatnonzero(mask.to_numpy(zero_copy_only=False))
        folder = settings.lake / "models" / group["task"] / group["model_version"]
        card = json.loads((folder / "card.json").read_text())
        keys = rows["scored_customer_key"].take(pa.array(at)).to_pylist()
        known = read_features_of(
            settings, load_tasks()[group["task"]], tuple(card["features"]), group["as_of_date"], set(keys)
        )
        place = {key: position for position, key in enumerate(known.customer)}
        for position, key in zip(at, keys, strict=True):
            features[position] = known.values[place[key]].tolist()
        texts["model_sha256"][at] = card["model_sha256"]
        texts["card_sha256"][at] = digest(folder / "card.json")
        texts["feature_version"][at] = card["feature_version"]
    for name, values in texts.items():
        rows = rows.append_column(name, pa.array(values, pa.string()))
    return rows.append_column("features", pa.array(features, pa.list_(pa.float32())))
