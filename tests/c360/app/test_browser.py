"""The workbench in a real browser: each flow to its end, both languages, phone and desk, by keyboard, without a fault.

`make test-app` alone runs these, on a copy of the store that ``C360_WAREHOUSE`` names, or of `make demo`.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from time import monotonic, sleep

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from c360.access import add_person, revoke_token
from c360.app import cases
from c360.app.outcomes import FEED
from c360.desk import FEED as IDENTITY_DECISIONS
from lakehouse import tags, warehouse
from lakehouse.language import Language, Voice
from lakehouse.settings import PROJECT, Settings

pytestmark = [pytest.mark.app, pytest.mark.timeout(600)]

WIDTHS = {"phone": (390, 844), "desk": (1280, 900)}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SERIOUS = {"serious", "critical"}
NAMES = {"en": ("Worklist", "Promise", "Handed in"), "zh": ("工作清单", "客户承诺", "已提交")}
CASES = {  # the words of a case: page, step, outcome, hand in, sign, closed
    "en": ("Cases", "Add the step", "Payment plan agreed *", "Hand in the outcome", "Sign", "Closed"),
    "zh": ("个案", "登记步骤", "已达成还款计划 *", "提交结案意见", "复核通过", "已结案"),
}
SAVE = {"en": "Save", "zh": "保存"}
AT_ONCE = 8  # sign-ins within a minute
PICTURES = os.environ.get("C360_PICTURES")  # a folder that gets a picture of every page


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A copy of the bank, with its files as links; what is handed in lands in a folder of its own."""
    folder = tmp_path_factory.mktemp("bank")
    with pytest.MonkeyPatch.context() as patch:
        if "C360_WAREHOUSE" not in os.environ:
            for line in (PROJECT / "var" / "demo" / "env").read_text().splitlines():
                name, _, value = line.replace("'", "").partition("=")
                patch.setenv(name, value)
        given = Settings.from_env()
        for name in ("published", "lake"):
            with suppress(OSError):
                shutil.copytree(getattr(given, name), folder / name)
        for file in (given.warehouse, given.build):
            shutil.copyfile(file, folder / file.name)
        shutil.copytree(given.build.with_suffix(".dbt"), folder / "build.dbt")
        (folder / "token.secret").write_text(given.token_secret.get_secret_value())
        for name in ("published", "lake", "landing", "warehouse.duckdb", "build.duckdb", "api_tokens.json"):
            patch.setenv(f"C360_{name.partition('.')[0].upper()}", str(folder / name))
        copied = Settings.from_env()
        warehouse.relocate(copied)
        yield copied


@dataclass(frozen=True)
class Running:
    """A server, and how to sign in to it."""

    address: str
    people: dict[str, tuple[str, str]]  # role -> name, token
    branch: str
    sign_ins: list[float] = field(default_factory=list)  # when


@pytest.fixture(scope="module")
def running(bank: Settings) -> Iterator[Running]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    (found,) = warehouse.query_serving(
        bank,
        "select branch_code, count(*) as n from actions.worklist where is_handed_out and channel <> 'internal' "
        "and branch_code is not null group by 1 order by 2 desc, 1 limit 1",
    ).to_pylist()
    forever, branch = date(9999, 1, 1), found["branch_code"]
    people = {
        "branch_manager": ("S0001", add_person(bank.api_tokens, "S0001", "branch_manager", forever, branch)),
        "clerk": ("S0004", add_person(bank.api_tokens, "S0004", "clerk", forever)),
        "auditor": ("S0002", add_person(bank.api_tokens, "S0002", "auditor", forever)),
        "business_analyst": ("S0003", add_person(bank.api_tokens, "S0003", "business_analyst", forever)),
    }
    command = [sys.executable, "-m", "c360", "app", "serve", "--port", str(port)]
    server = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    address, deadline = f"http://127.0.0.1:{port}", monotonic() + 60
    while True:
        with suppress(OSError):
            urllib.request.urlopen(f"{address}/health")
            break
        assert server.poll() is None and monotonic() < deadline
        sleep(0.2)
    yield Running(address, people, branch)
    server.terminate()
    server.wait(timeout=30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(params=WIDTHS)
def page(request: pytest.FixtureRequest, browser: Browser, running: Running) -> Iterator[Page]:
    """A window of that width; anything on its console is a fault."""
    width, height = WIDTHS[request.param]
    context = browser.new_context(viewport={"width": width, "height": height}, base_url=running.address, locale="en-GB")
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    assert said == []
    context.close()


def sign_in(page: Page, running: Running, role: str) -> None:
    """Tests sign in oftener than the ten times a minute that an address may."""
    while len(running.sign_ins) >= AT_ONCE and monotonic() - running.sign_ins[-AT_ONCE] < 61:
        sleep(1)
    running.sign_ins.append(monotonic())
    name, token = running.people[role]
    page.goto("/sign-in")
    page.fill("#name", name)
    page.fill("#token", token)
    page.keyboard.press("Enter")
    page.wait_for_url("**/")


def look(page: Page, name: str) -> None:
    """Nothing hangs out of the window, and axe finds nothing serious."""
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}-{page.viewport_size['width']}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"], name
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in SERIOUS]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in found] == [], name


