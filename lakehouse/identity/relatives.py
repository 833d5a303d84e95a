"""What a relative explains as well as an error does: twins, parents of one name; and names that stand for each other.

All of it is learned from ``training`` (see `lakehouse.identity.model`), without labels, by contrast: errors fall on
every column alike, relatives do not.
"""

from collections.abc import Iterable

import duckdb
import pyarrow as pa

from lakehouse.identity.linkage import Linkage, SplinkSettings
from lakehouse.sql import only_row

FORMS = pa.schema([("one", pa.string()), ("other", pa.string()), ("form", pa.string())])

# Given names that differ at one family name, birth date and home, counted once a family; independent names, such as
# those of twins, meet as often as the product of their shares.
_TOGETHER = """
with homes as (select distinct family, birth_date, given, phone, email, address_words from training
               where given is not null and birth_date is not null and party_type = 'P'),
together as (
    select distinct l.family, l.birth_date, l.given as one, r.given as other
    from homes as l join homes as r using (family, birth_date)
    where l.given < r.given and ({home})
),
shares as (select given, count(*) / sum(count(*)) over () as share from training where given is not null group by given)
select one, other, token(one) as one_token, token(other) as other_token, count(*) as times,
       2 * any_value(lefts.share) * any_value(rights.share) * (select count(*) from together) as expected
from together join shares as lefts on lefts.given = one join shares as rights on rights.given = other
group by one, other having count(*) >= $least order by one, other
"""
_HOME = """l.phone = r.phone or l.email = r.email
or len(list_intersect(l.address_words, r.address_words))
   >= 0.45 * greatest(len(l.address_words), len(r.address_words))"""


def learned_forms(con: duckdb.DuckDBPyConnection, linkage: Linkage) -> pa.Table:
    """Given names that stand for each other, by token: columns ``one, other, form``; the form is what both share.

    A pair is learned if it is seen in enough families, and so often that independent names would not come to it
    (Poisson, with the chance divided by the number of pairs that were tried).
    """
    from scipy.stats import poisson  # half of what a step of a date imports, and seldom is a model trained

    rule = linkage.raw["relatives"]["other_forms"]
    rows = con.execute(_TOGETHER.format(home=_HOME), {"least": rule["least"]}).fetchall()
    limit = rule["chance"] / max(len(rows), 1)
    forms = [
        {"one": one, "other": other, "form": f"{one}-{other}"}
        for _, _, one, other, times, expected in rows
        if poisson.sf(times - 1, expected) < limit
    ]
    return pa.Table.from_pylist(forms, FORMS)


def add_forms(con: duckdb.DuckDBPyConnection, table: str, forms: pa.Table) -> None:
    """Add the learned forms to the ``given_forms`` of a table of comparable records."""
    if not forms.num_rows:
        return
    con.register("learned_forms", forms)
    con.execute(
        "create or replace temp table forms_of_given as select given, list(form order by form) as forms from ("
        f"select given, form from (select distinct given, token(given) as token from {table} where given is not null) "
        "join (select one as token, form from learned_forms union select other, form from learned_forms) using (token)"
        f") group by given; update {table} set given_forms = list_concat(given_forms, forms) from forms_of_given "
        f"where forms_of_given.given = {table}.given"
    )
    con.unregister("learned_forms")


