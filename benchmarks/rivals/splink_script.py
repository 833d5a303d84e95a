"""A plain Splink script against ours on the same party records: seconds, and F1 over pairs against the truth."""

from datetime import date
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.rivals.comparison import Comparison, Goal, Side, differences
from benchmarks.rivals.scripts import plain_splink
from benchmarks.stages import Stage, run_stage
from lakehouse import lake
from lakehouse.identity.link import opened
from lakehouse.identity.linkage import Linkage
from lakehouse.lake import Pin
from lakehouse.lake.places import xref_file
from lakehouse.settings import Settings
from ml_jobs.learning.metrics import SHARE, bootstrap_weights, figure

RECORDS = """
copy (
    select party_key, name, strftime(birth_date, '%Y-%m-%d') as birth_date, id_no, phone, email, city
    from party_records
    qualify row_number() over (partition by party_key order by known_from desc, record_id) = 1
    order by party_key
) to '{path}' (format parquet)
"""
# A pair of records of two persons counts half for each of them, so that the sums over persons are those over pairs.
PAIRS_OF_PERSONS = """
with judged as (
    select person_id, customer_key, count(*) as records
    from {clusters} join read_parquet('{truth}') using (party_key)
    group by all
),
customers as (select customer_key, sum(records) as records from judged group by all),
persons as (select person_id, sum(records) as records from judged group by all)
select
    sum(judged.records * (customers.records - 1) / 2) as found,
    any_value(persons.records * (persons.records - 1) / 2) as true_pairs,
    sum(judged.records * (judged.records - 1) / 2) as shared,
    any_value(persons.records) as records
from judged join customers using (customer_key) join persons using (person_id)
group by person_id
order by person_id
"""
GOAL = Goal(1, "better", "F1")


def compare(settings: Settings, day: date, truth: Path, ours: Stage, folder: Path) -> Comparison:
    """Cluster the party records that ours has joined.

    Parameters
    ----------
    day : date
        The business date of which ours is.
    truth : Path
        The simulator's ``truth/``.
    ours : Stage
        Reading the records from the lake, training a model, and joining.
    folder : Path
        For records and clusters.
    """
    pin, records, clusters = lake.pin(settings.lake, day), folder / "records.parquet", folder / "clusters.parquet"
    write_records(settings, pin, records)
    stage, parts = run_stage("plain Splink", plain_splink.cluster, records, clusters)
    current = f"(select * from read_parquet('{xref_file(settings.lake, pin)}') where valid_to is null)"
    our_pairs = pairs_of_persons(current, truth)
    their_pairs = pairs_of_persons(f"read_parquet('{clusters}')", truth)
    judged, its_judged = (int(pairs[:, 3].sum()) for pairs in (our_pairs, their_pairs))
    weights = bootstrap_weights(np.arange(len(our_pairs)))
    our_f1, their_f1 = f1(our_pairs, weights), f1(their_pairs, weights)
    return Comparison(
        f"who is who: {judged:,} party records",
        f"a plain Splink script, clusters at {plain_splink.THRESHOLD}",
        Side(stage.seconds, parts, figure(their_f1, *SHARE)),
        Side(ours.seconds, quality=figure(our_f1, *SHARE)),
        GOAL,
        figure(our_f1 - their_f1, -1, 1),
        differences({"records": (judged,)}, {"records": (its_judged,)}),
    )


def write_records(settings: Settings, pin: Pin, path: Path) -> None:
    """The newest row of every party record that is known by the pin, for the script to read."""
    with opened(settings, pin, Linkage.read()) as con:
        con.execute(RECORDS.format(path=path))


def pairs_of_persons(clusters: str, truth: Path) -> np.ndarray:
    """(persons, 4) array, in order of the person's id: pairs found, true, both; records.

    Parameters
    ----------
    clusters : str
        SQL of a relation with ``party_key`` and ``customer_key``.
    """
    sql = PAIRS_OF_PERSONS.format(clusters=clusters, truth=truth / "persons.parquet")
    with duckdb.connect() as con:
        return np.array(con.execute(sql).fetchall(), dtype=float)


def f1(pairs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """F1 over pairs, once per line of weights; 0 where there is nothing to find.

    Parameters
    ----------
    pairs : (persons, 3 or more) array
        Pairs found, true, both.
    weights : (1 + replicates, persons) array
        How often each person is drawn.

    >>> f1(np.array([[4, 8, 4], [0, 0, 0]]), np.array([[1, 1], [0, 2]])).round(2).tolist()
    [0.67, 0.0]
    """
    found, true, both = (weights @ pairs[:, :3]).T
    return 2 * both / np.maximum(found + true, 1e-9)
