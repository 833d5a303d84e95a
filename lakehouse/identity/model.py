"""The linkage model: learned without labels by expectation maximisation (Splink), then frozen in the lake."""

import json
import logging
import shutil
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import duckdb
import pyarrow.parquet as pq

from lakehouse.identity.linkage import KnownBy, Linkage, SplinkSettings
from lakehouse.identity.relatives import add_counts, add_forms, explained_by_errors, learned_forms, name_counts
from lakehouse.sql import only_row

if TYPE_CHECKING:
    from splink import DuckDBAPI, Linker


@dataclass(frozen=True)
class Model:
    """A trained model: Splink's settings with every probability, and the linkage settings it was trained with."""

    version: str  # "<number>-<training date>-<pin>"
    folder: Path
    linkage: Linkage
    splink: SplinkSettings
    explained: dict[str, float]  # kind of relative -> share of the pairs like theirs that errors explain

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are compared."""
        return tuple(comparison["output_column_name"] for comparison in self.splink["comparisons"])

    @property
    def trained_on(self) -> date:
        """Business date of the records that it learned from."""
        return date.fromisoformat(self.version.split("-", 1)[1][:10])

    def relatives(self, kind: str) -> bool:
        """Whether pairs that look like relatives of the kind are taken for relatives, not for errors of one person."""
        return self.explained.get(kind, 0.0) < self.linkage.raw["relatives"][kind]["believed"]

    def has_term_frequencies(self, column: str) -> bool:
        """Whether a compared column is adjusted for term frequency: the more common a value, the less it counts."""
        return any("frequent" in level for level in self.linkage.raw["comparisons"][column])


def current_model(lake: Path) -> Model | None:
    """The newest model in the lake; None: none has been trained, or none since models hold what relatives explain."""
    folders = [path for path in _folders(lake) if (path / "relatives.json").exists()]
    if not folders:
        return None
    folder = folders[-1]
    linkage = Linkage(json.loads((folder / "linkage.json").read_text()))
    explained = json.loads((folder / "relatives.json").read_text())
    return Model(folder.name, folder, linkage, json.loads((folder / "model.json").read_text()), explained)


def _folders(lake: Path) -> list[Path]:
    """The folders of all models, the newest last."""
    folders = [path for path in (lake / "identity" / "models").glob("[0-9]*") if path.is_dir()]
    return sorted(folders, key=lambda path: (int(path.name.split("-")[0]), path.name))


def can_train(con: duckdb.DuckDBPyConnection, linkage: Linkage) -> bool:
    """Whether the records of ``comparable`` can support a model."""
    return _columns(con, linkage) is not None


def train(con: duckdb.DuckDBPyConnection, lake: Path, linkage: Linkage, name: str) -> Model | None:
    """Learn a model from ``comparable`` and write it as the newest; None where the records cannot support one.

    Parameters
    ----------
    con
        Holds ``comparable`` (see `lakehouse.identity.comparable`) and the macro ``token``.
    name
        ``<training date>-<pin>``: the records that it learned from.
    """
    columns = _columns(con, linkage)
    if columns is None:
        return None
    number = max((int(path.name.split("-")[0]) for path in _folders(lake)), default=0) + 1
    folder = lake / "identity" / "models" / f"{number}-{name}"
    other_forms = learned_forms(con, linkage)
    add_forms(con, "training", other_forms)
    counts = name_counts(con)
    add_counts(con, "training", counts)
    splink = _learn(con, linkage, columns)
    if splink is None:
        return None
    columns = [comparison["output_column_name"] for comparison in splink["comparisons"]]
    temporary = folder.with_name(f".{folder.name}.{uuid4().hex}.tmp")
    temporary.mkdir(parents=True)
    (temporary / "model.json").write_text(json.dumps(splink, indent=1, ensure_ascii=False))
    (temporary / "linkage.json").write_text(json.dumps(linkage.raw, indent=1, ensure_ascii=False))
    _write_term_frequencies(con, splink, temporary / "term_frequencies.parquet")
    pq.write_table(other_forms, temporary / "other_forms.parquet")
    pq.write_table(counts, temporary / "name_counts.parquet")
    explained = explained_by_errors(con, linkage, splink)
    (temporary / "relatives.json").write_text(json.dumps(explained, indent=1))
    try:
        temporary.rename(folder)
    except OSError:  # another run has made the same one
        shutil.rmtree(temporary)
    return Model(folder.name, folder, linkage, splink, explained)


def linker(con: duckdb.DuckDBPyConnection, model: Model) -> tuple["Linker", "DuckDBAPI"]:
    """Splink's linker for the model over ``comparable``, with the term frequencies at training, and its database."""
    from splink import DuckDBAPI, Linker

    _quiet()
    add_forms(con, "comparable", pq.read_table(model.folder / "other_forms.parquet"))
    add_counts(con, "comparable", pq.read_table(model.folder / "name_counts.parquet"))
    api = DuckDBAPI(con)
    splink = Linker(api.register("comparable"), model.splink, log_level=None, validate_settings=False)
    con.execute(
        "create or replace temp table term_frequencies as select * from read_parquet($file)",
        {"file": str(model.folder / "term_frequencies.parquet")},
    )
    for column in _term_frequency_columns(model.linkage, model.columns):
        # A value that the training set lacks counts as the rarest one that it has.
        con.execute(
            f"create or replace temp table frequencies_of_{column} as select {column}, coalesce(share, (select "
            f"min(share) from term_frequencies where column_name = '{column}')) as tf_{column} "
            f"from (select distinct {column} from comparable where {column} is not null) as present "
            f"left join term_frequencies on column_name = '{column}' and token = token({column})"
        )
        splink.table_management.register_term_frequency_lookup(api.register(f"frequencies_of_{column}"), column)
    return splink, api


