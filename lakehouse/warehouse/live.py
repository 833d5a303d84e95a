"""The tables and views that the intraday loop keeps for readers beside the published ones, on every store."""

import hashlib
from dataclasses import dataclass

from lakehouse.catalog import Column, Relation
from lakehouse.warehouse.publication import Columns


@dataclass(frozen=True)
class LiveTable:
    """A table that the intraday loop keeps; columns are (name, SQL type)."""

    schema: str
    name: str
    columns: Columns
    key: tuple[str, ...]
    description: str
    mirrors: str | None = None  # the published table of the daily batch, in whose words its columns are described
    is_large: bool = False  # on Postgres only its changed rows are written
    is_dated: bool = True  # has a business_date; readers see only dates after the watermark, the last published one

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def shape(self) -> str:
        """Eight hex digits of the columns: what another version of the code left has another shape, and is not read."""
        return hashlib.sha256(repr(self.columns).encode()).hexdigest()[:8]

    @property
    def past_watermark(self) -> str:
        """The condition on rows that readers see; needs ``ops.publications``."""
        if not self.is_dated:
            return "true"
        return "business_date > (select max(business_date) from ops.publications where schema_name = 'marts')"

    @property
    def names(self) -> str:
        return ", ".join(name for name, _ in self.columns)


FLOW = (
    ("customer_key", "varchar"),
    ("business_date", "date"),
    ("counterparty_class", "varchar"),
    ("direction", "varchar"),
    ("txn_count", "bigint"),
    ("amount", "decimal(38,2)"),
    ("wallet_payment_count", "bigint"),
    ("wallet_payment_amount", "decimal(38,2)"),
)
ALERT = (
    ("customer_key", "varchar"),
    ("business_date", "date"),
    ("flow_kind", "varchar"),
    ("season", "varchar"),
    ("amount", "decimal(38,2)"),
    ("lent_amount", "decimal(38,2)"),
    ("assets_before_amount", "decimal(38,2)"),
    ("asset_share", "double precision"),
    ("payee_amount", "decimal(38,2)"),
    ("usual_amount", "double precision"),
    ("robust_z", "double precision"),
    ("is_unusual", "boolean"),
    ("is_large_share", "boolean"),
    ("is_large_sum", "boolean"),
    ("is_new_payee", "boolean"),
    ("is_serious", "boolean"),
    ("star_tier", "integer"),
    ("branch_code", "varchar"),
)
ACTION = (
    ("customer_key", "varchar"),
    ("business_date", "date"),
    ("action_en", "varchar"),
    ("action_zh", "varchar"),
    ("reason_en", "varchar"),
    ("reason_zh", "varchar"),
    ("amount", "decimal(38,2)"),
    ("asset_share", "double precision"),
    ("is_serious", "boolean"),
    ("channel", "varchar"),
    ("owner", "varchar"),
    ("rm_id", "varchar"),
    ("branch_code", "varchar"),
    ("valid_until", "date"),
    ("is_allowed", "boolean"),
    ("block_reason", "varchar"),
    ("is_control", "boolean"),
    ("is_handed_out", "boolean"),
)
CYCLE = Relation(
    "intraday_cycles",
    "Grain: cycle of the intraday loop. What came in each, and how long events waited until readers saw them.",
    (
        Column("cycle", "bigint", "Number of the cycle"),
        Column("started_at", "timestamp", "Start"),
        Column("readable_at", "timestamp", "When readers saw its events"),
        Column("batch_count", "bigint", "Micro-batches"),
        Column("event_count", "bigint", "Events in them"),
        Column("new_count", "bigint", "Events that were new"),
        Column("repeated_count", "bigint", "Events that had come before"),
        Column("late_count", "bigint", "Events of a date that the daily batch had closed"),
        Column("refused_count", "bigint", "Events against the contract, or of people who were erased"),
        Column("waiting_count", "bigint", "Micro-batches that still waited at its end"),
        Column("delay_p50_seconds", "double precision", "Time from an event to its readers, median"),
        Column("delay_p99_seconds", "double precision", "The same, 99th percentile"),
        Column("delay_max_seconds", "double precision", "The same, longest"),
    ),
    schema="ops",
    key=("cycle",),
)
FLOWS = (
    LiveTable(
        "marts",
        "fund_flow_intraday",
        FLOW,
        tuple(name for name, _ in FLOW[:4]),
        "Grain: as fund_flow_daily, of days after the last published date, from the day's events.",
        mirrors="marts.fund_flow_daily",
        is_large=True,
    ),
    LiveTable(
        "marts",
        "outflow_alerts_intraday",
        ALERT,
        tuple(name for name, _ in ALERT[:3]),
        "Grain: as outflow_alerts, of days after the last published date, from the day's events.",
        mirrors="marts.outflow_alerts",
    ),
    LiveTable(
        "actions",
        "outflow_actions_intraday",
        ACTION,
        tuple(name for name, _ in ACTION[:2]),
        "Grain: as outflow_actions, of days after the last published date, from the day's events.",
        mirrors="actions.outflow_actions",
    ),
)
CYCLES = LiveTable("ops", CYCLE.name, CYCLE.typed_columns, CYCLE.key, CYCLE.description, is_large=True, is_dated=False)
LIVE = (*FLOWS, CYCLES)


DAILY_FLOW = "marts.fund_flow_daily"  # without it there is nothing to lead on from: no live views


def fund_flow_sql() -> str:
    """The view over daily and intraday rows: daily up to the watermark, intraday after it."""
    flow = FLOWS[0]
    return f"select {flow.names} from {DAILY_FLOW} union all select {flow.names} from {flow.full_name}"