@pytest.mark.parametrize("language", NAMES)
def test_a_branch_manager_goes_from_the_list_to_the_outcome(
    page: Page, running: Running, bank: Settings, language: str
) -> None:
    worklist, promise, handed_in = NAMES[language]
    sign_in(page, running, "branch_manager")
    page.goto(f"/?lang={language}")
    look(page, f"start-{language}")
    page.get_by_role("link", name=worklist, exact=True).first.click()
    look(page, f"worklist-{language}")
    (expected,) = warehouse.query_serving(
        bank, f"select count(*) as n from actions.worklist where is_handed_out and branch_code = '{running.branch}'"
    ).to_pylist()
    assert f" {expected['n']:,}" in page.locator("p.after").last.inner_text()
    button = page.get_by_role("button", name=promise, exact=True)
    card = page.locator("section.card").filter(has=button).first  # what is done within the bank has none
    card.get_by_role("button", name=promise, exact=True).focus()
    page.keyboard.press("Enter")
    card.get_by_text(handed_in).wait_for()
    page.locator("section.card a").first.click()
    page.wait_for_url("**/customers/**")
    look(page, f"customer-{language}")
    for name in ("brief", "find", "status"):
        page.goto(f"/{name}")
        look(page, f"{name}-{language}")
    deadline = monotonic() + 30
    while not list((bank.landing / FEED).glob("*.manifest.json")):
        assert monotonic() < deadline
        sleep(0.2)


DESK = {
    "en": ("Clerk's desk", "Rehearse: same customer", "Records and their customers", "Decide: ", "Handed in"),
    "zh": ("客户归并", "试算：同一客户", "记录归属", "提交决定：", "已提交"),
}


@pytest.mark.parametrize("language", DESK)
def test_a_clerk_goes_from_the_list_through_the_rehearsal_to_the_decision(
    page: Page, running: Running, bank: Settings, language: str
) -> None:
    desk, rehearse, moves, decide, handed_in = DESK[language]
    sign_in(page, running, "clerk")
    page.goto(f"/?lang={language}")
    page.get_by_role("link", name=desk).first.click()
    look(page, f"desk-{language}")
    page.locator("table.cards a").first.click()
    page.wait_for_url("**/desk/pair?**")
    look(page, f"pair-{language}")
    page.get_by_role("button", name=rehearse).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/rehearsal?**")
    look(page, f"at-work-{language}")
    page.locator("#decide").wait_for(timeout=500_000)  # the page asks again by itself
    assert page.locator("p.bad").all_inner_texts() == []  # for instance: the bank is of other code
    assert page.get_by_role("heading", name=moves).count() == 1
    look(page, f"rehearsal-{language}")
    assert page.locator("td.changed").count() > 10
    for kind in ("same", "withdrawn"):
        page.locator("#why").fill("papers compared")
        page.keyboard.press("Tab")
        if kind == "withdrawn":
            for _ in range(2):
                page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        said = page.locator("#decide .said").filter(has_text=Voice(language)(kind))
        said.filter(has_text=handed_in).filter(has_text="S0004").filter(has_text="papers compared").wait_for()
        assert page.get_by_role("button", name=decide).count() == 3
    assert sorted(path.name for path in (bank.landing / IDENTITY_DECISIONS).glob("*.manifest.json"))
    assert not list(bank.build.parent.glob("*.rehearsal"))


