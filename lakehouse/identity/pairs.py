"""Every pair of records is compared once: the results stay in the lake, and only new records are compared.

A file of ``identity/pairs/<model>/`` holds a batch of records, and how they compare with each other and with those
of the batches before it. Its name, ``<digest before>-<digest>.parquet``, makes the batches a chain; of two runs that
continue one batch at once, one is followed. A comparison depends on the two records and the frozen model
alone, so the sum of the batches does not depend on which record is in which batch.
"""

from pathlib import Path

import duckdb

from lakehouse.identity.comparable import create_comparable
from lakehouse.identity.linkage import Linkage
from lakehouse.identity.model import Model, linker
from lakehouse.lake import appearing

_FIRST = "0" * 12


def compare(con: duckdb.DuckDBPyConnection, lake: Path, model: Model | None) -> None:
    """Make ``compared_pairs`` from ``party_records``: pairs from the review weight up, by record; none without a model.

    Columns: ``left_record, right_record, match_weight, evidence`` (in words), ``is_accepted, is_alone``,
    ``may_join`` (nothing but the weight decides), ``tolerates_id_no``, ``tolerates_birth_date``, ``personal_weight``
    and ``document_weight`` (bits of what tells persons apart, and of an equal document). Records that were never
    compared are compared, and the results go to the lake.
    """
    if model:
        _extend(con, lake / "identity" / "pairs" / model.version, model)
    else:
        _attach(con, [])
    con.execute("create temp view compared_pairs as select * from batches where right_record is not null")


def _extend(con: duckdb.DuckDBPyConnection, folder: Path, model: Model) -> None:
    """Make ``batches`` from the chain, with one more batch if there are records that none holds."""
    last, files = _chain(folder)
    _attach(con, files)
    ((waiting, digest),) = con.execute(
        "select count(*), md5($last || string_agg(record_id, '' order by record_id)) from party_records "
        "where record_id not in (select left_record from batches where right_record is null)",
        {"last": last},
    ).fetchall()
    if waiting:
        _compare_new(con, model)
        with appearing(folder / f"{last}-{digest[:12]}.parquet") as temporary:
            con.execute(f"copy new_pairs to '{temporary}' (format parquet, compression zstd)")
        _attach(con, _chain(folder)[1])


def _chain(folder: Path) -> tuple[str, list[Path]]:
    """Digest of the last batch, and the files from the first one on."""
    following: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("[!.]*.parquet")):
        following.setdefault(path.stem.split("-")[0], []).append(path)
    last, files = _FIRST, []
    while last in following:
        files.append(following[last][0])
        last = files[-1].stem.split("-")[1]
    return last, files


def _attach(con: duckdb.DuckDBPyConnection, files: list[Path]) -> None:
    """Make ``batches`` from the files; the row of a record without a pair says that the record was compared."""
    columns = (
        "left_record varchar, right_record varchar, match_weight double, evidence varchar, is_accepted boolean, "
        "is_alone boolean, tolerates_id_no boolean, tolerates_birth_date boolean, personal_weight double, "
        "document_weight double, may_join boolean"
    )
    con.execute(f"create or replace temp table batches ({columns})")
    if files:
        con.execute("insert into batches by name from read_parquet($files)", {"files": [str(path) for path in files]})