def _columns(con: duckdb.DuckDBPyConnection, linkage: Linkage) -> list[str] | None:
    """The columns that the training set fills and that distinguish records; None if they cannot support a model.

    The training set is the latest row of every party record.
    """
    con.execute(
        "create or replace temp table training as select * exclude (age) from (select *, row_number() over "
        "(partition by party_key order by known_from desc, record_id) as age from comparable) where age = 1"
    )
    training = linkage.training
    (records,) = only_row(con.execute("select count(*) from training"))
    counts = {}
    for column in linkage.raw["comparisons"]:
        answer = con.execute(
            f"select count({column}), coalesce((select max(times) from (select count(*) as times "
            f"from training where {column} is not null group by {column})), 0) from training"
        )
        counts[column] = only_row(answer)
    columns = [
        column
        for column, (filled, most) in counts.items()
        if filled >= training["minimum_filled"] * records
        and (most <= training["maximum_share"] * filled or (column == "gender" and most < filled))
    ]
    required = [item if isinstance(item, list) else [item] for item in training["required"]]
    has_required = all(any(column in columns for column in choice) for choice in required)
    return columns if has_required and records >= training["minimum_records"] else None


def _learn(con: duckdb.DuckDBPyConnection, linkage: Linkage, columns: list[str]) -> SplinkSettings | None:
    """Splink's settings with the learned probabilities; None where no two records are known to be of one person."""
    from splink import DuckDBAPI, Linker

    _quiet()
    training = linkage.training
    settings = {
        "link_type": "dedupe_only",
        "unique_id_column_name": "record_id",
        "comparisons": [_comparison(linkage, column) for column in columns],
        "blocking_rules_to_generate_predictions": [
            f"{_blocking_rule(block)} and l.party_key <> r.party_key"
            for block in (*linkage.raw["blocks"], *_selective(con, linkage))
            if _has(block, columns)
        ],
        "retain_intermediate_calculation_columns": True,
        "additional_columns_to_retain": ["party_key"],
    }
    model = Linker(DuckDBAPI(con).register("training"), settings, log_level=None, validate_settings=False)
    model.training.estimate_probability_two_random_records_match(
        [_deterministic_rule(rule) for rule in training["known_by"] if _has(rule["agree"], columns)],
        recall=training["recall"],
    )
    if _learned(model).core_model_settings.probability_two_random_records_match == 0:
        return None
    model.training.estimate_u_using_random_sampling(
        max_pairs=training["random_pairs"], seed=training["seed"], min_count_per_level=None
    )
    for choice in training["blocks"]:
        block = next((column for column in choice if _has([column], columns)), None)
        if block is None:
            continue
        ((pairs,),) = con.execute(
            f"select coalesce(sum(times * (times - 1) / 2), 0) from (select count(*) as times from training "
            f"where {block} is not null group by {block}, party_type)"
        ).fetchall()
        if pairs:
            maximise_expectation(model, _blocking_rule([block]))
    return _completed(model.misc.save_model_to_json(), linkage)