@pytest.mark.parametrize("language", NAMES)
def test_an_analyst_makes_a_tag_looks_at_its_size_saves_and_retires_it(
    page: Page, running: Running, bank: Settings, language: str
) -> None:
    tag = f"fund_week_{language}_{page.viewport_size['width']}"
    sign_in(page, running, "business_analyst")
    page.goto(f"/tags?lang={language}")
    look(page, f"tags-{language}")
    page.locator("a.button.main").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/tag")
    page.select_option("#column_1", "customer_360.star_tier")
    page.fill("#values_1", "many")
    page.keyboard.press("Enter")  # the first button of the form: preview
    assert "50000" in page.locator("#about_1 .bad").inner_text(), "a sentence beside the field"
    look(page, f"tag-form-wrong-{language}")
    page.select_option("#operator_1", ">=")
    page.fill("#values_1", "4")
    page.select_option("#column_2", "contact_policy.preferred_channel")
    page.select_option("#operator_2", "in")
    page.fill("#values_2", "app，branch")
    page.keyboard.press("Enter")
    page.locator("#preview").wait_for()
    (expected,) = warehouse.query_serving(
        bank,
        "select count(*) as members, count(*) filter (where is_allowed and not is_control) as contactable "
        "from marts.customer_360 join actions.contact_policy using (customer_key) "
        "where star_tier >= 4 and preferred_channel in ('app', 'branch')",
    ).to_pylist()
    tiles = [int(text.replace(",", "")) for text in page.locator("#preview .tile b").all_inner_texts()]
    assert tiles == list(expected.values())
    look(page, f"tag-form-{language}")
    page.fill("#tag", tag)
    page.fill("#owner", "财富管理部")
    page.fill("#description", "基金周邀请: stars 4 and more")
    page.fill("#expires_date", "2099-12-31")
    page.get_by_role("button", name=SAVE[language], exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/tags/{tag}")
    assert "S0003" in page.locator("p.said").inner_text()
    look(page, f"tag-new-{language}")
    page.locator("a.button.main").click()
    page.select_option("#matching", "any")
    page.get_by_role("button", name=SAVE[language], exact=True).click()
    page.locator("#save_problem").wait_for()  # what was not seen is not saved
    page.get_by_role("button", name=SAVE[language], exact=True).click()
    page.wait_for_url(f"**/tags/{tag}")
    page.fill("#why", "the week is over")
    page.keyboard.press("Enter")
    page.locator(".version").nth(2).wait_for()
    look(page, f"tag-retired-{language}")
    told = [(one.version, one.change_kind, one.matching) for one in tags.told(bank) if one.tag == tag]
    assert told == [(1, "save", "all"), (2, "save", "any"), (3, "retire", "any")]


@pytest.mark.parametrize("language", NAMES)
def test_a_branch_manager_finds_by_tag_and_by_segment(
    page: Page, running: Running, bank: Settings, language: str
) -> None:
    (group,) = warehouse.query_serving(
        bank,
        "select tag, count(*) as n from marts.customer_tags join marts.customer_360 using (customer_key) "
        f"where home_branch_code = '{running.branch}' group by 1 order by 2 desc, 1 limit 1",
    ).to_pylist()
    sign_in(page, running, "branch_manager")
    page.goto(f"/find?lang={language}")
    page.select_option("#tag", group["tag"])
    page.locator("form:has(#tag) button").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/find?tag=*")
    seen = int(re.sub(r"\D", "", page.locator("#found h2 small").inner_text()))
    assert seen >= group["n"]
    look(page, f"find-tag-{language}")
    page.goto(f"/tags/{group['tag']}")
    look(page, f"tag-{language}")
    assert page.locator("form[action$=retire]").count() == 0, "who reads, only reads"
    page.goto("/find?segment=1")
    look(page, f"find-segment-{language}")
    page.locator("#found a").first.click()
    page.wait_for_url("**/customers/**")


def test_the_first_tab_leads_to_the_content(page: Page, running: Running) -> None:
    sign_in(page, running, "branch_manager")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "tile"


def test_an_auditor_sees_who_has_looked_and_others_do_not(page: Page, running: Running) -> None:
    sign_in(page, running, "auditor")
    page.goto("/audit")
    look(page, "audit-en")
    assert "S0001" in page.locator("main").inner_text()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    look(page, "sign-in-en")


def test_a_token_that_is_taken_back_ends_the_session(page: Page, running: Running, bank: Settings) -> None:
    name = f"S-{page.viewport_size['width']}"
    running.people[name] = (name, add_person(bank.api_tokens, name, "auditor", date(9999, 1, 1)))
    sign_in(page, running, name)
    revoke_token(bank.api_tokens, name)
    page.goto("/status")
    assert "/sign-in" in page.url


@pytest.mark.parametrize("language", CASES)
def test_a_case_goes_from_the_list_to_the_outcome_that_a_second_person_signs(
    page: Page, running: Running, bank: Settings, language: Language
) -> None:
    title, add_step, outcome, hand_in, sign, closed = CASES[language]
    place = [*CASES].index(language) * len(WIDTHS) + (page.viewport_size["width"] > 400)
    ids = [
        row["case_id"]
        for row in warehouse.query_serving(
            bank, "select case_id from actions.cases where state <> 'closed' order by amount_at_risk desc, due_date"
        ).to_pylist()
    ]
    one = [name for name in ids if name.startswith("early_warning:")][place]
    for name in (f"M{place}", f"C{place}"):
        running.people[name] = (name, add_person(bank.api_tokens, name, "risk_officer", date(9999, 1, 1)))
    sign_in(page, running, f"M{place}")
    page.goto(f"/?lang={language}")
    page.get_by_role("link", name=title, exact=True).first.click()
    look(page, f"cases-{language}")
    texts = page.locator("#show option").all_inner_texts()
    counts = {text.rsplit(" (", 1)[0]: int(text.rsplit("(", 1)[1][:-1].replace(",", "")) for text in texts}
    still_open, ended = counts[Voice(language)("cases_open")], counts[Voice(language)("cases_closed")]
    assert still_open + ended == len(ids)
    assert f" {still_open:,}" in page.locator("p.after").last.inner_text()
    page.goto("/cases?kind=early_warning")
    page.locator("section.card a").filter(has_text=one.split(":", 1)[1].rsplit(":", 1)[0]).click()
    page.wait_for_url("**/cases/early_warning*")
    page.select_option("#step_kind", "called")
    page.fill("#remark-step", "call 138 0013 8000")
    page.get_by_role("button", name=add_step, exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert page.input_value("#remark-step"), "what was typed stands"
    look(page, f"case-refused-{language}")
    page.fill("#remark-step", "pays 1,388 on 2026-01-09")
    page.get_by_role("button", name=add_step, exact=True).click()
    page.select_option("#outcome", label=outcome)
    page.fill("#remark-proposed", "12 x 120")
    page.get_by_role("button", name=hand_in, exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("p[role=status].said")
    assert page.get_by_role("button", name=sign, exact=True).count() == 0, "not one's own"
    look(page, f"case-waits-{language}")
    page.locator("header button").click()
    page.wait_for_url("**/sign-in")
    sign_in(page, running, f"C{place}")
    page.goto("/cases?show=to_sign")
    page.locator("section.card a").first.click()
    page.wait_for_url("**/cases/early_warning*")
    look(page, f"case-to-sign-{language}")
    page.get_by_role("button", name=sign, exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(f"section.card b:text-is('{closed}')")
    look(page, f"case-closed-{language}")
    deadline = monotonic() + 30
    while not list((bank.landing / cases.FEED).glob("*.manifest.json")):
        assert monotonic() < deadline
        sleep(0.2)
