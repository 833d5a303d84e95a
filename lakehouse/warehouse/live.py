"""The tables and views that the intraday loop keeps for readers beside the published ones, on every store."""

import hashlib
from dataclasses import dataclass

from lakehouse.warehouse.publication import Columns


@dataclass(frozen=True)
class LiveTable:
    """A table that the intraday loop keeps; columns are (name, SQL type)."""

    schema: str
    name: str
    columns: Columns
    key: tuple[str, ...]
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
CYCLE = (
    ("cycle", "bigint"),
    ("started_at", "timestamp"),
    ("readable_at", "timestamp"),
    ("batch_count", "bigint"),
    ("event_count", "bigint"),
    ("new_count", "bigint"),
    ("repeated_count", "bigint"),
    ("late_count", "bigint"),
    ("refused_count", "bigint"),
    ("waiting_count", "bigint"),
    ("delay_p50_seconds", "double precision"),
    ("delay_p99_seconds", "double precision"),
    ("delay_max_seconds", "double precision"),
)
FLOWS = (
    LiveTable("marts", "fund_flow_intraday", FLOW, tuple(name for name, _ in FLOW[:4]), is_large=True),
    LiveTable("marts", "outflow_alerts_intraday", ALERT, tuple(name for name, _ in ALERT[:3])),
    LiveTable("actions", "outflow_actions_intraday", ACTION, tuple(name for name, _ in ACTION[:2])),
)
CYCLES = LiveTable("ops", "intraday_cycles", CYCLE, ("cycle",), is_large=True, is_dated=False)
LIVE = (*FLOWS, CYCLES)


DAILY_FLOW = "marts.fund_flow_daily"  # without it there is nothing to lead on from: no live views


def fund_flow_sql() -> str:
    """The view over daily and intraday rows: daily up to the watermark, intraday after it."""
    flow = FLOWS[0]
    return f"select {flow.names} from {DAILY_FLOW} union all select {flow.names} from {flow.full_name}"
