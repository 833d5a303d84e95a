"""Words beside codes: what a chart's reader is shown of a code, a branch or a feature, in their language."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from c360.bi.datasets import Column, Dataset
from lakehouse.contracts import load_feeds
from lakehouse.language import Language, Voice, words
from lakehouse.sql import literal
from lakehouse.warehouse.seeds import load_seeds
from lakehouse.yaml_files import read_yaml
from ml_jobs.task_file import load_tasks, task_said

CODES = Path(__file__).with_name("codes.yml")
BRANCHES = frozenset({"branch_code", "home_branch_code"})
ENDING = "_words"
UNKNOWN = "–"


@cache
def codes(language: Language) -> Mapping[str, Mapping[str, str]]:
    """The words of every code, by its column, in the order of the list.

    >>> codes("zh")["life_cycle_stage"]["won_back"], codes("en")["counterparty_class"]["money_market_fund"]
    ('赢回', 'money market fund')
    """
    say = Voice(language)
    listed: Mapping[str, list[str]] = read_yaml(CODES)
    found = {column: {code: _said(code, say) for code in values} for column, values in listed.items()}
    found["feed"] = {feed: say.code(feed) for feed in load_feeds()}
    found["task"] = {task: task_said(task, say) for task in load_tasks()}
    phrases = load_seeds()["reason_phrases"].rows()
    found["feature"] = {phrase["reason_code"]: phrase[f"phrase_{language}"] for phrase in phrases}
    return found


def worded(dataset: Dataset, language: Language, products: Mapping[str, str]) -> Dataset:
    """The dataset with a column of words beside each of its columns of codes, products and branches.

    The column of words has the code's name and ``_words`` behind it. A code that no list has stands for itself.

    Parameters
    ----------
    products : mapping of product code to the bank's name of it
    """
    say = Voice(language)
    known = {**codes(language), "product_code": {code: say.named(code, products[code], None) for code in products}}
    coded = [column for column in dataset.columns if column.type == "VARCHAR" and column.name in known]
    branches = [column for column in dataset.columns if column.name in BRANCHES]
    if not coded and not branches:
        return dataset
    shown = [f"{_case(column.name, known[column.name])} as {column.name}{ENDING}" for column in coded]
    joins = []
    for column in branches:
        shown.append(
            f"coalesce(names_of_{column.name}.name, coded.{column.name}, '{UNKNOWN}') as {column.name}{ENDING}"
        )
        joins.append(
            f"left join ({_branches(language)}) as names_of_{column.name} "
            f"on coded.{column.name} = names_of_{column.name}.joined_key"
        )
    statement = f"select coded.*, {', '.join(shown)} from ({dataset.statement}) as coded {' '.join(joins)}".strip()
    added = tuple(replace(column, name=f"{column.name}{ENDING}") for column in (*coded, *branches))
    return replace(dataset, statement=statement, columns=(*dataset.columns, *added))


def of_words(dataset: Dataset, column: str) -> str:
    """The column of a worded dataset that says a column in words; if there is none, the column itself."""
    return f"{column}{ENDING}" if isinstance(dataset.by_name.get(f"{column}{ENDING}"), Column) else column


def _said(code: str, say: Voice) -> str:
    return say.code(code) if code.replace("_", " ") in words("codes") else say.name(code)


def _case(column: str, said: Mapping[str, str]) -> str:
    whole = f"coalesce(coded.{column}, '{UNKNOWN}')"
    cases = " ".join(f"when {literal(code)} then {literal(text)}" for code, text in sorted(said.items()))
    return f"case coded.{column} {cases} else {whole} end" if said else whole


def _branches(language: Language) -> str:
    """Code and name of each branch. Grouped by its key: engines leave a join out that a question does not need."""
    name = "branch_name" if language == "zh" else "branch_name_en"
    return (
        f"select branch_code as joined_key, max(branch_code || coalesce(' ' || {name}, '')) as name "
        "from marts.dim_branch group by branch_code"
    )
