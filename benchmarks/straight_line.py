"""The straight-line yardstick: load the landed ledger and compute the core marts in plain DuckDB.

Nothing is checked, quarantined, incremental or published, and columns that no figure needs are left out: it is the
least work that gives equal figures.
"""

import resource
from pathlib import Path
from time import perf_counter

import duckdb
import typer

LEDGER = "transactions/transactions_????-??_v1.dat"  # the files of the initial load, in the landing folder
COLUMNS = (
    "{'txn_id': 'varchar', 'account_no': 'varchar', 'business_date': 'date', 'txn_at': 'timestamp', "
    "'amount': 'decimal(18, 2)', 'direction': 'varchar', 'channel': 'varchar', 'txn_type': 'varchar', "
    "'counterparty_account': 'varchar', 'counterparty_bank': 'varchar', 'remark': 'varchar'}"
)
STAGES = {
    "load": f"""
        create table ledger as
        select * exclude (txn_id, txn_type, counterparty_bank, remark)
        from read_csv(
            $files, columns = {COLUMNS}, delim = '|', quote = '"', header = true,
            auto_detect = false, store_rejects = true
        )
    """,
    "monthly aggregates": """
        create table monthly as
        select account_no, date_trunc('month', business_date) as month_date, count(*) as txn_count,
               sum(case when direction = 'C' then amount else -amount end) as net_amount,
               sum(amount) filter (where direction = 'D') as outflow_amount,
               count(*) filter (where channel in ('mobile', 'web')) as online_count,
               count(distinct counterparty_account) as counterparty_count, max(txn_at) as last_txn_at
        from ledger group by all
    """,
    "window features": """
        create table account_monthly as
        select *, avg(outflow_amount) over last_3 as average_outflow_3m_amount,
               sum(txn_count) over last_3 as txn_count_3m,
               lag(txn_count) over (partition by account_no order by month_date) as previous_txn_count
        from monthly
        window last_3 as (partition by account_no order by month_date rows between 2 preceding and current row)
    """,
    "daily flow": """
        create table daily_flow as
        select account_no, business_date, sum(case when direction = 'C' then amount else -amount end) as net_amount
        from ledger group by all
    """,
    "running balances": """
        create table balances_daily as
        select account_no, business_date,
               sum(net_amount) over (partition by account_no order by business_date) as balance_amount
        from daily_flow
    """,
}


def run(landing: Path, database: Path) -> dict[str, float]:
    """Load the initial load's ledger below ``landing`` and build the marts in a new ``database``; seconds per stage."""
    files = sorted(str(path) for path in landing.glob(LEDGER))
    con = duckdb.connect(str(database), config={"memory_limit": "8GB", "preserve_insertion_order": "false"})
    seconds = {}
    for stage, sql in STAGES.items():
        start = perf_counter()
        con.execute(sql, {"files": files} if stage == "load" else None)
        con.execute("checkpoint")
        seconds[stage] = perf_counter() - start
    con.close()
    return seconds


def main(landing: Path, database: Path) -> None:
    """Seconds per stage and the peak memory, for the initial load below LANDING; DATABASE is a new file."""
    for stage, seconds in run(landing, database).items():
        typer.echo(f"{stage:20s} {seconds:8.1f} s")
    typer.echo(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")


if __name__ == "__main__":
    typer.run(main)
