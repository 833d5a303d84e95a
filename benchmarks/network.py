"""The fund chain at a million edges, stage by stage, with the start of dbt: ``python -m benchmarks.network``."""

import tempfile
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Annotated

import duckdb
import typer

import simulator
from c360 import pipeline
from lakehouse import lake, warehouse
from lakehouse.settings import Settings
from ml_jobs.derived.network import write_network

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
# Three months of payments; the square makes some payees far more popular than others.
PAYMENTS = """
    insert into build_marts.fund_chain_monthly
    select
        'cif:N' || cast(floor(random() * $customers) as bigint) as payer,
        case when random() < 0.7 then 'cif:N' || cast(floor(random() * random() * $customers) as bigint)
            else 'outside:' || md5(cast(floor(random() * random() * $customers) as varchar)) end as payee,
        month_date, 1, cast(10 + random() * 1000 as decimal(18,2)), 0, 0, month_date, month_date
    from range($edges), (select cast(unnest(['2024-11-01', '2024-12-01', '2025-01-01']) as date) as month_date)
"""


@app.command()
def main(edges: Annotated[int, typer.Option(min=1)] = 1_000_000) -> None:
    """Build edges, paths, nodes and groups of a bank with that many payer-payee pairs."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        simulator.generate(50, 4, 1, root, start=date(2024, 10, 1))
        settings = Settings.below(root, target="duckdb", token_secret="a secret of the benchmark: 32 characters")
        (business_date,) = pipeline.run(settings)
        _fill(settings, edges)
        pin = lake.pin(settings.lake, business_date)
        lake.pinned_path(settings.lake, "network", pin).unlink()
        state = warehouse.built_state(settings)
        variables = {"business_date": str(business_date), "from_date": str(business_date), "currency": "CNY"}
        began = perf_counter()

        def report(stage: str) -> None:
            typer.echo(f"{perf_counter() - began:6.1f} s  {stage}")

        warehouse.run_dbt(settings, "fund_chain_edges fund_chain_paths", variables)
        count = warehouse.query(settings, "select count(*) as count from build_marts.fund_chain_edges")["count"][0]
        report(f"{count.as_py():,} edges and the paths over two hops")
        write_network(settings, pin)
        report("degrees, PageRank, components, communities")
        warehouse.attach(settings, pin, settings.lake / state.identity)
        warehouse.run_dbt(settings, "fund_chain_nodes fund_chain_groups", variables)
        report("nodes and groups as tables")


def _fill(settings: Settings, edges: int) -> None:
    """Replace the simulated payments by random ones between made-up customers, about ``edges`` of them."""
    with duckdb.connect(settings.build) as connection:
        connection.execute("delete from build_marts.fund_chain_monthly")
        connection.execute("select setseed(0.5)")
        per_month = {"edges": edges // 3, "customers": edges // 5}
        connection.execute(PAYMENTS, per_month)


if __name__ == "__main__":
    app()
