"""Alerts reach a real mail server and a real webhook: once, grouped, not in quiet hours, and again after a failure."""

import json
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from c360 import alerts
from c360.alerts import NotTold, Result, telling
from c360.alerts.rules import Alerts, load_alerts
from c360.cli.main import app
from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.lake.alerts import read_log, read_state
from lakehouse.settings import Settings
from lakehouse.warehouse.relations import small_tables
from tests.c360.alerts.servers import LOGIN, Hook, HookServer, Mails, MailServer, free_port
from tests.lakehouse.activation.bank import secret

DAY = date(2026, 3, 1)
MORNING = datetime(2026, 3, 2, 1, tzinfo=UTC)  # nine o'clock in the bank's zone
NIGHT = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)  # half past midnight there
FLOWS = {"C1": ("B1", 900.5, "low"), "C2": ("B2", 7000.0, "high"), "C3": ("B2", 3000.0, "high")}


@dataclass
class Shown:
    """What one publish shows, without a store: outflows, and feeds of which one is silent."""

    flows: Mapping[str, tuple[str, float, str]]
    publish_id: int = 1
    business_date: date = DAY
    comments = (("marts.outflows", None, None), ("ops.feeds", None, None), ("actions.cases", None, None))
    read: list[str] = field(default_factory=list)  # tables, whenever their rows were asked for

    def rows(self, name: str) -> pa.Table | pa.RecordBatchReader:
        self.read.append(name)
        if name == "actions.cases":
            cases = pa.table({"case_id": ["k:C1:1", "k:C2:1"], "state": ["open", "in work"], "owner": [None, "S1"]})
            return cases.to_reader()  # as a store gives rows: once
        if name == "ops.feeds":
            return pa.table({"feed": ["cards", "loans"], "last": [date(2026, 2, 20), DAY], "rm_name": ["a", "b"]})
        keys = list(self.flows)
        branches, amounts, bands = zip(*self.flows.values(), strict=True) if keys else ((), (), ())
        return pa.table(
            {
                "customer_key": pa.array(keys, pa.string()),
                "branch_code": pa.array(branches, pa.string()),
                "amount": pa.array(amounts, pa.float64()),
                "band": pa.array(bands, pa.string()),
                "reason_en": pa.array([f"more than usual, <{key}>" for key in keys], pa.string()),
                "reason_zh": pa.array([f"高于平常 <{key}>" for key in keys], pa.string()),
            }
        )


@dataclass
class Office:
    """A bank whose store shows what it is given, with rules, a mail server and a webhook."""

    settings: Settings
    patch: pytest.MonkeyPatch
    mails: Mails
    hook: Hook
    port: int
    url: str

    def show(self, flows: Mapping[str, tuple[str, float, str]]) -> None:
        self.patch.setattr(warehouse, "shown", lambda _: nullcontext(Shown(flows)))

    def rules(self, **changed: object) -> Alerts:
        mail = {"kind": "smtp", "host": "127.0.0.1", "port": self.port, "credential": "mail_login"}
        mail |= {"sender": "c360@bank.example", "to": ["desk@bank.example"]}
        retry = {"attempts": 2, "first_wait_seconds": 0}
        hook = {"kind": "webhook", "url": self.url, "credential": "hook_token"}
        night = {"from": "22:00", "to": "07:00"}
        outflow = {
            "name": "outflow",
            "title": {"en": "Much money has left", "zh": "大额流出"},
            "severity": "warning",
            "table": "marts.outflows",
            "condition": "amount > 1000",
            "key": ["customer_key"],
            "changes": ["band"],
            "shows": ["branch_code", "amount", "reason_{language}"],
            "group": "branch_code",
            "largest": "amount",
            "to": ["desk", "chat"],
            "quiet_hours": night,
        }
        silent = {
            "name": "silent",
            "title": {"en": "A feed is silent", "zh": "数据源未送达"},
            "severity": "critical",
            "table": "ops.feeds",
            "condition": "last < published_date() - 2",
            "key": ["feed"],
            "shows": ["last"],
            "to": ["desk"],
        }
        return Alerts.model_validate(
            {
                "receivers": {
                    "desk": {"language": "en", "target": mail, "retry": retry},
                    "chat": {"language": "zh", "target": hook, "retry": retry},
                },
                "rules": {"outflow": outflow | changed, "silent": silent},
            }
        )

    def send(self, rules: Alerts | None = None, at: datetime = MORNING) -> Result:
        return alerts.send(self.settings, rules or self.rules(), ("desk", "chat"), at, "run", sleep=lambda _: None)

    def cases(self, receiver: str) -> list[list[str]]:
        """The cases of the messages about outflows, in the order of sending."""
        return [
            [case["case"] for case in entry["cases"]]
            for _, entry in read_log(self.settings.lake)
            if entry.get("receiver") == receiver and entry["rule"] == "outflow" and entry["kind"] == "sent"
        ]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mails, Hook, int, str, Path]]:
    """Both servers, for all tests of the module."""
    mails, hook = Mails(), Hook()
    server = MailServer(mails, tmp_path_factory.mktemp("mail"))
    with server as port, HookServer(hook) as url:
        yield mails, hook, port, url, server.certificate