def _selective(con: duckdb.DuckDBPyConnection, linkage: Linkage) -> list[list[str]]:
    """The loose blocks that give a record of ``training`` few enough pairs on average."""
    loose = linkage.raw["loose_blocks"]
    chosen = []
    for block in loose["blocks"]:
        filled = " and ".join(f"{column} is not null" for column in block)
        pairs, records = only_row(
            con.execute(
                "select coalesce(sum(times * (times - 1)), 0), (select count(*) from training) from (select count(*) "
                f"as times from training where {filled} group by {', '.join(block)}, party_type)"
            )
        )
        if pairs <= loose["most_pairs_per_record"] * records:
            chosen.append(block)
    return chosen


def _learned(model: "Linker") -> Any:
    return model._settings_obj  # noqa: SLF001 (Splink has no public way to read what it has learned so far)


def maximise_expectation(model: "Linker", block: str) -> None:
    """Learn from the pairs of a block. Splink gives up where a level dies out among the matches: then stop earlier."""
    settings = _learned(model)
    for iterations in (25, 12, 6, 3):
        before = deepcopy(settings.core_model_settings)
        settings.training_settings = replace(settings.training_settings, max_iterations=iterations)
        try:
            model.training.estimate_parameters_using_expectation_maximisation(
                block, estimate_without_term_frequencies=True
            )
        except ValueError as failure:
            if "below the minimum" not in str(failure):
                raise
            settings.core_model_settings = before  # Splink leaves out what the block compares, until it succeeds
        else:
            return


def _comparison(linkage: Linkage, column: str) -> dict[str, Any]:
    """Splink's description of how a column is compared, level by level."""
    empty = f"{column}_l is null or {column}_r is null"
    if other := linkage.raw["repeats"].get(column):
        empty += f" or ({other}_l is not null and {other}_r is not null)"
    levels: list[dict[str, Any]] = [{"sql_condition": empty, "label_for_charts": "not filled", "is_null_level": True}]
    for level in linkage.raw["comparisons"][column]:
        described = {"sql_condition": level["sql"], "label_for_charts": level["is"]}
        if "frequent" in level:
            described |= {"tf_adjustment_column": level["frequent"], "tf_minimum_u_value": 1e-6}
        if "m" in level:
            described |= {"m_probability": level["m"], "fix_m_probability": True}
        levels.append(described)
    levels.append({"sql_condition": "ELSE", "label_for_charts": "different"})
    return {"output_column_name": column, "comparison_levels": levels}


def _completed(splink: SplinkSettings, linkage: Linkage) -> SplinkSettings:
    """Give every level its probabilities, rounded: those that training never saw, and columns that it learned badly."""
    training = linkage.training
    pairs = training["random_pairs"]
    splink["comparisons"] = [
        comparison
        for comparison in splink["comparisons"]  # without two records that fill a column, nothing was learned of it
        if any("u_probability" in level for level in comparison["comparison_levels"])
    ]
    for comparison in splink["comparisons"]:
        levels = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        if levels[-1].get("m_probability", 1.0) > 0.5:  # "different" in most matches: nothing was learned
            for level, m in zip(levels, [0.8, *[0.1 / max(len(levels) - 2, 1)] * (len(levels) - 2), 0.1], strict=True):
                level.setdefault("fix_m_probability", False)
                level["m_probability"] = level["m_probability"] if level["fix_m_probability"] else m
        for level in levels:
            m, u = level.get("m_probability") or 0.0, level.get("u_probability") or 0.0
            u -= splink["probability_two_random_records_match"] * m  # random pairs hold matches, too
            level["m_probability"] = float(f"{max(m, training['least_m']):.5g}")
            level["u_probability"] = float(f"{max(u, 0.5 / pairs):.5g}")
        _weigh_equal_values(levels, training["least_m"])
    prior = splink["probability_two_random_records_match"]
    splink["probability_two_random_records_match"] = float(f"{max(prior, 1e-9):.5g}")
    splink["linker_uid"] = "c360"
    return splink


