"""The workbench over a published bank: who sees what, figures as SQL has them, and everything written down."""

import html
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, date
from pathlib import Path
from time import sleep
from urllib.parse import parse_qs, quote, unquote

import duckdb
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response

from c360 import pipeline
from c360.access import Sees, add_person, load_roles, revoke_token
from c360.api.snapshot import Snapshot
from c360.app import rehearsals
from c360.app.outcomes import FEED
from c360.app.pages.customers import read_customer
from c360.app.preparing import statements
from c360.app.server import create_workbench
from c360.desk import decisions, doubtful_pairs
from c360.desk.decisions import names_of
from c360.receipts import find
from c360.reports import customer
from lakehouse import tags, warehouse
from lakehouse.ingestion import ingest_feed
from lakehouse.lake import read_outcomes
from lakehouse.lake.page_views import Event, read_events
from lakehouse.language import LANGUAGES, Voice
from lakehouse.settings import Settings
from ml_jobs.task_file import load_tasks, phrases, task_said
from tests.pipeline.bank import copy_of
from tests.pipeline.conftest import D1, D2, D3, LAST_OF_HISTORY, Undisturbed

FOREVER = date(9999, 1, 1)
PAGES = {  # page -> what it needs
    "/find": "customers:read",
    "/worklist": "actions:read",
    "/brief": "brief:read",
    "/desk": "identity:read",
    "/cases": "cases:read",
    "/status": "status:read",
    "/audit": "audit:read",
    "/tags": "tags:read",
    "/tag": "tags:write",
}
WITHIN = {"/", "/sign-in", "/sign-out", "/customers/{customer_key}", "/worklist/outcomes"}  # reached from pages
WITHIN |= {"/tags/{tag}", "/tags/{tag}/retire", "/desk/pair", "/desk/rehearse", "/desk/rehearsal", "/desk/decide"}
WITHIN |= {"/cases/{case_id}", "/cases/events", "/receipts/{receipt_id}"}
TAG = {  # a form that chooses somebody
    "version": "0",
    "matching": "all",
    "column_1": "customer_360.star_tier",
    "operator_1": ">=",
    "values_1": "2",
    "column_2": "customer_360.occupation",
    "operator_2": "in",
    "values_2": "医生，教师",
    "tag": "fund_week",
    "owner": "wealth desk",
    "description": "基金周",
    "expires_date": "2099-12-31",
}
TAG_SQL = "star_tier > 1 and occupation in ('医生', '教师')"


def rows(bank: Settings, sql: str) -> list[dict]:
    return warehouse.query_serving(bank, sql).to_pylist()