@pytest.fixture
def office(settings: Settings, servers: tuple[Mails, Hook, int, str, Path], monkeypatch: pytest.MonkeyPatch) -> Office:
    mails, hook, port, url, certificate = servers
    mails.__init__()
    hook.__init__()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    secret(settings, "mail_login", ":".join(LOGIN))
    secret(settings, "hook_token", "a token")
    office = Office(settings, monkeypatch, mails, hook, port, url)
    office.show(FLOWS)
    return office


def test_each_receiver_gets_one_message_per_rule_with_all_its_cases_and_none_a_second_time(office: Office) -> None:
    assert office.send() == Result(sent=3, held=0, over=0)
    assert [str(mail["Subject"]) for mail in office.mails.taken] == [
        "[warning] Much money has left: 2 cases, business date 2026-03-01",
        "[critical] A feed is silent: 1 case, business date 2026-03-01",
    ]
    assert len(office.hook.bodies) == 1
    assert office.send() == Result(sent=0, held=0, over=0)
    assert (len(office.mails.taken), len(office.hook.bodies)) == (2, 1)


def test_a_mail_has_a_table_of_cases_as_text_and_as_a_page(office: Office) -> None:
    office.send()
    mail = office.mails.taken[0]
    assert (mail["From"], mail["To"]) == ("c360@bank.example", "desk@bank.example")
    assert office.mails.recipients[0] == ["desk@bank.example"]
    plain, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None and page is not None
    text = plain.get_content()
    assert "Branch B2: 2" in text
    assert text.index("- C2") < text.index("- C3"), "the largest first"
    assert "Amount: 7,000" in text and "more than usual, <C2>" in text and "C1" not in text
    assert "c360 alerts acknowledge outflow CASE --by NAME" in text
    for part in (text, page.get_content()):
        assert "What to do: " in part and "docs/RUNBOOKS.md#outflow" in part
    assert "<td" in page.get_content() and "more than usual, &lt;C2&gt;" in page.get_content()


def test_a_webhook_gets_the_same_in_its_language_under_an_idempotency_key(office: Office) -> None:
    office.send()
    body, headers = office.hook.bodies[0], office.hook.headers[0]
    assert headers["Authorization"] == "Bearer a token"
    assert headers["Idempotency-Key"] == body["id"]
    assert body["subject"] == "【警告】大额流出：2 项，业务日期 2026-03-01"
    assert body["count"] == 2
    assert body["cases"][0] == {"case": "C2", "branch_code": "B2", "amount": "7,000", "reason_zh": "高于平常 <C2>"}
    assert "网点 B2: 2" in body["text"] and "认领" in body["text"]
    assert (
        body["text"].endswith("\n处置手册: docs/RUNBOOKS.md#outflow\n")
        and body["runbook"] == "docs/RUNBOOKS.md#outflow"
    )