def name_counts(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """How often ``training`` has each Latin family and given name: columns ``part, token, times``; usual ones only."""
    return con.sql(
        "select part, token(name) as token, count(*)::integer as times from "
        "(select 'family' as part, family as name from training where not is_han and party_type = 'P' "
        "union all select 'given', given from training where not is_han and party_type = 'P') "
        "where name is not null group by part, name having times >= 4 order by part, token"
    ).to_arrow_table()


def add_counts(con: duckdb.DuckDBPyConnection, table: str, counts: pa.Table) -> None:
    """Set ``family_times`` and ``given_times`` of a table of comparable records, as the model has seen them."""
    if not counts.num_rows:
        return
    con.register("learned_counts", counts)
    for part in ("family", "given"):
        con.execute(
            "create or replace temp table times_of_name as select name as counted, times from "
            f"(select distinct {part} as name, token({part}) as token from {table} where {part} is not null "
            f"and not is_han) join learned_counts using (token) where part = '{part}';"
            f"update {table} set {part}_times = times from times_of_name where counted = {table}.{part}"
        )
    con.unregister("learned_counts")


def explained_by_errors(con: duckdb.DuckDBPyConnection, linkage: Linkage, splink: SplinkSettings) -> dict[str, float]:
    """Of the pairs that look like twins, or like parent and child, the share that errors explain: 0 to 1, by kind.

    Errors replace a value of a person by one of somebody else. How often they do is seen where no relative can explain
    it: another family name beside the same given name tells how often names are replaced, a date that is no generation
    away how often dates are. Pairs that look like relatives, and are more than these, are relatives.
    """
    settings = linkage.raw["relatives"]
    compared = {comparison["output_column_name"]: comparison for comparison in splink["comparisons"]}
    home = _home(linkage, compared, settings["home"])
    explained = {}
    for kind in ("twin", "parent"):
        rule = settings[kind]
        if not home or rule["column"] not in compared:
            continue
        same = " and ".join(f"l.{column} = r.{column}" for column in rule["agree"])
        alike, errors = only_row(
            con.execute(
                f"{_pairs(con, linkage, [rule['column']], same, home)} select "
                f"count(*) filter ({rule['column']} in ({linkage.gammas(rule['column'], rule['levels'])})), "
                f"count(*) filter ({rule['column']} in ({linkage.gammas(rule['column'], rule['error'])})) from pairs"
            )
        )
        ratio = 1.0
        if rule.get("by_chance"):
            u = {
                level["label_for_charts"]: level["u_probability"]
                for level in compared[rule["column"]]["comparison_levels"]
                if "u_probability" in level
            }
            ratio = sum(u[level] for level in rule["levels"]) / sum(u[level] for level in rule["error"])
        enough = errors >= settings["least_errors"]
        explained[kind] = round(min(errors * ratio / (alike + 1), 1.0), 4) if enough else 0.0
    if home and {"name", "birth_date"} <= compared.keys():
        # where there are twins, or parents of one name, there are households
        is_seen = any(explained[kind] < settings[kind]["believed"] for kind in ("twin", "parent"))
        explained["household"] = 0.0 if is_seen else _explained_household(con, linkage, compared)
    return explained


def _home(linkage: Linkage, compared: Iterable[str], levels: dict[str, list[str]]) -> str:
    """SQL: whether a pair lives at one home; empty if no column tells."""
    return " or ".join(
        f"{_gamma(linkage, column)} in ({linkage.gammas(column, at)})"
        for column, at in levels.items()
        if column in compared
    )


def _explained_household(con: duckdb.DuckDBPyConnection, linkage: Linkage, compared: Iterable[str]) -> float:
    """Of the pairs of one home that agree on neither name nor date, the share that independent errors explain."""
    rule = linkage.raw["relatives"]["household"]
    home = _home(linkage, compared, rule["home"])
    other = {column: f"{column} in ({linkage.gammas(column, rule[column])})" for column in ("name", "birth_date")}
    neither, name_only, date_only, both = 0, 0, 0, 0
    same = {"phone": "l.phone = r.phone", "email": "l.email = r.email", "address": "l.address_head = r.address_head"}
    for column in (column for column in rule["home"] if column in compared):
        counts = only_row(
            con.execute(
                f"{_pairs(con, linkage, ['name', 'birth_date'], same[column], home)} select "
                f"count(*) filter ({other['name']} and {other['birth_date']}), "
                f"count(*) filter (name > 0 and not {other['name']} and {other['birth_date']}), "
                f"count(*) filter ({other['name']} and not {other['birth_date']}), "
                f"count(*) filter (not {other['name']} and not {other['birth_date']}) "
                "from pairs where name >= 0 and birth_date >= 0"
            )
        )
        neither, name_only, date_only, both = (
            total + count for total, count in zip((neither, name_only, date_only, both), counts, strict=True)
        )
    return round(min(name_only * date_only / max(both, 1) / (neither + 1), 1.0), 4)


def _pairs(con: duckdb.DuckDBPyConnection, linkage: Linkage, columns: list[str], same: str, home: str) -> str:
    """SQL: ``with pairs as`` the levels of the columns, for pairs of persons in ``training`` at one home."""
    levels = ", ".join(f"{_gamma(linkage, column)} as {column}" for column in columns)
    return (
        f"with pairs as materialized (select {levels} from (select {_both(con)} from training as l "
        f"join training as r on {same} and l.party_type = r.party_type and l.record_id < r.record_id "
        f"where l.party_type = 'P') where {home})"
    )


def _both(con: duckdb.DuckDBPyConnection) -> str:
    """SQL: the columns of both records, as the comparisons name them."""
    columns = [name for name, *_ in con.execute("describe training").fetchall()]
    return ", ".join(f"{side}.{column} as {column}_{side}" for column in columns for side in ("l", "r"))


def _gamma(linkage: Linkage, column: str) -> str:
    """SQL: the number of the level, as Splink numbers them."""
    levels = linkage.raw["comparisons"][column]
    whens = " ".join(f"when {level['sql']} then {len(levels) - at}" for at, level in enumerate(levels))
    return f"case when {column}_l is null or {column}_r is null then -1 {whens} else 0 end"
