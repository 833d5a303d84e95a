"""How well customers agree with the truth about which records are of one person, by pair and by cluster."""

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TypedDict

import duckdb
from rich.table import Table

from lakehouse import ingestion, lake
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.identity import evidence
from lakehouse.identity.link import link, opened, unbelieved
from lakehouse.identity.linkage import Linkage
from lakehouse.lake import Pin
from lakehouse.lake.dates import landed_dates
from lakehouse.language import ENGLISH, Voice
from lakehouse.settings import Settings

# A truth file names a record by its party key, or by its bare number where only one feed has that number.
TRUTH = """
create temp table truth as
with stated as (select trim(column0) as record_id, trim(column1) as person_id from given),
numbers as (
    select substr(party_key, strpos(party_key, ':') + 1) as number, min(party_key) as party_key
    from customers_now group by all having count(*) = 1
)
select stated.record_id, stated.person_id, coalesce(exact.party_key, numbers.party_key) as party_key
from stated
left join customers_now as exact on exact.party_key = stated.record_id
left join numbers on numbers.number = stated.record_id;

create temp view judged as
select customers_now.party_key, customer_key, person_id, regexp_extract(customers_now.party_key, '^[a-z]+') as source
from customers_now join truth using (party_key);
"""
PAIRS = """
select coalesce(sum(found), 0), coalesce(sum(true_pairs), 0), coalesce(sum(shared), 0) from (
    select 0 as found, 0 as true_pairs, count(*) * (count(*) - 1) / 2 as shared
    from judged group by customer_key, person_id
    union all select count(*) * (count(*) - 1) / 2, 0, 0 from judged group by customer_key
    union all select 0, count(*) * (count(*) - 1) / 2, 0 from judged group by person_id
)
"""
CLUSTERS = """
with customers as (
    select customer_key, list(party_key order by party_key) as members from judged group by customer_key
),
persons as (select person_id, list(party_key order by party_key) as members from judged group by person_id)
select (select count(*) from customers where len(members) > 1), (select count(*) from persons where len(members) > 1),
       (select count(*) from customers join persons using (members) where len(members) > 1)
"""
MIXED = """
select count(*) from (
    select customer_key from judged join party_rows using (party_key)
    where document is not null group by customer_key having count(distinct person_id) > 1
)
"""


@dataclass(frozen=True)
class Agreement:
    """Pairs or clusters that were found, that are true, and that are both."""

    found: int
    true: int
    both: int

    @property
    def figures(self) -> dict[str, float]:
        """The counts, and precision, recall and F1: 0 where there is nothing to find.

        >>> {name: round(value, 2) for name, value in Agreement(found=4, true=8, both=4).figures.items()}
        {'found': 4, 'true': 8, 'both': 4, 'precision': 1.0, 'recall': 0.5, 'f1': 0.67}
        """
        precision = self.both / self.found if self.found else 0.0
        recall = self.both / self.true if self.true else 0.0
        f1 = 2 * self.both / (self.found + self.true) if self.both else 0.0
        return asdict(self) | {"precision": precision, "recall": recall, "f1": f1}


class Quality(TypedDict):
    """How well the customers of a date agree with the truth."""

    business_date: date
    records: int  # of the truth that the lake has
    records_not_delivered: int
    customers: int
    persons: int
    pairs: dict[str, float]  # see `Agreement`
    clusters: dict[str, float]  # of two records and more
    clusters_of_two_persons: int  # customers with identity documents of two true persons
    rejected: dict[str, str | None]  # delivery -> reason
    warnings: list[str]  # documents that are no evidence, by token