def _weigh_equal_values(levels: list[dict[str, Any]], least_m: float) -> None:
    """Equal values that no training pair has weigh as much as the heaviest slip that some pair has.

    Where records of one person always differ somewhere, those that agree on the name differ in the date, and those that
    agree on the date in the name: neither block shows that both can agree.
    """
    equal, *others = levels
    learned = [level["m_probability"] / level["u_probability"] for level in others if level["m_probability"] > least_m]
    if equal["m_probability"] <= least_m and learned:
        equal["m_probability"] = float(f"{min(max(equal['u_probability'] * max(learned), least_m), 0.9):.5g}")


def _write_term_frequencies(con: duckdb.DuckDBPyConnection, splink: SplinkSettings, path: Path) -> None:
    """Term frequencies: the share of strangers with an equal value, by token, since a model must hold no names.

    Of the other records with a value some are of the same person: as many as among all pairs with equal values, but no
    more than a person has. Strangers that training does not show are as rare as equal values of strangers are at all.
    """
    (records,) = only_row(con.execute("select count(*) from training"))
    prior = splink["probability_two_random_records_match"]
    parts = []
    for column, level in _adjusted_levels(splink):
        strangers = level["u_probability"] / (level["u_probability"] + prior * level["m_probability"])
        least = min(0.5 / records, level["u_probability"])
        parts.append(
            f"select '{column}' as column_name, token({column}) as token, greatest("
            f"(count(*) - 1 - least((count(*) - 1) * {1 - strangers:.4f}, {records * prior:.4f})) "
            f"/ sum(count(*)) over (), {least:.3g}) as share "
            f"from training where {column} is not null group by {column}"
        )
    con.execute(f"copy ({' union all '.join(parts)} order by column_name, token) to '{path}' (format parquet)")


def _adjusted_levels(splink: SplinkSettings) -> Iterator[tuple[str, dict[str, Any]]]:
    """Columns that are adjusted for term frequency, each with the strongest level that is."""
    seen = set()
    for comparison in splink["comparisons"]:
        for level in comparison["comparison_levels"]:
            column = level.get("tf_adjustment_column")
            if column and column not in seen:
                seen.add(column)
                yield column, level


def _term_frequency_columns(linkage: Linkage, columns: list[str] | tuple[str, ...]) -> list[str]:
    """The columns that are adjusted for term frequency."""
    adjusted = (level.get("frequent") for column in columns for level in linkage.raw["comparisons"][column])
    return sorted({column for column in adjusted if column})


_PARTS = {
    "name": ("sound_sorted", "family", "latin_family", "given", "starts_of_names", "initials_of_names"),
    "email": ("email_name",),
    "address": ("address_start", "address_head", "address_number", "address_first_number"),
    "birth_date": ("birth_year", "birth_month"),
    "phone": ("phone_start", "phone_end"),
}


def _has(block: list[str], columns: list[str]) -> bool:
    """Whether every column of a block is compared, itself or as a part of one."""
    available = {*columns, *(part for column in columns for part in _PARTS.get(column, ()))}
    return set(block) <= available


def _blocking_rule(block: list[str]) -> str:
    """SQL of pairs that agree on every column of a block; enterprises and persons are never compared."""
    return " and ".join(f"l.{column} = r.{column}" for column in (*block, "party_type"))


def _deterministic_rule(rule: KnownBy) -> str:
    """SQL of pairs that are hardly ever two persons."""
    return " and ".join([_blocking_rule(rule["agree"]), *([rule["sql"]] if "sql" in rule else [])])


def _quiet() -> None:
    """Turn off Splink's log: it advises an analyst, and what an operator needs to know is in the model."""
    logging.getLogger("splink").setLevel(logging.ERROR)