def _compare_new(con: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Make ``new_pairs``: the records that wait, with their pairs."""
    create_comparable(con, model.linkage)
    splink, api = linker(con, model)
    con.execute(
        "create temp table new_records as select * from comparable "
        "where record_id not in (select left_record from batches where right_record is null)"
    )
    new, least = api.register("new_records"), model.linkage.review
    if con.execute("select 1 from batches limit 1").fetchall():  # with all, themselves included: each such pair twice
        con.execute("create temp view all_records as from comparable")
        scored = splink.inference.predict_between(api.register("all_records"), new, threshold_match_weight=least)
    else:
        scored = splink.inference.predict_within(new, threshold_match_weight=least)
    con.execute(
        f"create temp table new_pairs as select distinct * from (select {_result(model)} from {scored.physical_name} "
        "union all by name select record_id as left_record from new_records) "
        "order by left_record, right_record nulls first"
    )


def _result(model: Model) -> str:
    """The columns of a compared pair, as SQL over Splink's result; the lower record id is the left one."""
    linkage, columns = model.linkage, model.columns
    personal = linkage.raw["weights"]["personal"]
    weight = " + ".join(
        f"mw_{column}" + (f" + mw_tf_adj_{column}" if model.has_term_frequencies(column) else "")
        for column in personal["columns"]
        if column in columns
    )
    twins = model.relatives("twin")
    is_alone = " or ".join(
        f"gamma_{column} = {gamma}" for column, gamma in linkage.alone if column in columns and twins
    )
    speaks = f"{weight} >= {personal['minimum']}" if model.relatives("household") else "true"
    is_barred = " or ".join([*_relatives(model, "parent"), *_contradictions(linkage, columns)])
    may_join = f"{speaks} and not coalesce({is_barred or 'false'}, false)"
    document = "case when gamma_id_no = {} then mw_id_no else 0 end" if "id_no" in columns else "0.0"
    document = document.format(linkage.gamma("id_no", "same"))
    evidence = " || '; ' || ".join(
        f"'{column.replace('_', ' ')} ' || case gamma_{column} "
        + " ".join(
            f"when {gamma} then '{linkage.level(column, gamma)}'"
            for gamma in range(-1, len(linkage.raw["comparisons"][column]) + 1)
        )
        + " end"
        for column in columns
    )
    tolerates = {
        column: " or ".join(
            f"gamma_{column} in ({linkage.gammas(column, rule['levels'])}) "
            f"and gamma_name in ({linkage.gammas('name', rule['names'])}) "
            f"and {_one_of(linkage, columns, rule.get('with'))}"
            for rule in rules
            if column in columns
        )
        or "false"
        for column, rules in linkage.raw["apart"].items()
    }
    if not model.relatives("household"):
        tolerates["birth_date"] = "true"
    return (
        "least(record_id_l, record_id_r) as left_record, greatest(record_id_l, record_id_r) as right_record, "
        f"round(match_weight, 3) as match_weight, {evidence} as evidence, "
        f"round({weight}, 3) as personal_weight, round({document}, 3) as document_weight, "
        f"{may_join} as may_join, round(match_weight, 3) >= {linkage.accept} and {may_join} as is_accepted, "
        f"coalesce({is_alone or 'false'}, false) as is_alone, "
        + ", ".join(f"coalesce({sql}, false) as tolerates_{column}" for column, sql in tolerates.items())
    )


def _relatives(model: Model, kind: str) -> list[str]:
    """SQL: whether a pair looks like relatives that are no one person; a document of both says that they are."""
    rule = model.linkage.raw["relatives"][kind]
    column = rule["column"]
    if not model.relatives(kind) or column not in model.columns:
        return []
    document = f" and gamma_id_no <> {model.linkage.gamma('id_no', 'same')}" if "id_no" in model.columns else ""
    return [f"gamma_{column} in ({model.linkage.gammas(column, rule['levels'])}){document}"]


def _contradictions(linkage: Linkage, columns: tuple[str, ...]) -> list[str]:
    """SQL: whether name and birth date both differ; a document is then no evidence."""
    different = [
        f"gamma_{column} in ({linkage.gammas(column, levels)})"
        for column, levels in linkage.raw["documents"]["against"].items()
    ]
    return [f"({' and '.join(different)})"] if set(linkage.raw["documents"]["against"]) <= set(columns) else []


def _one_of(linkage: Linkage, columns: tuple[str, ...], levels: dict[str, list[str]] | None) -> str:
    """SQL: whether one of the compared columns is at one of its levels; true without ``levels``."""
    if levels is None:
        return "true"
    conditions = [f"gamma_{name} in ({linkage.gammas(name, at)})" for name, at in levels.items() if name in columns]
    return f"({' or '.join(conditions) or 'false'})"
