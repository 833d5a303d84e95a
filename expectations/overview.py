"""The gates as pages that need no other file: one over all, and one for each suite and business date."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lakehouse import pages
from lakehouse.lake import appearing
from lakehouse.language import ENGLISH, LANGUAGES, NAMES, Language, Voice

TEMPLATES = Path(__file__).with_name("templates")
INDEX = "index.html"
VERDICTS = ("stopped the day", "warning", "met")
DATES = 30  # newest first; however long the history is, no more is read


@dataclass(frozen=True)
class SuiteRun:
    """The result of a suite on a business date, as Great Expectations keeps it."""

    gate: str
    suite: str
    business_date: str
    page: Path  # below the folder of all gates
    results: list[dict]

    @property
    def verdict(self) -> str:
        """What came of it for the day."""
        severities = {severity for severity, _ in self.unmet}
        return "stopped" if "critical" in severities else "warned" if severities else "passed"

    @property
    def checks(self) -> list["Check"]:
        """Every expectation, those that were not met first."""
        return sorted(map(_check, self.results), key=lambda check: VERDICTS.index(check.verdict))

    @property
    def unmet(self) -> list[tuple[str, str]]:
        """Severity and subject of every expectation that was not met."""
        configs = (result["expectation_config"] for result in self.results if not result["success"])
        return [(config["severity"], subject(config["kwargs"])) for config in configs]


@dataclass(frozen=True)
class Check:
    """An expectation of a suite, and what came of it; names of columns and limits are as in the suite."""

    verdict: str  # one of VERDICTS
    expectation: str
    subject_en: str
    subject_zh: str
    limits: str
    observed_en: str  # empty where it was met
    observed_zh: str
    why_en: str
    why_zh: str
    what_to_do_en: str
    what_to_do_zh: str

    def said(self, part: str, say: Voice) -> str:
        """A part in the reader's language: what is looked at, what was seen, why, or what to do."""
        return getattr(self, f"{part}_{say.language}")


def suite_runs(docs: Path, dates: int | None = None, gate: str = "*", business_date: str = "*") -> Iterator[SuiteRun]:
    """The runs of every gate, the newest business date first, of the newest ``dates`` dates or of all."""
    found = docs.glob(f"{gate}/.results/*/{business_date}/*/*.json")
    files = sorted(found, key=lambda file: (file.parts[-3], file), reverse=True)
    newest = sorted({file.parts[-3] for file in files}, reverse=True)[:dates]
    for file in (file for file in files if file.parts[-3] in newest):
        gate, _, *place = file.relative_to(docs).parts
        page = Path(gate, "validations", *place).with_suffix(".html")
        yield SuiteRun(gate, place[0], place[1], page, json.loads(file.read_text())["results"])


def write_overview(docs: Path) -> Path:
    """Write ``index.html``: the result of each suite on each of the newest business dates.

    Parameters
    ----------
    docs
        Folder of all gates.
    """
    template = pages.environment(TEMPLATES).get_template("overview.html.j2")
    runs = list(suite_runs(docs, DATES))
    for language in LANGUAGES:
        content = {"runs": runs, "in_language": partial(in_language, language=language), "gate_said": gate_said}
        links = _links(Path(INDEX), language)
        with appearing(docs / in_language(Path(INDEX), language)) as temporary:
            text = template.render(content, say=Voice(language), language=language, links=links)
            temporary.write_text(text, encoding="utf-8")
    return docs / INDEX


def write_pages(docs: Path, gate: str, business_date: str) -> None:
    """Write a page for each suite of a gate on a business date, beside those of other dates.

    Parameters
    ----------
    docs
        Folder of all gates.
    """
    template = pages.environment(TEMPLATES).get_template("suite.html.j2")
    for run in suite_runs(docs, gate=gate, business_date=business_date):
        up = Path(*(".." for _ in run.page.parts[:-1]))
        for language in LANGUAGES:
            content = {"run": run, "index": in_language(up / INDEX, language).as_posix(), "gate_said": gate_said}
            links = _links(Path(run.page.name), language)
            with appearing(docs / in_language(run.page, language)) as temporary:
                text = template.render(content, say=Voice(language), language=language, links=links)
                temporary.write_text(text, encoding="utf-8")