def test_a_rule_of_the_banks_own_names_its_own_page(office: Office) -> None:
    office.send(office.rules(runbook="https://wiki.bank.example/outflow"))
    body = office.hook.bodies[0]
    assert body["runbook"] == "https://wiki.bank.example/outflow" and body["runbook"] in body["text"]
    assert "RUNBOOKS.md" not in body["text"]


def test_in_quiet_hours_a_rule_waits_until_they_end_and_a_critical_one_does_not(office: Office) -> None:
    assert office.send(at=NIGHT) == Result(sent=1, held=2, over=0)
    assert [str(mail["Subject"])[:10] for mail in office.mails.taken] == ["[critical]"]
    assert office.send(at=MORNING) == Result(sent=2, held=0, over=0)
    assert office.cases("desk") == [["C2", "C3"]]


def test_a_new_case_is_told_alone_a_changed_one_again_and_one_that_came_back_too(office: Office) -> None:
    office.send()
    office.show(FLOWS | {"C4": ("B9", 5000.0, "high"), "C2": ("B2", 7100.0, "high")})
    office.send()
    office.show(FLOWS | {"C2": ("B2", 7100.0, "higher")})
    assert office.send().over == 1, "C4 is over"
    office.show(FLOWS | {"C4": ("B9", 5000.0, "high"), "C2": ("B2", 7100.0, "higher")})
    office.send()
    assert office.cases("desk") == office.cases("chat") == [["C2", "C3"], ["C4"], ["C2"], ["C4"]]
    ids = [entry["message_id"] for _, entry in read_log(office.settings.lake) if "message_id" in entry]
    assert len(set(ids)) == len(ids), "a mail program drops a second mail of the same id"


def test_a_case_that_is_taken_on_is_silent_until_it_changes(office: Office) -> None:
    alerts.acknowledge(office.settings, office.rules(), "outflow", "C2", "R007", "is called", MORNING)
    office.send()
    assert office.cases("desk") == [["C3"]]
    office.show(FLOWS | {"C2": ("B2", 7000.0, "higher")})
    office.send()
    assert office.cases("desk") == [["C3"], ["C2"]]
    tables = {table.relation.name: table.records for table in _published(office.settings)}
    (taken,) = [case for case in tables["alert_cases"] if case["case_key"] == "C2"]
    assert (taken["acknowledged_by"], taken["acknowledged_why"], taken["receivers"]) == (
        "R007",
        "is called",
        "chat,desk",
    )
    with pytest.raises(Stop, match="has no case C1 now"):
        alerts.acknowledge(office.settings, office.rules(), "outflow", "C1", "R007", "", MORNING)


def of_cases(rules: Alerts, **conditions: str) -> Alerts:
    """The same rules, and some over the cases that people work on."""
    raw = rules.model_dump(mode="json", by_alias=True)
    for name, condition in conditions.items():
        raw["rules"][name] = raw["rules"]["silent"] | {
            "name": name,
            "table": "actions.cases",
            "condition": condition,
            "key": ["case_id"],
            "shows": ["owner"],
        }
    return Alerts.model_validate(raw)


def test_rules_over_one_table_read_it_once_and_a_sending_reads_the_log_once(office: Office) -> None:
    read: list[Path] = []
    office.patch.setattr(telling, "read_state", lambda lake: read.append(lake) or read_state(lake))
    shown = Shown(FLOWS)
    office.patch.setattr(warehouse, "shown", lambda _: nullcontext(shown))
    office.send(of_cases(office.rules(), untouched="state = 'open'", theirs="owner is not null"))
    assert sorted(shown.read) == ["actions.cases", "marts.outflows", "ops.feeds"]
    assert len(read) == 1
    assert office.mails.taken[2].get_body(("plain",)).get_content().splitlines()[2] == "- k:C1:1"


def test_a_case_of_the_workbench_is_taken_on_there_and_nowhere_else(office: Office) -> None:
    rules = of_cases(office.rules(), untouched="state = 'open'")
    with pytest.raises(Stop, match="untouched are worked on in the workbench"):
        alerts.acknowledge(office.settings, rules, "untouched", "k:C1:1", "R007", "", MORNING)
    office.send(rules)
    text = office.mails.taken[2].get_body(("plain",)).get_content()
    assert "Take a case on in the workbench, under Cases." in text and "acknowledge" not in text


