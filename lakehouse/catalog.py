"""The lake's relations, each once: its columns, their types, and what they mean.

All that reads or writes them follows this file: the build engine attaches them (`lakehouse.warehouse.relations`),
writers take their Arrow schema, and dbt's sources are generated (`lakehouse.warehouse.dbt_sources`). The columns of a
feed come from its contract under ``feeds/``.
"""

import re
from dataclasses import dataclass

import pyarrow as pa

from lakehouse.contracts import Feed, load_feeds

ARROW_TYPES = {
    "varchar": pa.string(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}


def arrow_type(sql_type: str) -> pa.DataType:
    """The Arrow type of an SQL type that the engines share; ``decimal(18,2)`` is exact there too."""
    if decimal := re.fullmatch(r"decimal\((\d+),(\d+)\)", sql_type):
        return pa.decimal128(*map(int, decimal.groups()))
    return ARROW_TYPES[sql_type]


@dataclass(frozen=True)
class Column:
    """One column: its SQL type, shared by the engines, and its meaning."""

    name: str
    type: str
    description: str
    is_per_file: bool = False  # one value for all rows of a file, known by the file's place: not in the file itself
    is_later: bool = False  # files that were written before there was such a column have none: it reads as null
    level: str = "sensitive"  # of security, `lakehouse.contracts.LEVELS`


@dataclass(frozen=True)
class Relation:
    """One relation of the build engine, whose rows are in the lake."""

    name: str
    description: str
    columns: tuple[Column, ...]
    schema: str = "raw"
    key: tuple[str, ...] = ()  # names one row; empty: a row may come twice
    date_column: str | None = None  # by which incremental models read it

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def in_file(self) -> tuple[Column, ...]:
        """The columns of the relation's files."""
        return tuple(column for column in self.columns if not column.is_per_file)

    @property
    def per_file(self) -> tuple[Column, ...]:
        """The columns that are constant within a file, and not in it."""
        return tuple(column for column in self.columns if column.is_per_file)

    @property
    def typed_columns(self) -> tuple[tuple[str, str], ...]:
        """(name, SQL type) of the columns as attached: those of the files first."""
        return tuple((column.name, column.type) for column in self.in_file + self.per_file)

    @property
    def arrow_schema(self) -> pa.Schema:
        """The schema of the relation's files."""
        return pa.schema([(column.name, arrow_type(column.type)) for column in self.in_file])


DELIVERY = "Delivery, as <feed>/<period>/v<version>-<hash12>"
SUPERSEDED = "Day from which another delivery took its place; null while current"
LINE = "Physical line in that file; the header is line 1"
MODEL_VERSION = "Training date and the pin of its content"
LOWER_95, UPPER_95 = "Lower end of its 95 % interval", "Upper end of its 95 % interval"

TASK = Column("task", "varchar", "Score, by the name of its task", is_per_file=True)
ADDED_BY_INGESTION = {
    "_file": "Landing file that the row came in",
    "_row": LINE,
    "_known_date": "Day from which the bank's system knew the row",
}

DELIVERY_OUTCOMES = Relation(
    "delivery_outcomes",
    "What became of each delivery.",
    (
        Column("delivery_id", "varchar", DELIVERY),
        Column("feed", "varchar", "Feed"),
        Column("channel", "varchar", "branch, online, reference or feedback"),
        Column("period", "varchar", "Day, or month of an initial load"),
        Column("version", "integer", "Version of the period"),
        Column("load", "varchar", "initial or daily"),
        Column("source_hash", "varchar", "Hash over the manifest and the data files as they landed"),
        Column("cutoff_date", "date", "Day from which the delivery is known"),
        Column("outcome", "varchar", "loaded, replaced (an earlier version), rejected or retracted"),
        Column("reason", "varchar", "Why it was rejected or retracted; null if it was not"),
        Column("rows_delivered", "bigint", "Rows that the manifest announced"),
        Column("rows_loaded", "bigint", "Rows that became lake rows"),
        Column("rows_quarantined", "bigint", "Rows that went to quarantine"),
        Column("min_business_date", "date", "First business date among the loaded rows"),
        Column("max_business_date", "date", "Last business date among the loaded rows"),
        Column("late_rows", "bigint", "Loaded rows whose business date lies before the period"),
        Column("lake_file", "varchar", "Lake file, relative to the lake; null if rejected"),
        Column("quarantine_file", "varchar", "Quarantine file, relative to the lake; null without rejects"),
        Column("files", "varchar", "Landing files, comma separated"),
        Column("lake_sha256", "varchar", "Digest of the lake file as it was written"),
        Column("quarantine_sha256", "varchar", "Digest of the quarantine file as it was written"),
        Column("rows_erased", "bigint", "Rows dropped for people who were erased"),
        Column("is_erased", "boolean", "Rows of people who were erased were dropped or blanked"),
        Column("superseded_date", "date", SUPERSEDED),
    ),
    key=("delivery_id",),
)
RUN_STEPS = Relation(
    "run_steps",
    "Steps of the runs.",
    (
        Column("run_id", "varchar", "Run"),
        Column("business_date", "date", "Business date of the run"),
        Column("step", "varchar", "Step"),
        Column("status", "varchar", "success or failed"),
        Column("started_at", "timestamp", "Start, UTC"),
        Column("ended_at", "timestamp", "End, UTC"),
        Column("error", "varchar", "Why it failed; null if it did not"),
        Column("detail", "varchar", "What it did, as JSON"),
    ),
    key=("run_id", "step"),
)
ACTIVATION, PLAN = "Contract below activations/", "Number of the plan, counted per activation"
PUBLISH, KIND = "Publish that first showed it", "added, updated or deleted"
ROW_KEY = "Key columns of the row, as JSON"
ACTIVATION_PLANS = Relation(
    "activation_plans",
    "What was to be sent to each target, and what arrived of it.",
    (
        Column("activation", "varchar", ACTIVATION),
        Column("plan_number", "integer", PLAN),
        Column("table_name", "varchar", "Published table"),
        Column("target", "varchar", "Kind of target, and where it is; no secret"),
        Column("publish_id", "bigint", "Publish whose rows it sends"),
        Column("business_date", "date", "Business date of that publish"),
        Column("added", "bigint", "Rows that the target lacked"),
        Column("updated", "bigint", "Rows that it had otherwise"),
        Column("deleted", "bigint", "Rows that are gone, or may not be sent any more"),
        Column("delivered", "bigint", "Changes that it has acknowledged"),
        Column("refused", "bigint", "Changes that it did not take: dead letters"),
        Column("absent", "bigint", "Updates of rows that it does not have"),
        Column("attempts", "bigint", "Requests that were made"),
        Column("is_closed", "boolean", "Done, or overtaken by a later publish; false: the next run goes on"),
        Column("planned_at", "timestamp", "When it was made, UTC"),
        Column("last_answer_at", "timestamp", "When the target last acknowledged something, UTC"),
        Column("run_id", "varchar", "Run that made it"),
    ),
    key=("activation", "plan_number"),
)
ACTIVATION_DEAD_LETTERS = Relation(
    "activation_dead_letters",
    "Changes that a target did not take, and that are still wanted.",
    (
        Column("activation", "varchar", ACTIVATION),
        Column("row_key", "varchar", ROW_KEY),
        Column("reason", "varchar", "refused, or absent: with update_only, the target has no such row"),
        Column("change_kind", "varchar", KIND),
        Column("publish_id", "bigint", PUBLISH),
        Column("error", "varchar", "What the target answered, without values"),
    ),
    key=("activation", "row_key"),
)
ACTIVATION_CHANGES = Relation(
    "activation_changes",
    "The changes of the last days, as they were sent, and what became of each.",
    (
        Column("activation", "varchar", ACTIVATION),
        Column("plan_number", "integer", PLAN),
        Column("place", "bigint", "Place in the plan, from 0"),
        Column("event_id", "varchar", "Idempotency key: the same however often the change is sent"),
        Column("table_name", "varchar", "Published table"),
        Column("publish_id", "bigint", PUBLISH),
        Column("business_date", "date", "Business date of the publish that was sent"),
        Column("change_kind", "varchar", KIND),
        Column("row_key", "varchar", ROW_KEY),
        Column("row_hash", "varchar", "Hash of the row as sent; null: deleted"),
        Column("outcome", "varchar", "delivered, refused, absent, in doubt or not sent: overtaken by a later publish"),
    ),
    key=("activation", "plan_number", "place"),
)
FEED_CONTRACTS = Relation(
    "feed_contracts",
    "What the contracts ask of the feeds.",
    (
        Column("feed", "varchar", "Feed"),
        Column("channel", "varchar", "branch, online, reference or feedback"),
        Column("latency_days", "integer", "Days that its newest delivery may be behind the business date"),
    ),
    key=("feed",),
)
FEED_PURPOSES = Relation(
    "feed_purposes",
    "For which purposes the contracts let columns of feeds be used.",
    (
        Column("feed", "varchar", "Feed", level="general"),
        Column("column_name", "varchar", "Its column", level="general"),
        Column("purpose", "varchar", "Purpose of the seed purposes", level="general"),
        Column("valid_from", "date", "Day from which it is used for it", level="general"),
    ),
    key=("feed", "column_name", "purpose"),
)
COLUMN_LINEAGE = Relation(
    "column_lineage",
    "The columns from which every published column derives, as `c360 lineage` has them.",
    (
        Column("schema_name", "varchar", "Schema of the published column"),
        Column("table_name", "varchar", "Its table or view"),
        Column("column_name", "varchar", "Published column"),
        Column(
            "source_kind",
            "varchar",
            "feed (a column of a delivery), token (of a delivery's column only the token), seed (what the bank "
            "decides), step (what a step of a run wrote to the lake) or none (made of nothing: a literal, a count)",
        ),
        Column("channel", "varchar", "Channel of the feed; null of all else"),
        Column("source_name", "varchar", "Feed, seed (build_seeds.…) or relation of the lake (raw.…)"),
        Column("source_column", "varchar", "Its column"),
    ),
    key=("schema_name", "table_name", "column_name", "source_name", "source_column"),
)
COLUMN_LEVELS = Relation(
    "column_levels",
    "The security level of every published column, from lakehouse/warehouse/levels.py.",
    (
        Column("schema_name", "varchar", "Schema of the published column", level="general"),
        Column("table_name", "varchar", "Its table or view", level="general"),
        Column("column_name", "varchar", "Published column", level="general"),
        Column("security_level", "varchar", "general, sensitive or important", level="general"),
        Column("level_of_sources", "varchar", "The highest level of what it derives from", level="general"),
        Column(
            "reason", "varchar", "Why it is lower, or is shown though important; null: as its sources", level="general"
        ),
        Column("reviewer", "varchar", "Who reviewed that; null: nothing to review", level="general"),
    ),
    key=("schema_name", "table_name", "column_name"),
)
ELEMENT_CONTROLS = Relation(
    "element_controls",
    "The checks that look at the critical data elements.",
    (
        Column("element", "varchar", "Published column, as schema.table.column"),
        Column("control_kind", "varchar", "raw gate, mart gate or data test"),
        Column("control", "varchar", "Suite and what it holds against a limit, or model and test"),
    ),
    key=("element", "control_kind", "control"),
)
ELEMENT_USES = Relation(
    "element_uses",
    "What readers see that is made of the critical data elements that people may adjust.",
    (
        Column("element", "varchar", "Published column, as schema.table.column"),
        Column("report_kind", "varchar", "column, metric or dashboard"),
        Column("report", "varchar", "Published column, as schema.table.column, or name of the metric or dashboard"),
        Column("is_adjusted", "boolean", "Whether it has the adjustments in it; else it is the bank's own figure"),
    ),
    key=("element", "report_kind", "report"),
)
FIGURE_TABLE, FIGURE_MEASURE, FIGURE_DATE = "Published table", "What is counted or added up", "Date of the figure"
PUBLISHED_FIGURES = Relation(
    "published_figures",
    "The bank's main figures by date, as each publish showed them for the first time.",
    (
        Column("publish_id", "bigint", "Number of the publish"),
        Column("published_date", "date", "Business date of the publish"),
        Column("table_name", "varchar", FIGURE_TABLE),
        Column("measure", "varchar", FIGURE_MEASURE),
        Column("figure_date", "date", FIGURE_DATE),
        Column("figure_value", "decimal(38,2)", "Value; null from the publish on that has none any more"),
    ),
    key=("publish_id", "table_name", "measure", "figure_date"),
)
RESTATEMENT_CAUSES = Relation(
    "restatement_causes",
    "Deliveries whose fate is another than at the publish before.",
    (
        Column("publish_id", "bigint", "Number of the publish; null of the one that is being built"),
        Column("delivery_id", "varchar", DELIVERY),
        Column("change", "varchar", "came or retracted"),
        Column("first_date", "date", "Earliest date of its rows and of those that it replaced; null of a snapshot"),
    ),
    key=("publish_id", "delivery_id"),
)
OF_THE_CODE = (COLUMN_LINEAGE, COLUMN_LEVELS, ELEMENT_CONTROLS, ELEMENT_USES)  # in the folder of its version
RULE = "Rule of alerts.yml"
ALERT_MESSAGES = Relation(
    "alert_messages",
    "Who was sent a message about which rule, and whether the target took it.",
    (
        Column("message_number", "bigint", "Place in the log of alerts"),
        Column("message_id", "varchar", "The same however often the message is sent; of a mail, its Message-ID"),
        Column("rule", "varchar", RULE),
        Column("severity", "varchar", "critical, warning or info"),
        Column("receiver", "varchar", "Receiver of alerts.yml"),
        Column("target", "varchar", "Kind of target, and where it is; no secret"),
        Column("case_count", "bigint", "Cases that it is about"),
        Column("outcome", "varchar", "sent, refused, or unreachable: the next call sends it again"),
        Column("attempts", "bigint", "How often the target was asked"),
        Column("error", "varchar", "What did not go as it should; null if nothing"),
        Column("publish_id", "bigint", "Publish that showed the cases"),
        Column("business_date", "date", "Business date of that publish"),
        Column("sent_at", "timestamp", "When it was sent, UTC"),
        Column("run_id", "varchar", "Run that sent it"),
    ),
    key=("message_number",),
)
ALERT_CASES = Relation(
    "alert_cases",
    "Cases that last, of which somebody was told, or that somebody has taken on.",
    (
        Column("rule", "varchar", RULE),
        Column("case_key", "varchar", "Key of the row that is the case, its columns with / between them"),
        Column("receivers", "varchar", "Who was told, with commas; empty: nobody yet"),
        Column("last_told_at", "timestamp", "When somebody was last told, UTC; null: not yet"),
        Column("acknowledged_by", "varchar", "Who took it on; null: nobody", level="important"),
        Column("acknowledged_at", "timestamp", "When, UTC"),
        Column("acknowledged_why", "varchar", "What they said", level="important"),
        Column("is_changed", "boolean", "It has changed since it was taken on, and was told again"),
    ),
    key=("rule", "case_key"),
)
CUSTOMER_XREF = Relation(
    "customer_xref",
    "Party records and their customers, from the identity step.",
    (
        Column("party_key", "varchar", "One source's record of a person or an organisation"),
        Column("customer_key", "varchar", "Customer: the earliest-known party record of its cluster"),
        Column("rule", "varchar", "Rule that joined the record to the customer"),
        Column("match_weight", "double precision", "Weight of the match in bits; null for exact evidence"),
        Column("valid_from", "date", "First day"),
        Column("valid_to", "date", "First day on which it no longer holds; null while it does"),
    ),
    key=("party_key", "valid_from"),
)
IDENTITY_REVIEW = Relation(
    "identity_review",
    "Pairs of party records that a clerk should look at.",
    (
        Column("left_party_key", "varchar", "One party record"),
        Column("right_party_key", "varchar", "The other one"),
        Column("left_customer_key", "varchar", "Customer of the one"),
        Column("right_customer_key", "varchar", "Customer of the other"),
        Column("match_weight", "double precision", "Weight of the match in bits"),
        Column("reason", "varchar", "Why they were not joined"),
        Column("evidence", "varchar", "What each comparison came to, without the values"),
        Column("known_from", "date", "Day from which the pair is known"),
    ),
    key=("left_party_key", "right_party_key"),
)
NETWORK = Relation(
    "network",
    "Nodes of the payment network, from ml_jobs/derived/network.py.",
    (
        Column("node_key", "varchar", "Customer, or outside:<token>"),
        Column("in_degree", "integer", "Payers"),
        Column("out_degree", "integer", "Payees"),
        Column("pagerank", "double precision", "PageRank by recency-weighted amounts"),
        Column("component_key", "varchar", "Smallest node key of the component"),
        Column("component_size", "integer", "Nodes in the component"),
        Column("community_key", "varchar", "Smallest node key of the community"),
        Column("community_size", "integer", "Nodes in the community"),
    ),
    key=("node_key",),
)
CHANGE_POINTS = Relation(
    "change_points",
    "Levels of customers' assets, from ml_jobs/derived/change_points.py.",
    (
        Column("customer_key", "varchar", "Customer"),
        Column("change_date", "date", "First month-end at the level"),
        Column("usual_amount", "decimal(38,2)", "Usual assets before"),
        Column("level_amount", "decimal(38,2)", "Average assets at the level, up to the next change-point"),
    ),
    key=("customer_key", "change_date"),
)
SEGMENTS = Relation(
    "segments",
    "Segments of the customers without a relationship manager, from ml_jobs/derived/segments.py.",
    (
        Column("customer_key", "varchar", "Customer, as known on the as-of date"),
        Column("as_of_date", "date", "Month-end, or the business date"),
        Column("segment_id", "integer", "Segment"),
        Column("distance", "double precision", "Distance to the centre of the segment"),
        Column("confidence", "double precision", "1 at the centre of the segment, 0 as near to another"),
        Column("model_version", "varchar", MODEL_VERSION),
    ),
    key=("customer_key", "as_of_date"),
)
SEGMENT_GROUPS = Relation(
    "segment_groups",
    "The segments, from the card of their model.",
    (
        Column("segment_id", "integer", "Segment"),
        Column("segment_name_en", "varchar", "Name"),
        Column("segment_name_zh", "varchar", "Name in Chinese"),
        Column("profile_en", "varchar", "In what the segment differs from all others"),
        Column("profile_zh", "varchar", "In what the segment differs from all others, in Chinese"),
        Column("model_version", "varchar", MODEL_VERSION),
    ),
    key=("segment_id",),
)
SEGMENT_TRAITS = Relation(
    "segment_traits",
    "What the segments are made of, from the card of their model.",
    (
        Column("segment_id", "integer", "Segment"),
        Column("trait", "varchar", "Trait"),
        Column("trait_en", "varchar", "Trait in words"),
        Column("trait_zh", "varchar", "Trait in Chinese"),
        Column("deviation", "double precision", "Mean place among all customers, in standard deviations"),
        Column("median_value", "double precision", "Median of the segment"),
        Column("median_of_all_value", "double precision", "Median of all customers"),
    ),
    key=("segment_id", "trait"),
)
SEGMENT_STABILITY = Relation(
    "segment_stability",
    "How stable the segments are, from the card of their model.",
    (
        Column("as_of_date", "date", "Month-end, against the one before"),
        Column("customer_count", "integer", "Customers of both"),
        Column("stayed_rate", "double precision", "Share of them that are in the same segment"),
        Column("refit_rand", "double precision", "Adjusted Rand index of models fitted afresh on either month"),
        Column("refit_rand_low", "double precision", LOWER_95),
        Column("refit_rand_high", "double precision", UPPER_95),
        Column(
            "customers_rand", "double precision", "Adjusted Rand index of the customers' segments, by the model in use"
        ),
        Column("customers_rand_low", "double precision", LOWER_95),
        Column("customers_rand_high", "double precision", UPPER_95),
    ),
    key=("as_of_date",),
)
_FORECAST = (
    Column("measure", "varchar", "deposit, investment or outflow"),
    Column("level", "varchar", "bank, family, branch or branch_family"),
    Column("as_of_date", "date", "Last day that the forecast knows"),
    Column("model", "varchar", "Method of the published forecast"),
    Column("baseline", "varchar", "Simple forecast that it is compared with"),
)
FORECAST_BALANCES = Relation(
    "forecast_balances",
    "Forecasts of weekly balances and outflows.",
    (
        *_FORECAST,
        Column("branch_code", "varchar", "Branch, or all"),
        Column("product_family", "varchar", "Product family, class of the counterparty, or all"),
        Column("horizon_weeks", "integer", "Weeks ahead"),
        Column("week_end_date", "date", "Sunday that ends the week"),
        Column("mean_amount", "double precision", "Forecast"),
        Column("lower_80_amount", "double precision", "Lower end of the 80 % interval"),
        Column("upper_80_amount", "double precision", "Upper end of the 80 % interval"),
        Column("lower_95_amount", "double precision", "Lower end of the 95 % interval"),
        Column("upper_95_amount", "double precision", "Upper end of the 95 % interval"),
        Column("baseline_amount", "double precision", "Forecast of the baseline"),
    ),
    key=("measure", "level", "branch_code", "product_family", "horizon_weeks"),
)
FORECAST_ACCURACY = Relation(
    "forecast_accuracy",
    "Accuracy of the forecasts in a backtest with rolling origin.",
    (
        *_FORECAST,
        Column("first_horizon_weeks", "integer", "Weeks ahead, from"),
        Column("last_horizon_weeks", "integer", "Weeks ahead, to"),
        Column("candidate", "varchar", "Best method on earlier weeks, published if it beats the baseline"),
        Column("series_count", "integer", "Series of the level"),
        Column("origin_count", "integer", "Weeks from which it was tried"),
        Column("mae_amount", "double precision", "Mean absolute error of what is published"),
        Column("mae_low_amount", "double precision", LOWER_95),
        Column("mae_high_amount", "double precision", UPPER_95),
        Column("mase", "double precision", "Mean absolute scaled error"),
        Column("baseline_mae_amount", "double precision", "Mean absolute error of the baseline"),
        Column("naive_mae_amount", "double precision", "Mean absolute error if nothing changed"),
        Column("skill", "double precision", "1 less the candidate's error as a share of the baseline's"),
        Column("skill_low", "double precision", LOWER_95),
        Column("skill_high", "double precision", UPPER_95),
        Column("interval_origin_count", "integer", "Weeks from which intervals were tried"),
        Column("coverage_80", "double precision", "Share of outcomes within the 80 % interval"),
        Column("coverage_80_low", "double precision", LOWER_95),
        Column("coverage_80_high", "double precision", UPPER_95),
        Column("coverage_95", "double precision", "Share of outcomes within the 95 % interval"),
    ),
    key=("measure", "level", "first_horizon_weeks"),
)
SCORES = Relation(
    "scores",
    "Scores of all tasks, as scored.",
    (
        TASK,
        Column("customer_key", "varchar", "Customer, as known on the as-of date"),
        Column("as_of_date", "date", "Day on which the horizon begins"),
        Column("horizon_days", "integer", "Days ahead"),
        Column("probability", "double precision", "Calibrated probability"),
        Column("band", "varchar", "Band of the probability"),
        Column("rank", "integer", "Rank on the as-of date; 1 is the highest probability"),
        Column("reason_1_code", "varchar", "Reason 1: feature"),
        Column("reason_1_value", "double precision", "Reason 1: value of the feature"),
        Column("reason_1_reference", "double precision", "Reason 1: what similar customers have", is_later=True),
        Column("reason_2_code", "varchar", "Reason 2: feature"),
        Column("reason_2_value", "double precision", "Reason 2: value of the feature"),
        Column("reason_2_reference", "double precision", "Reason 2: what similar customers have", is_later=True),
        Column("reason_3_code", "varchar", "Reason 3: feature"),
        Column("reason_3_value", "double precision", "Reason 3: value of the feature"),
        Column("reason_3_reference", "double precision", "Reason 3: what similar customers have", is_later=True),
        Column("model_name", "varchar", "Kind of model"),
        Column("model_version", "varchar", MODEL_VERSION),
        Column("feature_version", "varchar", "Version of the feature definitions"),
        Column("scored_at", "timestamp", "Time of the scoring, UTC"),
    ),
    key=("task", "customer_key", "as_of_date", "horizon_days", "model_version"),
)
MODEL_MONITORING = Relation(
    "model_monitoring",
    "Drift and calibration of the models, of the last days.",
    (
        TASK,
        Column("as_of_date", "date", "Business date of the figure"),
        Column("model_version", "varchar", "Model that it is about"),
        Column("measure", "varchar", "Measure, as in docs/MODELS.md: stability_index, missing_rise …"),
        Column("feature", "varchar", "Feature, (score) for the score itself, or (score) and a part or groups"),
        Column("measured_date", "date", "As-of date of the rows that were measured"),
        Column("value", "double precision", "Value"),
        Column("threshold", "double precision", "Limit"),
        Column("is_alert", "boolean", "True beyond the limit; of the parts of a list for decile 1 alone"),
        Column("row_count", "bigint", "Customers in the part of the list", is_later=True),
        Column("promised_rate", "double precision", "Mean probability of the part of the list", is_later=True),
        Column("observed_rate", "double precision", "Share of the part with the outcome", is_later=True),
        Column("observed_low_rate", "double precision", "Lower end of its 95 % interval", is_later=True),
        Column("observed_high_rate", "double precision", "Upper end of its 95 % interval", is_later=True),
        Column("quarter_low_rate", "double precision", "Lower end of the interval that quarters have", is_later=True),
        Column("quarter_high_rate", "double precision", "Upper end of the interval that quarters have", is_later=True),
    ),
    key=("task", "as_of_date", "model_version", "measure", "feature", "measured_date"),
)
REJECTS = Relation(
    "rejects",
    "Rows that were refused, with the reason and the raw text.",
    (
        Column("feed", "varchar", "Feed"),
        Column("period", "varchar", "Period of the delivery"),
        Column("version", "integer", "Version of the period"),
        Column("file", "varchar", "Landing file"),
        Column("row", "bigint", LINE),
        Column("column_name", "varchar", "Column at fault; null for the whole row"),
        Column("reason", "varchar", "Why the row was refused"),
        Column("raw_text", "varchar", "The row as it came", level="important"),
        Column("business_date", "date", "Business date, where it could be read"),
        Column("account_no_token", "varchar", "Token of the account, where it could be read"),
    ),
    schema="quarantine",
    key=("feed", "period", "version", "file", "row", "column_name"),
)
PAGE_VIEWS = Relation(
    "page_views",
    "Who saw whom in the workbench, who was refused, and what people handed in, of the last days.",
    (
        Column("event_id", "varchar", "Number of the event"),
        Column("happened_at", "timestamp", "When, UTC"),
        Column("business_date", "date", "Business date that was shown"),
        Column("publish_id", "bigint", "Publish that was shown"),
        Column("user_name", "varchar", "Who, as granted; null of one who has not signed in", level="important"),
        Column("role_name", "varchar", "In which role; null of one who has not signed in"),
        Column("event_kind", "varchar", "view, refusal, write, sign_in or sign_out"),
        Column("page", "varchar", "Page, or what was handed in"),
        Column("customer_key", "varchar", "Customer on the page, a row for each; null of a page without customers"),
        Column("detail", "varchar", "Outcome that was handed in, or why it was refused"),
    ),
    key=("event_id",),
)
AUDIT = Relation(
    "audit",
    "The last records of the audit: what was done, by whom, each with the hash of the one before.",
    (
        Column("record_number", "bigint", "Number of the record, from 1 on"),
        Column("happened_at", "timestamp", "When it was noted, UTC"),
        Column("record_kind", "varchar", "file, replaced, rule, receipts, export, rights, token, model, ..."),
        Column("done_by", "varchar", "Who did it, or the run; null where a step noted it that knows no run"),
        Column("subject", "varchar", "What it is about: a file of the lake, a rule, what was done"),
        Column("detail", "varchar", "What is said of it"),
        Column("old_sha256", "varchar", "SHA-256 of the file before"),
        Column("new_sha256", "varchar", "SHA-256 of the file now"),
        Column("previous_hash", "varchar", "Hash of the record before"),
        Column("record_hash", "varchar", "Hash of this record"),
    ),
    key=("record_number",),
)
INTRADAY_COLUMNS = {  # of an event, those that are reconciled with the daily delivery
    "transactions": ("txn_id", "business_date", "direction", "amount"),
    "wallet_payments": ("payment_id", "binding_id", "business_date", "amount"),
}


def feed_relation(feed: Feed) -> Relation:
    """All versions of a feed's rows, each with its delivery."""
    meanings = {column.name: column.description for column in feed.columns}
    meanings |= {f"{name}_token": f"Token of {name}" for name in feed.tokenised} | ADDED_BY_INGESTION
    may_be_absent = {column.name for column in feed.columns if column.may_be_absent}
    columns = (
        *(Column(name, type_, meanings[name], is_later=name in may_be_absent) for name, type_ in feed.lake_columns),
        Column("_delivery", "varchar", DELIVERY, is_per_file=True),
        Column("_superseded_date", "date", SUPERSEDED, is_per_file=True),
    )
    return Relation(feed.name, feed.description, columns, date_column=feed.business_date_column)


def intraday_relation(feed: str) -> Relation:
    """Events of a feed within the day."""
    of_contract = {column.name: column for column in load_feeds()[feed].columns}
    chosen = (of_contract[name] for name in INTRADAY_COLUMNS[feed])
    return Relation(
        f"intraday_{feed}",
        "Events of the last days, as often as they came.",
        tuple(Column(column.name, column.type, column.description) for column in chosen),
    )


def relations() -> tuple[Relation, ...]:
    """Every relation that dbt can read, feeds first."""
    return (*map(feed_relation, load_feeds().values()), *step_relations())


def step_relations() -> tuple[Relation, ...]:
    """What the steps of runs keep in the lake beside the feeds."""
    return (
        DELIVERY_OUTCOMES,
        RUN_STEPS,
        ACTIVATION_PLANS,
        ACTIVATION_DEAD_LETTERS,
        ACTIVATION_CHANGES,
        FEED_CONTRACTS,
        FEED_PURPOSES,
        COLUMN_LINEAGE,
        COLUMN_LEVELS,
        ELEMENT_CONTROLS,
        ELEMENT_USES,
        PUBLISHED_FIGURES,
        RESTATEMENT_CAUSES,
        PAGE_VIEWS,
        AUDIT,
        ALERT_MESSAGES,
        ALERT_CASES,
        CUSTOMER_XREF,
        IDENTITY_REVIEW,
        NETWORK,
        CHANGE_POINTS,
        SEGMENTS,
        SEGMENT_GROUPS,
        SEGMENT_TRAITS,
        SEGMENT_STABILITY,
        FORECAST_BALANCES,
        FORECAST_ACCURACY,
        *map(intraday_relation, INTRADAY_COLUMNS),
        SCORES,
        MODEL_MONITORING,
        REJECTS,
    )