@pytest.fixture(scope="module")
def bank(day_by_day: Undisturbed, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("workbench")
    copied = copy_of(day_by_day.settings, folder)
    return copied.model_copy(update={"landing": folder / "landing"})


@pytest.fixture(scope="module")
def app(bank: Settings) -> Iterator[FastAPI]:
    made = create_workbench(bank)
    with TestClient(made):
        yield made


@pytest.fixture(scope="module")
def place(bank: Settings) -> dict[str, str]:
    """A branch with a manager who has customers, both with something to do."""
    (found,) = rows(
        bank,
        "select branch_code, rm_id from actions.worklist where rm_id is not null and is_handed_out "
        "group by 1, 2 order by count(*) desc, 1, 2 limit 1",
    )
    return {"branch": found["branch_code"], "manager": found["rm_id"]}


@pytest.fixture(scope="module")
def clients(bank: Settings, app: FastAPI, place: dict[str, str]) -> dict[str, TestClient]:
    """A browser for each role, signed in."""
    made = {}
    for name, role in load_roles().items():
        branch = place["branch"] if role.sees is Sees.branch else None
        manager = place["manager"] if role.sees is Sees.own else None
        token = add_person(bank.api_tokens, f"S-{name}", name, FOREVER, branch, manager)
        made[name] = TestClient(app, headers={"accept-language": "en"})
        answer = made[name].post("/sign-in", data={"name": f"S-{name}", "token": token}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert {"HttpOnly", "SameSite=strict"} <= set(answer.headers["set-cookie"].split("; "))
    return made


def journal(bank: Settings) -> list[Event]:
    return read_events(bank.lake, D3)


def csrf_of(answer: Response) -> str:
    return re.search(r'name="csrf" value="([^"]+)"', answer.text)[1]


def signed_in(app: FastAPI, name: str, token: str) -> TestClient:
    client = TestClient(app, headers={"accept-language": "en"})
    assert client.post("/sign-in", data={"name": name, "token": token}).status_code == 200
    return client


def actions_on(answer: Response) -> list[str]:
    return re.findall(r'<section class="card[^"]*" id="([^"]+)"', answer.text)


def test_every_page_is_for_whom_it_is_and_no_hint_for_others(
    bank: Settings, app: FastAPI, clients: dict[str, TestClient]
) -> None:
    routes = {route.path for route in app.routes if not getattr(route, "path", "/api").startswith(("/api", "/health"))}
    assert routes - WITHIN == PAGES.keys()
    nothing = clients["auditor"].get("/no-such-page")
    assert nothing.status_code == 404
    for name, client in clients.items():
        role = load_roles()[name]
        for page, scope in PAGES.items():
            before = len(journal(bank))
            answer = client.get(page)
            new = journal(bank)[before:]
            is_theirs = scope in role.may
            assert answer.status_code == (200 if is_theirs else 404), (name, page)
            if not is_theirs:
                assert answer.text == nothing.text
                assert [(one["event_kind"], one["user_name"]) for one in new] == [("refusal", f"S-{name}")]
            elif page != "/find":  # a form, of nobody
                assert {(one["event_kind"], one["user_name"]) for one in new} == {("view", f"S-{name}")}


def test_a_stranger_is_asked_who_they_are_and_it_is_written_down(bank: Settings, app: FastAPI) -> None:
    stranger = TestClient(app, follow_redirects=False)
    for path in ("/", *PAGES, "/customers/cif:1"):
        before = len(journal(bank))
        answer = stranger.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")
        (event,) = journal(bank)[before:]
        assert (event["event_kind"], event["user_name"], event["detail"]) == ("refusal", None, "not signed in")
    for path in ("/find", "/worklist/outcomes", "/desk/rehearse", "/desk/decide", "/sign-out"):
        assert stranger.post(path).headers["location"] == "/sign-in"


@pytest.mark.parametrize("name", load_roles())
def test_a_customer_is_shown_to_who_sees_them_and_each_look_is_written_down(
    bank: Settings, app: FastAPI, clients: dict[str, TestClient], place: dict[str, str], name: str
) -> None:
    client, who = clients[name], load_roles()[name]
    others = "home_branch_code <> '{branch}' and coalesce(rm_id, '') <> '{manager}'".format(**place)
    keys = [
        row["customer_key"]
        for condition in (f"home_branch_code = '{place['branch']}'", f"rm_id = '{place['manager']}'", others)
        for row in rows(bank, f"select customer_key from marts.customer_360 where {condition} order by 1 limit 1")
    ]
    keys += [
        row["customer_key"]
        for row in rows(
            bank, "select customer_key from actions.worklist where owner = 'call_centre' and is_handed_out limit 1"
        )
    ]
    for key in [*dict.fromkeys(keys), "cif:nobody"]:
        (of_table,) = rows(bank, f"select * from marts.customer_360 where customer_key = '{key}'") or [{}]
        listed = rows(bank, f"select * from actions.worklist where customer_key = '{key}'")
        expected = (
            bool(of_table)
            and {
                "all": True,
                "branch": place["branch"]
                in {of_table.get("home_branch_code"), *(one["branch_code"] for one in listed)},
                "own": place["manager"] in {of_table.get("rm_id"), *(one["rm_id"] for one in listed)},
                "listed": any(one["owner"] == "call_centre" and one["is_handed_out"] for one in listed),
                "none": False,
            }[who.sees]
        )
        before = len(journal(bank))
        answer = client.get(f"/customers/{quote(key, safe='')}")
        (event,) = journal(bank)[before:]
        is_shown = expected and "customers:read" in who.may
        assert answer.status_code == (200 if is_shown else 404), (name, key)
        assert event["event_kind"] == ("view" if is_shown else "refusal")
        if "customers:read" in who.may:
            assert event["customer_key"] == key
        if is_shown:
            assert f"{of_table['aum_amount']:,.0f}" in answer.text


@pytest.mark.parametrize("name", load_roles())
def test_a_receipt_is_shown_to_who_sees_its_action_or_its_customer_and_each_look_is_written_down(
    bank: Settings, clients: dict[str, TestClient], place: dict[str, str], name: str
) -> None:
    client, who = clients[name], load_roles()[name]
    named = "action_id, branch_code, rm_id, owner, is_handed_out"
    asked = f"select {named} from actions.worklist where {{}} order by 1 limit 1"
    conditions = (
        f"rm_id = '{place['manager']}'",
        f"branch_code <> '{place['branch']}' and not is_handed_out",
        "owner = 'call_centre' and is_handed_out",
    )
    for action in (rows(bank, asked.format(condition))[0] for condition in conditions):
        sees = {
            "all": True,
            "branch": action["branch_code"] == place["branch"],
            "own": action["rm_id"] == place["manager"],
            "listed": action["owner"] == "call_centre" and action["is_handed_out"],
            "none": False,
        }[who.sees]
        expected = sees and {"actions:read", "scores:read"} <= who.may
        before = len(journal(bank))
        answer = client.get(f"/receipts/{quote(action['action_id'], safe='')}")
        (event,) = journal(bank)[before:]
        assert answer.status_code == (200 if expected else 404), (name, action)
        assert (event["event_kind"], event["page"]) == ("view" if expected else "refusal", "receipt")
        if expected:
            assert event["detail"] == action["action_id"]
    score = rows(bank, "select task, customer_key from scores.customer_scores where band = 'high' order by 1, 2")[0]
    answer = client.get(f"/receipts/{quote('score:{task}:{customer_key}'.format(**score), safe='')}")
    seen = client.get(f"/customers/{quote(score['customer_key'], safe='')}").status_code
    assert answer.status_code == (seen if "actions:read" in who.may else 404)
    assert client.get("/receipts/nothing").status_code == 404


def test_a_receipt_says_in_both_languages_what_was_decided_by_which_score_and_policy(
    bank: Settings, clients: dict[str, TestClient]
) -> None:
    (row,) = rows(
        bank,
        "select worklist.* from actions.worklist inner join actions.retention using (action_id) "
        "where not worklist.is_allowed order by 1 limit 1",
    )
    kept = find(bank.lake, row["action_id"], D3)
    (receipt,) = kept.table.to_pylist()
    client, address = clients["auditor"], f"/receipts/{quote(row['action_id'], safe='')}"
    for language in LANGUAGES:
        say = Voice(language)
        page = html.unescape(client.get(address, params={"lang": language}).text)
        for text in (
            *(say.column(name) for name in ("pin", "model_version", "rank", "block_reason")),
            *(kept.about["pin"], receipt["model_version"], receipt["model_sha256"], str(receipt["rank"])),
            *(say.code(receipt["block_reason"]), say.of(receipt, "reason"), say.of(receipt, "score_reason")),
            *(f"{receipt[name]:,.2f}" for name in ("amount_at_stake", "expected_amount")),
            *(task_said(receipt["task"], say), say("receipt_policy"), say.code("recent contact")),
            getattr(phrases(load_tasks()[receipt["task"]])["txn_count_90d"], language),
        ):
            assert text in page, (language, text)
        assert page.index(say.of(receipt, "reason")) < page.index(kept.about["pin"]), "what for people comes first"
    link = f'href="{address}"'
    assert link in client.get(f"/customers/{quote(row['customer_key'], safe='')}", params={"lang": "en"}).text
    listed = client.get("/worklist", params={"show": "held_back"}).text
    assert listed.count('href="/receipts/') == listed.count('<section class="card') > 0


def test_what_is_prepared_for_everybody_is_what_each_customer_is_asked_for(bank: Settings) -> None:
    publish, fullest = Snapshot.of_store(bank, statements), "select customer_key from {} group by 1 order by {} limit 2"
    tables = ("fct_journey", "household_links", "leaking_customers", "fund_chain_losses", "customer_changes")
    asked = [fullest.format(f"marts.{name} where customer_key is not null", "count(*) desc, 1") for name in tables]
    closed = f"marts.dim_account where closed_date > date '{publish.business_date}' - interval '31 days'"
    asked += [fullest.format(closed, 1), fullest.format("marts.customer_360", "max(aum_amount) desc, 1")]
    keys = {row["customer_key"] for sql in asked for row in rows(bank, sql)}
    filled = set()
    with warehouse.shown(bank) as shown:
        for key in sorted(keys & {row["customer_key"] for row in rows(bank, "from marts.customer_360")}):
            report = customer.read_by(shown.query, key)
            assert read_customer(publish, key, UTC) == report
            filled |= {name for name in customer.PARTS if getattr(report, name)}
    assert filled == {*customer.PARTS}, "each part is there for somebody"


def test_the_worklist_is_the_published_one_most_money_first(
    bank: Settings, clients: dict[str, TestClient], place: dict[str, str]
) -> None:
    money = "coalesce(expected_amount, 0) desc, coalesce(amount_at_stake, 0) desc"
    order = f"order by action_state in ('done', 'promised', 'refused'), {money}, priority, action_id"
    for name, whose in (
        ("branch_manager", f"branch_code = '{place['branch']}'"),
        ("relationship_manager", f"rm_id = '{place['manager']}'"),
        ("call_centre", "owner = 'call_centre'"),
        ("risk_officer", "true"),
    ):
        for show, condition in (("to_do", "is_handed_out"), ("held_back", "not is_handed_out")):
            wanted = condition if name != "call_centre" else f"{condition} and is_handed_out"
            expected = [
                row["action_id"]
                for row in rows(bank, f"select action_id from actions.worklist where {whose} and {wanted} {order}")
            ]
            found, number = [], 1
            while number <= -(-len(expected) // 25):
                found += actions_on(clients[name].get("/worklist", params={"show": show, "page": number}))
                number += 1
            assert found == expected
    phone = rows(bank, "select count(*) as n from actions.worklist where is_handed_out and channel = 'phone'")
    assert f"{phone[0]['n']:,}</p>" in re.sub(r"\n.*", "</p>", _count(clients["auditor"], "channel=phone"))


def test_the_first_page_says_what_waits_as_the_pages_themselves_do(
    bank: Settings, clients: dict[str, TestClient], place: dict[str, str]
) -> None:
    """Figures of one meaning: of SQL, and of the page that a tile leads to."""
    handed_out = "select count(*) as n from actions.worklist where is_handed_out and {}"
    left = (
        "select count(*) as n from marts.outflow_alerts inner join marts.customer_360 using (customer_key) "
        f"where {{}} and business_date > date '{D3}' - interval '7 days'"
    )
    for name, whose, customers in (
        ("branch_manager", f"branch_code = '{place['branch']}'", f"home_branch_code = '{place['branch']}'"),
        ("relationship_manager", f"rm_id = '{place['manager']}'", f"rm_id = '{place['manager']}'"),
    ):
        (to_do,), (urgent,), (outflows,) = (
            rows(bank, sql)
            for sql in (
                handed_out.format(whose),
                handed_out.format(f"{whose} and urgency = 'high'"),
                left.format(customers),
            )
        )
        client = clients[name]
        page = html.unescape(client.get("/", params={"lang": "en"}).text)
        assert f"{to_do['n']:,} to do, {urgent['n']} urgent" in page
        assert f" of {to_do['n']:,}" in client.get("/worklist").text
        assert f"outflows: {outflows['n']}" in page
        views = client.get("/cases").text
        opened, overdue = (re.search(rf"{view} \(([\d,]+)\)", views)[1] for view in ("open", "overdue"))
        assert f"{opened} open, {overdue} overdue" in page
    of_all = clients["auditor"].get("/", params={"lang": "en"}).text
    assert " to do, " in of_all and "outflows: " not in of_all, "the bank as a whole has no brief"
    assert " to do" not in clients["clerk"].get("/", params={"lang": "en"}).text


def test_an_action_shows_what_its_figures_are_and_never_a_rest_of_one(
    bank: Settings, clients: dict[str, TestClient]
) -> None:
    """An early warning tells a loss and no gain; where nothing is expected, what is at stake stands alone."""
    for condition, texts, without in (
        ("source = 'early_warning' and expected_amount > 0", ("expected_loss", "chance_early_warning"), ("expected",)),
        ("source = 'retention' and expected_amount > 0", ("expected", "chance_retention"), ("expected_loss",)),
        ("source = 'collections'", ("at_stake",), ("expected", "expected_loss")),
    ):
        found = f"select * from actions.worklist where {condition} and amount_at_stake is not null order by action_id"
        (row,) = rows(bank, f"{found} limit 1")
        for language in LANGUAGES:
            say = Voice(language)
            page = clients["auditor"].get(
                f"/customers/{quote(row['customer_key'], safe='')}", params={"lang": language}
            )
            shown = html.unescape(re.split(r"</?section", page.text.partition(f'id="{row["action_id"]}"')[2])[0])
            plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", shown))
            share = "" if row["probability"] is None else say.percent(row["probability"])
            for text in texts:
                assert say(text, share=share) in plain
            for text in without:
                assert f" {say(text)} " not in plain
            assert "> · <" not in shown and 'money"><span' not in shown
            assert f"{row['expected_amount'] or row['amount_at_stake']:,.0f}" in plain
            assert ("元" in plain) is (language == "zh") and ("CNY" in plain) is (language == "en")


def test_the_views_of_cases_count_those_of_the_kind_that_is_asked_for(
    bank: Settings, clients: dict[str, TestClient]
) -> None:
    kinds = rows(bank, "select case_kind, count(*) as n from actions.cases where state <> 'closed' group by 1")
    assert len(kinds) > 1
    for kind in kinds:
        asked = {"kind": kind["case_kind"]}
        page = clients["auditor"].get("/cases", params=asked | {"lang": "en"}).text
        assert f"open ({kind['n']:,})" in page and f" of {kind['n']:,}" in page
        of_models = load_tasks().keys() & set(re.findall(r"[a-z_]+_[a-z_]+", _titles(clients["auditor"], asked)))
        assert not of_models, "a model is called by what it foresees"


def _titles(client: TestClient, asked: dict[str, str]) -> str:
    page = client.get("/cases", params=asked | {"lang": "zh"}).text
    return " ".join(re.sub(r"<[^>]+>", "", title) for title in re.findall(r"<h2>.*?</h2>", page))


def _count(client: TestClient, asked: str) -> str:
    return re.search(r'<p class="after">\d+–\d+ of ([\d,]+)', client.get(f"/worklist?{asked}").text)[1] + "\n"


def test_a_customer_is_found_by_a_number_that_is_kept_nowhere(
    bank: Settings, clients: dict[str, TestClient], place: dict[str, str]
) -> None:
    client = clients["branch_manager"]
    (mine,) = rows(
        bank,
        "select min(party_key) as party_key from marts.dim_party inner join marts.customer_360 using (customer_key) "
        f"where home_branch_code = '{place['branch']}' and source = 'branch'",
    )
    known = warehouse.query(
        bank,
        "select customers.phone, customers.id_no, accounts.account_no from staging.stg_branch__customers as customers "
        "inner join staging.stg_branch__accounts as accounts on customers.party_key = accounts.party_key "
        "where customers.party_key = $1 order by customers.business_date desc limit 1",
        (mine["party_key"],),
    ).to_pylist()
    key = rows(bank, f"select customer_key from marts.dim_party where party_key = '{mine['party_key']}'")[0]
    assert known
    csrf = csrf_of(client.get("/find"))
    for way, column in (("phone", "phone"), ("document", "id_no"), ("account", "account_no")):
        value = f" {known[0][column][:3]} {known[0][column][3:].lower()} "
        answer = client.post("/find", data={"csrf": csrf, "way": way, "value": value}, follow_redirects=False)
        if answer.status_code == 303:
            assert answer.headers["location"] == f"/customers/{quote(key['customer_key'], safe='')}"
        else:  # a number of several customers
            assert "More than one customer" in answer.text
        assert known[0][column] not in (journal(bank)[-1]["detail"] or "")
    stranger = clients["relationship_manager"]
    form = {"csrf": csrf_of(stranger.get("/find")), "way": "key"}
    (other,) = rows(
        bank,
        "select min(customer_key) as key from marts.customer_360 as c where coalesce(rm_id, '') <> "
        f"'{place['manager']}' and customer_key not in (select customer_key from actions.worklist)",
    )
    answers = [stranger.post("/find", data=form | {"value": value}) for value in (other["key"], "cif:nobody")]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].text == answers[1].text, "no hint that the customer exists"
    assert [one["event_kind"] for one in journal(bank)[-2:]] == ["refusal", "refusal"]


def test_the_brief_equals_sql(bank: Settings, clients: dict[str, TestClient], place: dict[str, str]) -> None:
    answer = clients["branch_manager"].get("/brief")
    counts = dict(re.findall(r"<h2>([^<]+?) <small>(\d+)</small></h2>", answer.text))
    of_branch = f"home_branch_code = '{place['branch']}'"
    (expected,) = rows(
        bank,
        f"""
        with mine as (select customer_key from marts.customer_360 where {of_branch})
        select
            (select count(*) from marts.outflow_alerts join mine using (customer_key)
             where business_date between date '{D3}' - interval 6 days and date '{D3}') as moved,
            (select count(*) from marts.customer_tier_history join mine using (customer_key)
             where valid_from > date '{D3}' - interval 7 days and is_move and star_tier > previous_star_tier) as rose,
            (select count(*) from marts.customer_tier_history join mine using (customer_key)
             where valid_from > date '{D3}' - interval 7 days and is_move and star_tier < previous_star_tier) as fell,
            (select count(*) from marts.dim_account join mine using (customer_key)
             where maturity_date between date '{D3}' + interval 1 day and date '{D3}' + interval 7 days
                and status <> 'closed')
            + (select count(distinct holding_id) from marts.fct_holdings_daily
               join marts.dim_party using (party_key) join mine using (customer_key)
               where maturity_date between date '{D3}' + interval 1 day and date '{D3}' + interval 7 days
                and business_date = date '{D3}' and market_value_amount <> 0) as matures
        """,
    )
    parts = ("Large or unusual outflows", "Rose a star tier", "Fell a star tier", "Matures in seven days")
    shown = [int(counts[name]) for name in parts]
    assert shown == list(expected.values())
    assert clients["branch_manager"].get("/brief?branch=B9999").status_code == 404


def test_an_outcome_is_a_delivery_with_a_name_on_it(
    bank: Settings, app: FastAPI, clients: dict[str, TestClient]
) -> None:
    client = clients["branch_manager"]
    page = client.get("/worklist")
    action_id = actions_on(page)[0]
    form = {"action_id": action_id, "result": "promise", "back": "/worklist?page=1"}
    assert client.post("/worklist/outcomes", data=form).status_code == 403, "not a form of this session"
    answer = client.post("/worklist/outcomes", data=form | {"csrf": csrf_of(page)}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/worklist?page=1")
    assert "Handed in, counts from the next day" in client.get("/worklist").text
    event = next(one for one in journal(bank) if one["event_kind"] == "write")
    (action,) = rows(bank, f"select source, customer_key from actions.worklist where action_id = '{action_id}'")
    source, key = action["source"], action["customer_key"]
    assert (event["user_name"], event["customer_key"], event["detail"]) == ("S-branch_manager", key, "promise")
    for _ in range(100):
        if list((bank.landing / FEED).glob("*.manifest.json")):
            break
        sleep(0.1)
    after = date.fromordinal(D3.toordinal() + 1)
    ingest_feed(bank, FEED, after)
    (taken,) = read_outcomes(bank.lake, FEED)
    assert (taken.period, taken.outcome, taken.rows_quarantined) == (str(after), "loaded", 0)
    told = pq.read_table(taken.rows_path(bank.lake), partitioning=None).to_pylist()
    (row,) = [one for one in told if one["is_done"]]
    assert (row["action_kind"], row["party_key"], row["outcome"]) == (source, key, "promised")
    assert (row["reported_by"], row["business_date"], row["action_date"]) == ("S-branch_manager", after, D3)


def test_what_may_not_be_reported_is_refused(
    bank: Settings, clients: dict[str, TestClient], place: dict[str, str]
) -> None:
    client = clients["relationship_manager"]
    csrf = csrf_of(client.get("/"))
    (others,) = rows(
        bank,
        "select min(action_id) as id from actions.worklist where is_handed_out and channel <> 'internal' "
        f"and coalesce(rm_id, '') <> '{place['manager']}'",
    )
    (held_back,) = rows(bank, "select min(action_id) as id from actions.worklist where not is_handed_out")
    (mine,) = rows(
        bank,
        "select min(action_id) as id from actions.worklist where is_handed_out and channel <> 'internal' "
        f"and rm_id = '{place['manager']}'",
    )
    for action_id, result in ((others["id"], "done"), (held_back["id"], "done"), (mine["id"], "won"), ("x", "done")):
        written = sum(one["event_kind"] == "write" for one in journal(bank))
        answer = client.post("/worklist/outcomes", data={"csrf": csrf, "action_id": action_id, "result": result})
        assert answer.status_code == 404
        assert journal(bank)[-1]["event_kind"] == "refusal"
        assert sum(one["event_kind"] == "write" for one in journal(bank)) == written
    reader = clients["branch_reader"]
    assert "buttons" not in reader.get("/worklist").text.partition("<main")[2]


def figures(answer: Response) -> list[int]:
    """What the tiles of a preview say."""
    found = re.findall(r"<b>([\d,]+)</b>", answer.text.partition('id="preview"')[2].partition("</section>")[0])
    return [int(figure.replace(",", "")) for figure in found]


def test_a_tag_is_previewed_saved_as_a_delivery_changed_and_retired(
    bank: Settings, clients: dict[str, TestClient]
) -> None:
    client = clients["business_analyst"]
    form = TAG | {"csrf": csrf_of(client.get("/tag"))}
    before = len(journal(bank))
    preview = client.post("/tag", data=form | {"do": "preview"})
    (expected,) = rows(
        bank,
        "select count(*) as members, count(*) filter (where is_allowed and not is_control) as contactable from "
        f"marts.customer_360 left join actions.contact_policy using (customer_key) where {TAG_SQL}",
    )
    assert figures(preview) == list(expected.values())
    assert not tags.told(bank, D3), "to look changes nothing"
    seen = re.search(r'name="seen" value="([^"]+)"', preview.text)[1]
    unseen = client.post("/tag", data=form | {"do": "save", "seen": ""})
    assert "were not previewed" in unseen.text
    form |= {"do": "save", "seen": seen}
    saved = client.post("/tag", data=form, follow_redirects=False)
    assert (saved.status_code, saved.headers["location"]) == (303, "/tags/fund_week")
    assert "made or changed it meanwhile" in client.post("/tag", data=form).text, "two people at once"
    changed = form | {"version": "1", "owner": "deposits desk"}
    assert client.post("/tag", data=changed, follow_redirects=False).status_code == 303
    retired = client.post("/tags/fund_week/retire", data={"csrf": form["csrf"], "why": "over"}, follow_redirects=False)
    assert retired.headers["location"] == "/tags/fund_week"
    assert client.post("/tags/fund_week/retire", data={"csrf": form["csrf"]}).status_code == 404
    told = [(one.version, one.change_kind, one.owner, one.changed_by, one.note) for one in tags.told(bank, D3)]
    who = "S-business_analyst"
    assert told == [
        (1, "save", "wealth desk", who, ""),
        (2, "save", "deposits desk", who, ""),
        (3, "retire", "deposits desk", who, "over"),
    ]
    events = journal(bank)[before:]
    assert {one["user_name"] for one in events} == {who}
    writes = [one["detail"] for one in events if one["event_kind"] == "write"]
    assert writes == ["fund_week:1 save", "fund_week:2 save", "fund_week:3 retire"]
    assert events[0]["detail"] == "all: star_tier >= 2; occupation in 医生, 教师"


def test_who_reads_tags_sees_those_in_their_sight_and_changes_nothing(
    bank: Settings, clients: dict[str, TestClient], place: dict[str, str]
) -> None:
    for name, client in clients.items():
        nothing = client.get("/no-such-page")
        before = len(journal(bank))
        answer = client.get("/tags/at_work")
        events = journal(bank)[before:]
        may = load_roles()[name].may
        assert answer.status_code == (200 if "tags:read" in may else 404)
        assert {one["event_kind"] for one in events} == {"view" if "tags:read" in may else "refusal"}
        keys = re.findall(r'href="/customers/([^"]+)"', answer.text)
        if not {"tags:read", "customers:read"} <= may:
            assert keys == []
        else:
            assert [quote(one["customer_key"], safe="") for one in events] == keys
        if "tags:write" not in may:
            csrf = csrf_of(client.get("/"))
            assert client.post("/tag", data=TAG | {"csrf": csrf}).text == nothing.text
            assert client.post("/tags/at_work/retire", data={"csrf": csrf}).text == nothing.text
    auditor = clients["auditor"]
    assert auditor.get("/tags/nobody_knows").text == auditor.get("/no-such-page").text
    (size,) = rows(bank, "select member_count from marts.tags where tag = 'at_work'")
    shown = clients["auditor"].get("/tags/at_work").text
    assert f"<b>{size['member_count']:,}</b>" in shown
    assert all(f'<td class="d">{day}</td>' in shown for day in (D1, D2, D3)), "its size on each day"


def test_customers_are_found_by_tag_and_segment_within_sight(
    bank: Settings, clients: dict[str, TestClient], place: dict[str, str]
) -> None:
    mine = {
        "branch_manager": "home_branch_code = '{branch}' or exists (select 1 from actions.worklist as w where "
        "w.customer_key = c.customer_key and w.branch_code = '{branch}')",
        "relationship_manager": "rm_id = '{manager}' or exists (select 1 from actions.worklist as w where "
        "w.customer_key = c.customer_key and w.rm_id = '{manager}')",
        "call_centre": "exists (select 1 from actions.worklist as w where w.customer_key = c.customer_key and "
        "w.owner = 'call_centre' and is_handed_out)",
        "auditor": "true",
    }
    groups = {
        "tag=not_at_work": "customer_key in (select customer_key from marts.customer_tags where tag = 'not_at_work')",
        "segment=1": "segment_id = 1",
    }
    for name, sight in mine.items():
        for asked, condition in groups.items():
            if asked.startswith("tag") and "tags:read" not in load_roles()[name].may:
                assert clients[name].get(f"/find?{asked}").status_code == 404
                continue
            expected = [
                row["customer_key"]
                for row in rows(
                    bank,
                    f"select customer_key from marts.customer_360 as c where ({sight.format(**place)}) and {condition} "
                    "order by aum_amount desc nulls last, customer_key",
                )
            ]
            found, number, before = [], 1, len(journal(bank))
            while number <= -(-len(expected) // 25):
                page = clients[name].get(f"/find?{asked}&page={number}").text
                found += re.findall(r'href="/customers/([^"]+)"', page)
                number += 1
            assert found == [quote(key, safe="") for key in expected], (name, asked)
            assert [one["customer_key"] for one in journal(bank)[before:]] == expected
    assert clients["auditor"].get("/find?tag=over").status_code == 404
    assert clients["auditor"].get("/find?segment=x").status_code == 404


def test_pages_have_no_script_and_say_so(clients: dict[str, TestClient]) -> None:
    for language in ("en", "zh"):
        for page in ("/", *PAGES):
            answer = clients["auditor"].get(page, params={"lang": language})
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "script" not in policy
            assert not re.search(
                r"<script|javascript:| on[a-z]+=|https?://", answer.text.replace("http://www.w3.org", "")
            )
            assert answer.headers["cache-control"] == "no-store"
            assert f'<html lang="{"zh-CN" if language == "zh" else "en"}">' in answer.text
    clients["auditor"].get("/?lang=en")


def test_who_is_sent_away_at_the_door(bank: Settings) -> None:
    token = add_person(bank.api_tokens, "S-short", "auditor", FOREVER)
    # an application of its own: at that of all tests others have signed in
    with TestClient(create_workbench(bank), follow_redirects=False) as client:
        form = {"name": "S-short", "token": token}
        assert client.post("/sign-in", data=form | {"name": "S-auditor"}).status_code == 401
        assert client.post("/sign-in", data=form | {"token": "made up"}).status_code == 401
        away = client.post("/sign-in", data=form | {"next": "//evil.example/"})
        assert (away.status_code, away.headers["location"]) == (303, "/")
        assert client.get("/status").status_code == 200
        assert client.get("/api/v1/customers").status_code == 401, "a session is not for the API"
        revoke_token(bank.api_tokens, "S-short")
        assert client.get("/status").status_code == 303, "at once"
        answers = [client.post("/sign-in", data={"name": "S-x", "token": "x"}).status_code for _ in range(12)]
        assert answers[-1] == 429


def test_a_person_gets_from_the_api_whom_they_see(bank: Settings, app: FastAPI) -> None:
    branch = rows(bank, "select min(home_branch_code) as code from marts.customer_360")[0]["code"]
    some = add_person(bank.api_tokens, "S-some", "branch_reader", FOREVER, branch)
    every = add_person(bank.api_tokens, "S-every", "risk_officer", FOREVER)
    all_of_them = {row["customer_key"] for row in rows(bank, "select customer_key from marts.customer_360")}
    theirs = {
        row["customer_key"]
        for row in rows(
            bank,
            "select customer_key from marts.customer_360 left join "
            "(select customer_key, branch_code from actions.worklist) using (customer_key) "
            f"where '{branch}' in (home_branch_code, branch_code)",
        )
    }
    for token, expected in ((some, theirs), (every, all_of_them)):
        found, after = set(), ""
        while after is not None:
            asked = f"/api/v1/customers?limit=1000&fields=customer_key{after}"
            page = TestClient(app).get(asked, headers={"authorization": f"Bearer {token}"}).json()
            found |= {row["customer_key"] for row in page["rows"]}
            after = f"&after={page['next']}" if page["next"] else None
        assert found == expected
    assert theirs < all_of_them


@pytest.mark.full
def test_the_next_day_counts_a_tag_that_was_saved_and_nobody_has_it_once_it_is_retired(
    history: Settings, tmp_path: Path
) -> None:
    landing = tmp_path / "landing"
    shutil.copytree(history.landing, landing)
    bank = copy_of(history, tmp_path, landing)
    token = add_person(bank.api_tokens, "S1", "business_analyst", FOREVER)
    reader = add_person(bank.api_tokens, "S2", "auditor", FOREVER)

    for day, is_last in ((D1, False), (D2, True)):
        app = create_workbench(bank)
        with TestClient(app):
            client = signed_in(app, "S1", token)
            csrf = csrf_of(client.get("/tag"))
            if is_last:
                keys = re.findall(
                    r'href="/customers/([^"]+)"', signed_in(app, "S2", reader).get("/find?tag=fund_week").text
                )
                assert keys
                client.post("/tags/fund_week/retire", data={"csrf": csrf, "why": "over"})
            else:
                preview = client.post("/tag", data=TAG | {"csrf": csrf, "do": "preview"})
                seen = re.search(r'name="seen" value="([^"]+)"', preview.text)[1]
                client.post("/tag", data=TAG | {"csrf": csrf, "do": "save", "seen": seen})
        pipeline.run(bank, day, day)
        members = {row["customer_key"] for row in rows(bank, f"select * from marts.customer_360 where {TAG_SQL}")}
        tagged = rows(bank, "select customer_key from marts.customer_tags where tag = 'fund_week'")
        assert {row["customer_key"] for row in tagged} == (set() if is_last else members)
    (state,) = rows(bank, "select state from marts.tags where tag = 'fund_week' and is_current")
    assert state == {"state": "retired"}


@pytest.mark.full
def test_the_next_day_knows_what_was_handed_in(history: Settings, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    shutil.copytree(history.landing, landing)
    bank = copy_of(history, tmp_path, landing)
    app = create_workbench(bank)
    with TestClient(app, headers={"accept-language": "en"}) as client:
        token = add_person(bank.api_tokens, "S1", "call_centre", FOREVER)
        client.post("/sign-in", data={"name": "S1", "token": token})
        page = client.get("/worklist")
        action_id = actions_on(page)[0]
        client.post("/worklist/outcomes", data={"csrf": csrf_of(page), "action_id": action_id, "result": "promise"})
        case_id = proposed_and_signed(bank, app)
    (action,) = rows(bank, f"select customer_key from actions.worklist where action_id = '{action_id}'")
    key = action["customer_key"]
    pipeline.run(bank, D1, D1)
    contacts = rows(
        bank,
        "select outcome, business_date from marts.fct_contacts join marts.dim_party using (party_key) "
        f"where contact_kind = 'action' and customer_key = '{key}' and business_date = date '{D1}'",
    )
    assert [row["outcome"] for row in contacts] == ["promised"]
    (features,) = rows(
        bank,
        f"select contact_count_90d from features.customer_features where customer_key = '{key}' "
        f"and as_of_date = date '{D1}'",
    ) or [{"contact_count_90d": 1}]  # a lead has none
    assert features["contact_count_90d"] >= 1
    views = rows(bank, f"select * from ops.page_views where business_date = date '{LAST_OF_HISTORY}'")
    assert {row["event_kind"] for row in views} == {"refusal", "sign_in", "view", "write"} - {"refusal"}
    assert any(row["event_kind"] == "write" and row["customer_key"] == key for row in views)
    cases = {row["case_id"]: row for row in rows(bank, "select * from actions.cases")}
    ended = cases[case_id]
    assert (ended["state"], ended["proposed_by"], ended["signed_by"]) == ("closed", "S2", "S3")
    new = {row["is_recorded"] for row in cases.values() if row["opened_date"] == LAST_OF_HISTORY}
    assert new == {True}, "handed in with the first event of the day"
    events = rows(bank, f"select event_kind from actions.case_events where case_id = '{case_id}' order by event_number")
    assert [row["event_kind"] for row in events] == ["opened", "proposed", "signed"], "what is refused is not written"


def proposed_and_signed(bank: Settings, app: FastAPI) -> str:
    """The case with the most money at risk of a borrower; one person proposes how it ends, and another signs."""
    clients = {}
    for name in ("S2", "S3"):
        clients[name] = TestClient(app, headers={"accept-language": "en"})
        token = add_person(bank.api_tokens, name, "risk_officer", FOREVER)
        clients[name].post("/sign-in", data={"name": name, "token": token})
    page = clients["S2"].get("/cases?kind=early_warning")
    case_id = unquote(re.search(r'href="/cases/(early_warning[^"]+)"', page.text)[1])
    plan = {"do": "proposed", "outcome": "plan_agreed", "remark": "12 x 120 until 2026-01-31"}
    for name, form in (("S2", plan), ("S2", {"do": "signed"}), ("S3", {"do": "signed"}), ("S3", plan)):
        form |= {"csrf": csrf_of(clients[name].get("/cases")), "case_id": case_id}
        clients[name].post("/cases/events", data=form)
    found = clients["S2"].get("/cases?show=closed").text
    assert len(re.findall(r'href="/cases/early_warning', found)) == 1
    return case_id


def test_a_customer_and_the_brief_lead_to_the_case_within_rights(
    bank: Settings, clients: dict[str, TestClient]
) -> None:
    cases = rows(
        bank,
        "select cases.case_id, cases.customer_key, customers.home_branch_code as branch from actions.cases as cases "
        "inner join marts.customer_360 as customers on cases.customer_key = customers.customer_key "
        "where cases.state = 'open' order by cases.opened_date desc, cases.case_id limit 5",
    )
    assert cases
    officer, nobody = clients["risk_officer"], clients["call_centre"]
    for case in cases:
        link = f'href="/cases/{quote(case["case_id"], safe="")}"'
        customer = f"/customers/{quote(case['customer_key'], safe='')}"
        assert link in officer.get(customer).text
        assert f'href="{customer}"' in officer.get(f"/cases/{quote(case['case_id'], safe='')}").text
        brief = officer.get(f"/brief?branch={case['branch']}").text
        assert (f'href="{customer}"' in brief) == (link in brief)
    for one in actions_on(nobody.get("/worklist")):
        key = quote(one.split(":", 1)[1].rsplit(":", 1)[0], safe="")
        assert "/cases/" not in nobody.get(f"/customers/{key}").text, "the call centre has no right to cases"


def test_an_analyst_reads_no_number_of_few(bank: Settings, clients: dict[str, TestClient]) -> None:
    (rich,) = rows(
        bank,
        "select aum_amount from marts.customer_360 where aum_amount is not null order by 1 desc offset 2 limit 1",
    )
    analyst = clients["business_analyst"]
    form = {"version": "0", "matching": "all", "column_1": "customer_360.aum_amount", "operator_1": ">="}
    form |= {"values_1": f"{rich['aum_amount']:f}", "do": "preview", "csrf": csrf_of(analyst.get("/tag"))}
    preview = analyst.post("/tag", data=form).text.partition('id="preview"')[2].partition("</section>")[0]
    assert preview.count("fewer than 10") >= 3, "members, whom of them the bank may contact, and of the one condition"
    assert re.findall(r"<(?:b|td[^>]*)>([\d,]+)<", preview) == []
    (small,) = rows(bank, "select count(*) as n from marts.customer_tags where tag = 'at_work'")
    shown = "fewer than 10" if small["n"] < 10 else f"{small['n']:,}"
    assert f"<b>{shown}</b>" in analyst.get("/tags/at_work").text


def test_where_a_feed_is_not_taken_in_every_page_says_so_and_no_form_is_heard(
    bank: Settings, tmp_path: Path, place: dict[str, str]
) -> None:
    text = bank.deployment.read_text()
    for feed in ("action_outcomes", "case_events", "identity_decisions", "tag_definitions"):
        text = re.sub(rf"\b{feed},\s*", "", text)
    deployment = tmp_path / "simulated.yml"
    deployment.write_text(text)
    lacking = bank.model_copy(update={"deployment": deployment, "api_tokens": tmp_path / "tokens.json"})
    pages = {
        "branch_manager": {
            "/worklist": ("action_outcomes", "/worklist/outcomes"),
            "/cases": ("case_events", "/cases/events"),
        },
        "clerk": {"/desk": ("identity_decisions", "/desk/decide")},
        "business_analyst": {"/tags": ("tag_definitions", "/tag")},
    }
    with TestClient(app := create_workbench(lacking)):
        for role, theirs in pages.items():
            branch = place["branch"] if role == "branch_manager" else None
            client = signed_in(app, role, add_person(lacking.api_tokens, role, role, FOREVER, branch))
            for path, (feed, write) in theirs.items():
                page = client.get(path)
                assert f"does not take in the feed {feed}" in page.text
                assert client.post(write, data={"csrf": csrf_of(page)}).status_code == 404


def test_a_pair_is_decided_by_a_clerk_alone_and_lands_with_the_name(
    bank: Settings, app: FastAPI, clients: dict[str, TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = decisions(bank)
    pairs = [one for one in doubtful_pairs(bank, D3) if names_of(one.left, one.right) not in said]
    assets = {
        row["customer_key"]: row
        for row in rows(bank, "select customer_key, aum_amount, loan_amount from marts.customer_360")
    }
    money = [
        sum(assets[key]["aum_amount"] + assets[key]["loan_amount"] for key in (one.left_customer, one.right_customer))
        for one in pairs
    ]
    listed = clients["clerk"].get("/desk")
    assert f" {len(pairs):,}\n" in listed.text
    assert f"{max(money):,.0f}" in listed.text
    asked = re.search(r'href="/desk/pair\?([^"]+)"', listed.text)[1]
    left, right = (values[0] for values in parse_qs(html.unescape(asked)).values())
    page = clients["clerk"].get(f"/desk/pair?{html.unescape(asked)}")
    names = duckdb.sql(f"select distinct name, id_no, phone from '{bank.lake}/raw/customers/*/*.parquet'").fetchall()
    assert page.status_code == 200
    assert not [one for row in names for one in row if one and one in page.text]
    given = {"left": left, "right": right, "kind": "different", "why": "papers compared", "csrf": csrf_of(page)}
    for name in ("auditor", "branch_manager"):
        csrf = csrf_of(clients[name].get("/"))
        for path in ("/desk/decide", "/desk/rehearse"):
            assert clients[name].post(path, data=given | {"csrf": csrf}).status_code == 404
    stranger = f"left={left}&right=cif%3Anobody"
    assert clients["clerk"].get(f"/desk/pair?{stranger}").status_code == 404
    assert "not been rehearsed" in clients["auditor"].get(f"/desk/rehearsal?{html.unescape(asked)}&kind=same").text
    monkeypatch.setattr(rehearsals, "WAITING", 0)
    full = clients["clerk"].post("/desk/rehearse", data=given)
    assert "no more may wait" in full.text and "The rehearsal did not begin" in full.text
    assert "not been rehearsed" in clients["clerk"].get(f"/desk/rehearsal?{html.unescape(asked)}&kind=different").text
    assert decisions(bank) == said
    before = len(journal(bank))
    answer = clients["clerk"].post("/desk/decide", data=given)
    assert "Handed in" in answer.text
    event = journal(bank)[before]
    assert (event["event_kind"], event["page"], event["user_name"]) == ("write", "identity_decisions", "S-clerk")
    (decided,) = (one for name, one in decisions(bank).items() if name not in said)
    assert (decided.kind, decided.decided_by, decided.note) == ("different", "S-clerk", "papers compared")
    assert decided.day > D3
    assert f" {len(pairs) - 1:,}\n" in clients["clerk"].get("/desk").text
    clients["clerk"].post("/desk/decide", data=given | {"kind": "withdrawn"})
    assert f" {len(pairs):,}\n" in clients["clerk"].get("/desk").text
