"""The result of the demo on one screen, read from the serving store as any reader would."""

import os
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from c360.metrics import query_metrics
from c360.reports import Row, worklist
from demo.pages import in_shell, look_again
from expectations.overview import suite_runs
from lakehouse import warehouse
from lakehouse.settings import Settings
from ml_jobs.quality.report import quality_tables, score_quality

CALLS = 10


def print_summary(console: Console, settings: Settings, truth: Path | None) -> None:
    """Print deliveries, gates, customers, score quality, whom to call first, and where to look next."""
    for title, part in (
        ("Deliveries", _deliveries),
        ("Gates", _gates),
        ("Customers", customers_line),
        ("Within the day", _live),
    ):
        console.print(Text.assemble((title, "bold"), f"  {part(settings)}"), highlight=False, soft_wrap=True)
    for part in (*quality_tables(score_quality(settings, truth)), _calls(settings), _next_steps(settings)):
        console.print(part, highlight=False, soft_wrap=not isinstance(part, Table))


def _deliveries(settings: Settings) -> str:
    (total,) = _rows(
        settings,
        """
        select
            count(*) as deliveries,
            count(*) filter (where outcome = 'rejected') as rejected,
            sum(rows_loaded) as rows_loaded,
            sum(rows_quarantined) as rows_quarantined
        from ops.deliveries
        """,
    )
    reasons = _rows(settings, "select reason, feed, count(*) as rejects from ops.rejects group by all order by all")
    rejected = _rows(settings, "select delivery_id, reason from ops.deliveries where outcome = 'rejected' order by 1")
    postings = "count(*) as postings, min(business_date) as first, max(business_date) as last"
    (facts,) = _rows(settings, f"select {postings} from marts.fct_transactions")
    lines = [
        (
            f"{total['deliveries']:,} taken in, {total['rejected']} rejected whole; "
            f"{total['rows_loaded']:,} rows loaded, {total['rows_quarantined']:,} in quarantine; "
            f"{facts['postings']:,} postings from {facts['first']} to {facts['last']}"
        )
    ]
    if reasons:
        counts = (f"{row['feed']} {row['reason'].replace('_', ' ')} {row['rejects']}" for row in reasons)
        lines.append(f"  quarantine: {', '.join(counts)}")
    lines += [f"  rejected {row['delivery_id']}: {row['reason']}" for row in rejected]
    return "\n".join(lines)


def _gates(settings: Settings) -> str:
    checks, unmet = 0, {}
    for run in suite_runs(settings.lake.parent / "data_docs"):
        checks += len(run.results)
        for severity, about in run.unmet:
            unmet.setdefault((run.gate, severity, about), []).append(run.business_date)
    lines = [f"{checks:,} expectations held against the deliveries and the marts, {len(unmet)} not met"]
    lines += [
        f"  {severity} {gate}: {about} ({', '.join(sorted(set(days)))})"
        for (gate, severity, about), days in sorted(unmet.items())
    ]
    return "\n".join(lines)


def customers_line(settings: Settings) -> str:
    """Customers, their assets, their tiers, and who moved between these."""
    day = warehouse.last_published(settings)
    tiers = query_metrics(settings, ["customers", "aum"], ["star_tier"])
    ((customers, aum),) = query_metrics(settings, ["customers", "aum"]).rows
    ((risen, fallen),) = query_metrics(settings, ["tier_rises", "tier_falls"], first=day - timedelta(days=91)).rows
    by_tier = ", ".join(f"tier {tier}: {count:,}" for tier, count, _ in tiers.rows)
    assets = f"{aum / 1_000_000:,.1f} million {tiers.metrics[1].unit}"
    moves = f"in the last three months {risen} rose and {fallen} fell"
    return f"{customers:,} with an account on {day} have {assets} in deposits and investments\n  {by_tier}; {moves}"


def _live(settings: Settings) -> str:
    """Events within the day against the files of the day, and what came back from the bank's people."""
    days = _rows(settings, "select * from ops.intraday_reconciliation order by business_date, feed")
    events = [
        f"{row['event_count']} {row['feed'].replace('_', ' ')} of {row['business_date']} came as events, "
        f"{row['difference_count']} with the day's file alone or in another way"
        for row in days
    ]
    (back,) = _rows(settings, "select count(*) as answered from actions.worklist where action_state <> 'open'")
    return (
        f"{'; '.join(events) or 'no events'}\n"
        f"  {back['answered']} actions of the worklist are under way: somebody has reported on them"
    )


def _calls(settings: Settings) -> Table | str:
    """The head of the worklist: whom to turn to first, each of them allowed."""
    report = worklist.read(settings)
    calls: dict[str, Row] = {}  # the most pressing action of each customer
    for action in report.actions:
        if action["channel"] != "internal":
            calls.setdefault(action["customer_key"], action)
    if not calls:
        return f"Call first: {report.summary()}"
    title = f"Call first, of the worklist: {report.summary()}"
    return worklist.actions_table(title, list(calls.values())[:CALLS])


def _next_steps(settings: Settings) -> str:
    folder = os.path.relpath(settings.lake.parent)
    return f"""Where to look next
  runs and logs   {look_again(settings)}     (Airflow's user interface on what just ran)
  gates           {folder}/data_docs/index.html
  models          {folder}/model_docs/static_index.html
  state           {in_shell(settings, "status")}
  to do           {in_shell(settings, "worklist")}
  query           .venv/bin/python -c "import duckdb; duckdb.connect('{folder}/warehouse.duckdb', read_only=True)
                    .sql('from marts.customer_360 order by aum_amount desc limit 10').show()\""""


def _rows(settings: Settings, sql: str) -> list[dict]:
    return warehouse.query_serving(settings, sql).to_pylist()