def _links(page: Path, language: Language) -> list[tuple[str, Language, Path]]:
    """To the page in other languages: name, language, place."""
    return [(NAMES[other], other, in_language(page, other)) for other in LANGUAGES if other != language]


def in_language(page: Path, language: Language) -> Path:
    """Where a page stands in a language.

    >>> in_language(Path("marts/index.html"), "zh").as_posix(), in_language(Path("index.html"), "en").as_posix()
    ('marts/index_zh.html', 'index.html')
    """
    return page if language == "en" else page.with_stem(f"{page.stem}_{language}")


def columns_of(kwargs: Mapping[str, Any]) -> list[str]:
    """The columns that an expectation is about, from its arguments."""
    return [kwargs[name] for name in ("column", "column_A", "column_B") if name in kwargs]


def gate_said(gate: str, say: Voice) -> str:
    """A gate for people: of which channels.

    >>> gate_said("raw_branch_online", Voice("zh")), gate_said("raw_online", Voice()), gate_said("marts", Voice())
    ('入库：网点，线上', 'raw: online', 'marts')
    """
    if not gate.startswith("raw_"):
        return say.code(gate)
    return say("raw: {channels}", channels=say.listed([say.code(one) for one in gate.split("_")[1:]]))


def subject(kwargs: Mapping[str, Any], say: Voice = ENGLISH) -> str:
    """What an expectation is about, in words.

    >>> subject({"column_A": "rows_loaded", "column_B": "rows_accounted"})
    'rows_loaded and rows_accounted'
    """
    return say(" and ").join(columns_of(kwargs)) or "table"


def limits(kwargs: Mapping[str, Any]) -> str:
    """Between what values must be, if an expectation says so."""
    return ", ".join(f"{name} {kwargs[name]}" for name in ("min_value", "max_value") if kwargs.get(name) is not None)


def observed(result: Mapping[str, Any], columns: list[str], key: str, say: Voice = ENGLISH) -> str:
    """What was seen, with the first rows that do not meet an expectation, by their key."""
    if "observed_value" in result:
        return say("observed {value}", value=result["observed_value"])
    rows = [
        f"{row[key]} ({', '.join(f'{column} = {row[column]}' for column in columns if column != key)})"
        for row in result["partial_unexpected_index_list"]
    ]
    more = result["unexpected_count"] - len(rows)
    if more > 0:
        rows.append(say("and {count} more", count=more))
    counts = {"count": result["unexpected_count"], "total": result["element_count"]}
    return say("{count} of {total} rows: {rows}", rows=", ".join(rows), **counts)


def _check(result: Mapping[str, Any]) -> Check:
    config = result["expectation_config"]
    kwargs, seen = config["kwargs"], result["result"]
    is_met, columns = result["success"], columns_of(kwargs)
    row = next(iter(seen.get("partial_unexpected_index_list") or [{}]))
    key = next((name for name in row if name not in columns), columns[0] if columns else "")
    return Check(
        verdict="met" if is_met else "stopped the day" if config["severity"] == "critical" else "warning",
        expectation=config["type"].removeprefix("expect_").replace("_", " "),
        subject_en=subject(kwargs),
        subject_zh=subject(kwargs, Voice("zh")),
        limits=limits(kwargs),
        observed_en="" if is_met else observed(seen, columns, key),
        observed_zh="" if is_met else observed(seen, columns, key, Voice("zh")),
        why_en=config["meta"]["notes"]["content"][0],
        why_zh=config["meta"]["why_zh"],
        what_to_do_en=config["meta"]["what_to_do"],
        what_to_do_zh=config["meta"]["what_to_do_zh"],
    )