def test_a_kill_between_sending_and_noting_sends_the_same_message_once_more(office: Office) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telling, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            office.send()
    office.send()
    first, second, _ = office.mails.taken
    assert first["Message-ID"] == second["Message-ID"]
    assert str(first["Message-ID"]).endswith("@bank.example>")


def test_a_kill_between_the_log_and_what_it_comes_to_loses_nothing(office: Office) -> None:
    office.send()
    for path in (office.settings.lake / "alerts" / "open").iterdir():
        path.unlink()
    assert office.send() == Result(sent=0, held=0, over=0)


def test_a_refused_connection_is_tried_again_and_then_sent_by_the_next_call(office: Office) -> None:
    running = office.port
    office.port = free_port()
    with pytest.raises(NotTold, match=r"1 of 3 messages were sent; desk: .*ConnectionRefusedError"):
        office.send()
    office.port = running
    assert office.send() == Result(sent=2, held=0, over=0)
    tried = [(entry["kind"], entry["attempts"]) for _, entry in read_log(office.settings.lake) if "attempts" in entry]
    assert tried == [("unreachable", 2), ("sent", 1), ("unreachable", 2), ("sent", 1), ("sent", 1)]


@pytest.mark.parametrize(
    ("answers", "sent", "error"),
    [
        (["451 later", None], 2, None),
        (["554 no"], 1, "answers 554"),
    ],
)
def test_a_mail_server_that_says_later_is_asked_again_and_one_that_says_no_is_not(
    office: Office, answers: list[str | None], sent: int, error: str | None
) -> None:
    office.mails.behave = lambda asked: answers[asked - 1] if asked <= len(answers) else None
    if error:
        with pytest.raises(NotTold, match=error):
            office.send()
    else:
        office.send()
    assert len(office.mails.taken) == sent


def test_a_webhook_that_cannot_now_is_asked_again(office: Office) -> None:
    office.hook.behave = lambda asked: 503 if asked == 1 else 204
    office.send()
    assert [body["id"] for body in office.hook.bodies] == 2 * [office.hook.bodies[0]["id"]]


@pytest.mark.parametrize("status", [401, 404, 400])
def test_a_webhook_that_says_no_is_named(office: Office, status: int) -> None:
    office.hook.behave = lambda _: status
    with pytest.raises(NotTold, match=f"chat: .*{status}"):
        office.send()
    assert len(office.mails.taken) == 2, "the others are told nevertheless"


