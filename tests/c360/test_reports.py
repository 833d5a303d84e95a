"""Reports speak English and Chinese, tables are shown whole, and nothing is printed as a program would."""

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from io import StringIO

import pytest
from matplotlib.figure import Figure
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from c360.cli import output
from c360.cli.main import app
from c360.reports import handover, survival, worklist
from c360.reports.customer import touch_line, touch_time
from lakehouse.language import Voice, words
from lakehouse.pages import svg

CHINESE = re.compile(r"[一-鿿]")


def commands(command: TyperGroup, path: str = "") -> Iterator[tuple[str, TyperCommand]]:
    for name, part in command.commands.items():
        if isinstance(part, TyperGroup):
            yield from commands(part, f"{path} {name}".strip())
        else:
            assert isinstance(part, TyperCommand)
            yield f"{path} {name}".strip(), part


def test_every_report_that_makes_a_page_speaks_both_languages() -> None:
    options = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in commands(get_command(app))
    }
    pages = {name for name, of_command in options.items() if "--html" in of_command}
    assert {"customer", "worklist", "handover", "report survival", "report segments", "report forecast"} <= pages
    of_models = {"identity chart", "identity explain", "ml evaluate"}  # for data scientists
    assert {name for name in pages if "--lang" not in options[name]} <= of_models


def made_worklist() -> worklist.WorklistReport:
    action = {
        "customer_key": "cif:C1",
        "urgency": "high",
        "action_en": "Call",
        "action_zh": "致电",
        "reason_en": "much left",
        "reason_zh": "资金流出较多",
        "probability": None,
        "basis": "fact",
        "amount_at_stake": Decimal(1000),
        "expected_amount": Decimal(10),
        "channel": "phone",
        "owner": "call_centre",
        "rm_id": None,
        "due_date": date(2026, 1, 5),
        "action_state": "not reached",
    }
    return worklist.WorklistReport("branch B1", "B1", None, date(2026, 1, 3), [action], {"opted out": 3})


@pytest.mark.faults("formulas")
def test_a_worklist_for_a_spreadsheet_has_no_formula() -> None:
    report = made_worklist()
    planted = dict.fromkeys(worklist.COLUMNS.split(", ")) | report.actions[0] | {"reason_en": "=HYPERLINK(1)"}
    (row,) = csv.DictReader(StringIO(worklist.lines(replace(report, actions=[planted]))))
    assert row["reason_en"] == "'=HYPERLINK(1)" and row["amount_at_stake"] == "1000"


def made_handover() -> handover.HandoverReport:
    facts = {
        "customer_key": "cif:C1",
        "is_marketing_opt_out": True,
        "star_tier": 4,
        "life_cycle_stage": "won_back",
        "currency": "CNY",
        "aum_amount": Decimal(5000),
        "churn_probability": 0.2,
        "churn_reason_en": "fewer logins",
        "churn_reason_zh": "登录减少",
    }
    contact = handover.Contact(datetime(2026, 1, 2), "rm_contact", "phone", "retention", "promised", "R1")
    action = handover.OpenAction("complaint about fees", "投诉：费用", None)
    handed = handover.HandedCustomer(facts, [action], [contact], [contact])
    return handover.HandoverReport("R1", "B1", None, date(2026, 1, 3), [handed])


def made_survival() -> survival.SurvivalReport:
    curve = [survival.Point(month, 10, 1 - month / 50, 0.5, 1.0) for month in range(7)]
    return survival.SurvivalReport(date(2026, 1, 3), [survival.Cohort("before 2024-02", 10, 2, curve)])


@pytest.mark.parametrize(
    ("module", "content"),
    [(worklist, made_worklist()), (handover, made_handover()), (survival, made_survival())],
    ids=["worklist", "handover", "survival"],
)
def test_a_report_is_in_one_language(module, content, monkeypatch: pytest.MonkeyPatch) -> None:
    say, code = Voice.__call__, Voice.code

    def strictly(voice: Voice, text: str, **values: object) -> str:
        assert text in words("texts"), f"no Chinese for {text!r}"
        return say(voice, text, **values)

    def strictly_code(voice: Voice, name: str | None) -> str:
        assert not name or name.replace("_", " ") in words("codes"), f"no Chinese for {name!r}"
        return code(voice, name)

    for language in ("en", "zh"):
        shown = Console(file=StringIO(), width=200)
        if language == "zh":
            monkeypatch.setattr(Voice, "__call__", strictly)
            monkeypatch.setattr(Voice, "code", strictly_code)
        page = module.page(content, language)
        shown.print(*module.tables(content, language))
        texts = (re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL), shown.file.getvalue())
        for text in texts:
            assert bool(CHINESE.search(text)) == (language == "zh"), text
        assert f'<html lang="{language}">' in page


def test_a_touch_has_the_local_time_and_the_name_of_the_product() -> None:
    touch = {"touched_at": datetime(2026, 1, 3, 20, 30), "touch_kind": "event", "topic": "apply_start", "is_own": True}
    touch |= {"product_code": "FD12", "product_name": "一年定期存款"}
    assert touch_time(touch, timezone(timedelta(hours=8))) == "2026-01-04 04:30"
    assert touch_line(touch) == "apply start, One-year fixed deposit"
    assert touch_line(touch, Voice("zh")) == "开始申请，一年定期存款"


def test_values_are_said_in_words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "console", Console(width=200))
    output.show(
        {"waiting": {"transactions": 1200}, "last_seen": datetime(2026, 1, 3, 1, tzinfo=UTC), "none": []}, False
    )
    assert capsys.readouterr().out.splitlines() == [
        "waiting transactions 1,200",
        "last seen 2026-01-03 01:00:00",
        "none none",
    ]


def test_in_a_small_window_no_text_is_cut_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "console", Console(width=80))
    table = Table("reason", "more")
    table.add_row("近180天投诉较多三次最近一次在去年十月" * 9, "word " * 60)
    output.show({}, False, lambda: [table, Panel("a line that is longer than the window " * 5 + "and ends")])
    shown = capsys.readouterr().out
    assert "…" not in shown and shown.count("投诉较多") + shown.count("投") >= 9 and "ends" in shown


def test_a_figure_has_a_title_and_letters() -> None:
    figure = Figure()
    figure.subplots().set(xlabel="存款 <more>")
    drawn = svg(figure, 'Assets "now"')
    assert drawn.startswith("<svg") and "<title>Assets &#34;now&#34;</title>" in drawn and 'role="img"' in drawn
    assert "存款 &lt;more&gt;" in drawn