def evaluate(settings: Settings, truth: Path) -> Quality:
    """Take what has landed, link it, and compare the customers with the truth.

    Parameters
    ----------
    settings
        The feeds of the deployment are taken into the lake if they are not there; nothing is built.
    truth
        The simulator's ``truth/`` folder, a Parquet file or a CSV with a header row: in the first two columns the
        record id (party key such as ``cif:C1``, or the bare number where only one feed has it) and the person id.

    Raises
    ------
    Stop
        If nothing has landed, or no record of the truth is in the lake.
    """
    dates = landed_dates(settings.landing)
    if not dates:
        raise Stop(f"no delivery in {settings.landing}: name another landing folder")
    for feed in load_deployment(settings.deployment).feeds:
        ingestion.ingest_feed(settings, feed, dates[-1])
    pin = lake.pin(settings.lake, dates[-1])
    xref = link(settings, pin)
    with opened(settings, pin, Linkage.read()) as con:
        con.execute(
            f"create temp table customers_now as select party_key, customer_key from '{xref}' where valid_to is null"
        )
        _read_truth(con, truth)
        con.execute(TRUTH)
        return _compared(con, pin, truth, unbelieved(xref))


def _compared(con: duckdb.DuckDBPyConnection, pin: Pin, truth: Path, warnings: list[str]) -> Quality:
    """The figures, from ``truth`` and ``judged``."""
    ((records, judged, customers, persons),) = con.execute(
        "select (select count(*) from truth), count(*), count(distinct customer_key), count(distinct person_id) "
        "from judged"
    ).fetchall()
    if not judged:
        raise Stop(f"no record of {truth} is known: name records by party key, such as cif:C1, or by number")
    (pairs,), (clusters,), ((mixed,),) = (con.execute(sql).fetchall() for sql in (PAIRS, CLUSTERS, MIXED))
    return {
        "business_date": pin.business_date,
        "records": judged,
        "records_not_delivered": records - judged,
        "customers": customers,
        "persons": persons,
        "pairs": Agreement(*map(int, pairs)).figures,
        "clusters": Agreement(*map(int, clusters)).figures,
        "clusters_of_two_persons": mixed,
        "rejected": {outcome.delivery_id: outcome.reason for outcome in pin.rejected if outcome.feed in evidence.FEEDS},
        "warnings": warnings,
    }


def quality_table(quality: Quality, say: Voice = ENGLISH) -> Table:
    """The result of `evaluate`, to be printed."""
    table = Table(
        title=say("Identity on {date}: {count} records", date=quality["business_date"], count=f"{quality['records']:,}")
    )
    for name in ("", "precision", "recall", "F1", "found", "true"):
        table.add_column(name, justify="left" if not name else "right")
    for name in ("pairs", "clusters"):
        figures = quality[name]
        shares = (f"{figures[key]:.4f}" for key in ("precision", "recall", "f1"))
        table.add_row(say.code(name), *shares, f"{figures['found']:,}", f"{figures['true']:,}")
    table.caption = say(
        "{customers} customers, {persons} persons; customers with documents of two persons: {mixed}; records of the "
        "truth that were not delivered: {absent}",
        customers=f"{quality['customers']:,}",
        persons=f"{quality['persons']:,}",
        mixed=quality["clusters_of_two_persons"],
        absent=quality["records_not_delivered"],
    )
    for delivery, reason in quality["rejected"].items():
        table.caption += f"\n{say('not taken in')} {delivery}: {reason}"
    for warning in quality["warnings"]:
        table.caption += f"\n{say('warning')}: {warning}"
    return table


def _read_truth(con: duckdb.DuckDBPyConnection, truth: Path) -> None:
    """Make ``given``, two columns of text."""
    path = truth / "persons.parquet" if truth.is_dir() else truth
    if not path.is_file():
        raise Stop(f"{path} is not there", "give the simulator's truth/ folder, or a CSV of record id and person id")
    read = "read_parquet($file)" if path.suffix == ".parquet" else "read_csv($file, header = true, all_varchar = true)"
    relation = con.sql(f"select * from {read}", params={"file": str(path)})
    first, second = relation.columns[:2]
    con.execute(
        f'create temp table given as select cast("{first}" as varchar) as column0, '
        f'cast("{second}" as varchar) as column1 from {read}',
        {"file": str(path)},
    )