def test_a_wrong_password_an_unknown_certificate_and_a_missing_secret_are_named_without_the_secret(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret(office.settings, "mail_login", "c360:wrong one")
    with pytest.raises(NotTold, match="does not admit the login") as failure:
        office.send()
    assert "wrong one" not in str(failure.value)
    (office.settings.activation_secrets / "mail_login").unlink()
    with pytest.raises(NotTold, match="cannot be read"):
        office.send()
    secret(office.settings, "mail_login", ":".join(LOGIN))
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(NotTold, match="no certificate that is trusted"):
        office.send()
    assert not office.mails.taken


def test_who_was_told_when_is_published_without_addresses(office: Office) -> None:
    office.send()
    tables = {table.relation.name: table for table in _published(office.settings)}
    messages = tables["alert_messages"].rows.to_pylist()  # has the types of the catalog
    assert [(row["rule"], row["receiver"], row["case_count"], row["outcome"]) for row in messages] == [
        ("outflow", "desk", 2, "sent"),
        ("outflow", "chat", 2, "sent"),
        ("silent", "desk", 1, "sent"),
    ]
    assert messages[0]["sent_at"] == datetime(2026, 3, 2, 1)
    assert tables["alert_cases"].rows.num_rows == 3
    assert "desk@bank.example" not in json.dumps(messages, default=str)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"table": "marts.nothing"}, "marts.nothing is not published"),
        ({"shows": ["nothing"]}, "has no column nothing"),
        ({"condition": "nothing > 1"}, "its condition cannot be read"),
        ({"condition": "true); attach 'x.db' as x; select (1"}, "its condition cannot be read"),
        ({"key": ["branch_code"]}, "several rows of marts.outflows have the same branch_code"),
        ({"table": "ops.feeds", "condition": "true", "key": ["feed"], "shows": ["rm_name"]}, None),
    ],
)
def test_a_rule_that_does_not_fit_its_table_stops_by_name(
    office: Office, changed: dict[str, object], said: str | None
) -> None:
    if said is None:
        changed |= {"changes": [], "group": None, "largest": None}
        said = "rm_name is personal data"
    with pytest.raises(Stop, match=f"rule outflow.*{said}"):
        office.send(office.rules(**changed))
    assert not office.mails.taken


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"to": ["nobody"]}, "rule outflow: there is no receiver nobody"),
        ({"quiet_hours": {"from": 1320, "to": "07:00"}}, "quiet_hours.from"),
        ({"severity": "loud"}, "severity"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_file_that_is_no_set_of_rules_stops_by_name(
    office: Office, tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    raw = office.rules().model_dump(mode="json", by_alias=True)
    for rule in raw["rules"].values():
        del rule["name"]
    raw["rules"]["outflow"] |= changed
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    with pytest.raises(Stop, match=said):
        load_alerts(tmp_path / "alerts.yml")


def test_the_rules_of_the_project_can_be_read_and_name_real_columns(settings: Settings) -> None:
    manifest = yaml.safe_load  # the models' files say what columns there are
    rules = load_alerts()
    described: dict[str, set[str]] = {}
    for path in Path("dbt_project/models").rglob("_*__models.yml"):
        for model in manifest(path.read_text("utf-8"))["models"]:
            described[model["name"]] = {column["name"] for column in model.get("columns", ())}
    for rule in rules.rules.values():
        table = rule.table.partition(".")[2]
        if table != "publications":
            assert set(rule.columns()) <= described[table], rule.name


def test_the_command_shows_sends_and_takes_on(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in office.settings.environment().items():
        monkeypatch.setenv(name, value)
    rules = office.rules()
    monkeypatch.setattr(alerts, "load_alerts", lambda _: rules)
    run = CliRunner()
    at = ["--at", "2026-03-02T09:00"]
    shown = run.invoke(app, ["alerts", "send", "--dry-run", *at])
    assert shown.exit_code == 0, shown.output
    assert "to desk: [warning] Much money has left" in shown.output and "to chat: 【警告】" in shown.output
    assert not office.mails.taken and not read_state(office.settings.lake).cases
    taken = run.invoke(app, ["alerts", "acknowledge", "outflow", "C2", "--by", "R007", *at])
    assert taken.exit_code == 0, taken.output
    sent = run.invoke(app, ["alerts", "send", "--to", "desk", "--json", *at])
    assert json.loads(sent.output) == {"sent": 2, "held": 0, "over": 0}
    listed = json.loads(run.invoke(app, ["alerts", "list", "--json", *at]).output)
    assert [(rule["rule"], rule["cases"], rule["not told"]) for rule in listed["rules"]] == [
        ("outflow", 2, 1),
        ("silent", 1, 0),
    ]
    assert {case["case"]: (case["told"], case["taken on by"]) for case in listed["cases"]} == {
        "C2": ("", "R007"),
        "C3": ("desk", ""),
        "cards": ("desk", ""),
    }
    refused = run.invoke(app, ["alerts", "send", "--to", "nobody"])
    assert refused.exit_code == 1 and "there is no receiver nobody" in refused.output
    unnamed = run.invoke(app, ["alerts", "send"])
    assert unnamed.exit_code == 1 and "names nobody who is told" in unnamed.output


def _published(settings: Settings) -> list:
    from lakehouse import lake

    return small_tables(settings.lake, lake.pin(settings.lake, DAY))
