"""What is published reaches a target once, whatever happens on the way; the plan is what is sent."""

import random
from collections.abc import Iterator, Mapping
from contextlib import suppress

import pytest

from lakehouse import warehouse
from lakehouse.activation import NotDelivered, plan, send
from lakehouse.activation.contract import Activation
from lakehouse.activation.ledger import Ledger
from lakehouse.activation.planning import NOBODY, read_permitted
from lakehouse.errors import Stop
from lakehouse.lake.activations import Receipt, activation_folder, plans_of
from lakehouse.settings import Settings
from tests.lakehouse.activation.bank import Crm, Server, Shop, Store, contract, secret

FIVE = {"c1": 0.1, "c2": 0.2, "c3": 0.3, "c4": 0.4, "c5": 0.5}


@pytest.fixture
def crm() -> Crm:
    return Crm()


@pytest.fixture
def url(crm: Crm) -> Iterator[str]:
    with Server(crm) as address:
        yield address


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(monkeypatch)


@pytest.fixture
def calls(url: str) -> Activation:
    return contract({"kind": "webhook", "url": url})


def silent(_: float) -> None:
    """Waits for nobody."""


def scores(crm: Crm) -> dict[str, float]:
    return {row["customer_key"]: row["score"] for row in crm.rows.values()}


def kinds(activation: Activation, settings: Settings) -> dict[str, str]:
    return {change.key: change.change for change in plan(settings, activation).changes}


def test_both_stores_send_the_same_changes(any_settings: Settings, url: str, crm: Crm) -> None:
    """Values and all: amounts with their decimals, dates as ISO text."""
    store, calls = Store(any_settings), contract({"kind": "webhook", "url": url})
    publish_id = store.publish(FIVE | {"control": 0.9}, forbidden={"c5"})
    send(any_settings, calls, "run", sleep=silent)
    assert crm.rows == {
        f'{{"customer_key": "c{number}"}}': {
            "customer_key": f"c{number}", "score": number / 10, "amount": f"{number}.00", "as_of_date": "2026-03-01",
        }
        for number in range(1, 5)
    }  # fmt: skip
    assert {event["publish_id"] for body in crm.requests for event in body["changes"]} == {publish_id}
    store.publish({"c1": 0.1, "c2": 0.25, "c4": 0.4, "c5": 0.5}, forbidden={"c4"})
    assert kinds(calls, any_settings) == {
        '{"customer_key":"c2"}': "updated",
        '{"customer_key":"c3"}': "deleted",  # gone
        '{"customer_key":"c4"}': "deleted",  # may not be called any more
        '{"customer_key":"c5"}': "added",  # may be called now
    }
    sent = send(any_settings, calls, "run", sleep=silent)
    assert (sent.delivered, sent.refused, scores(crm)) == (4, 0, {"c1": 0.1, "c2": 0.25, "c5": 0.5})


def test_what_the_plan_shows_is_what_is_sent(settings: Settings, store: Shop, calls: Activation, crm: Crm) -> None:
    store.publish(FIVE)
    send(settings, calls, "run", sleep=silent)
    store.publish({"c1": 0.9, "c6": 0.6})
    shown, before = plan(settings, calls), len(crm.applied)
    assert (shown.header["added"], shown.header["updated"], shown.header["deleted"]) == (1, 1, 4)
    assert plan(settings, calls).header["plan_id"] == shown.header["plan_id"]
    send(settings, calls, "run", plan_id=shown.header["plan_id"], sleep=silent)
    assert crm.applied[before:] == [change.event_id("calls", "scores.made") for change in shown.changes]
    assert plan(settings, calls).is_empty
    with pytest.raises(Stop, match="no longer what there is to send"):
        send(settings, calls, "run", plan_id=shown.header["plan_id"], sleep=silent)


def test_a_plan_that_something_newer_overtook_is_not_sent(
    settings: Settings, store: Shop, calls: Activation, crm: Crm
) -> None:
    store.publish(FIVE)
    shown = plan(settings, calls)
    store.publish(FIVE)
    with pytest.raises(Stop, match="published or sent since"):
        send(settings, calls, "run", plan_id=shown.header["plan_id"], sleep=silent)
    assert crm.requests == []


def test_sent_again_nothing_goes_out(settings: Settings, store: Shop, calls: Activation, crm: Crm) -> None:
    store.publish(FIVE)
    send(settings, calls, "run", sleep=silent)
    requests = len(crm.requests)
    assert send(settings, calls, "run", sleep=silent).delivered == 0
    store.publish(FIVE)  # the same content under another publish id
    assert send(settings, calls, "run", sleep=silent).delivered == 0
    assert len(crm.requests) == requests


@pytest.mark.parametrize("is_done", [False, True], ids=["nothing was done", "all was done and the answer lost"])
def test_a_webhook_that_stops_half_way_loses_and_doubles_nothing(
    settings: Settings, store: Shop, calls: Activation, crm: Crm, is_done: bool
) -> None:
    store.publish(FIVE)
    crm.behave = lambda _: 200 if len(crm.requests) <= 1 else (0, is_done)
    with pytest.raises(NotDelivered, match="2 of 5 changes have arrived"):
        send(settings, calls, "run", sleep=silent)
    assert len(crm.requests) == 4, "one batch, and the next one asked three times"
    rest = plan(settings, calls)
    assert len(rest.changes) == 3
    crm.behave = lambda _: 200
    sent = send(settings, calls, "run", sleep=silent)
    assert (sent.delivered, sent.plan_id) == (3, rest.header["plan_id"])
    assert scores(crm) == FIVE
    assert len(crm.applied) == len(set(crm.applied)) == 5
    keys = [body["id"] for body in crm.requests]
    assert keys[1] == keys[2] == keys[3] == keys[4], "the batch in doubt comes under the same key"


def test_something_newer_overtakes_a_plan_under_way(
    settings: Settings, store: Shop, calls: Activation, crm: Crm
) -> None:
    """c3 arrived and nobody knows; by the newer publish c3 is forbidden, c4 as it was, and c5 another."""
    store.publish(FIVE)
    crm.behave = lambda _: 200 if len(crm.requests) <= 1 else (503, True)
    with pytest.raises(NotDelivered):
        send(settings, calls, "run", sleep=silent)
    assert set(scores(crm)) == {"c1", "c2", "c3", "c4"}
    crm.behave = lambda _: 200
    later = store.publish(FIVE | {"c5": 0.55}, forbidden={"c3"})
    shown = plan(settings, calls)
    assert {(change.key[-4:-2], change.change, change.publish_id) for change in shown.changes} == {
        ("c3", "deleted", later), ("c4", "added", 1), ("c5", "added", later),
    }  # fmt: skip
    send(settings, calls, "run", sleep=silent)
    assert scores(crm) == {"c1": 0.1, "c2": 0.2, "c4": 0.4, "c5": 0.55}
    assert len(crm.applied) == len(set(crm.applied)), "c4 came twice, under one id, and was taken once"
    assert [files.is_closed for files in plans_of(activation_folder(settings.lake, "calls"))] == [True, True]


def test_a_target_that_is_asked_too_often_says_how_long_to_wait(
    settings: Settings, store: Shop, calls: Activation, crm: Crm
) -> None:
    store.publish({"c1": 0.1})
    waits: list[float] = []
    crm.behave = lambda _: {1: 429, 2: 500}.get(len(crm.requests), 200)
    assert send(settings, calls, "run", sleep=waits.append).delivered == 1
    assert waits == [7, 2]


def test_what_is_refused_is_a_dead_letter_until_it_changes_or_is_asked_for(
    settings: Settings, store: Shop, calls: Activation, crm: Crm
) -> None:
    def not_c3(body: dict) -> int:
        return 422 if any(event["key"] == {"customer_key": "c3"} for event in body["changes"]) else 200

    store.publish(FIVE)
    crm.behave = not_c3
    sent = send(settings, calls, "run", sleep=silent)
    assert (sent.delivered, sent.refused, set(scores(crm))) == (4, 1, {"c1", "c2", "c4", "c5"})
    store.publish(FIVE)
    requests = len(crm.requests)
    assert (plan(settings, calls).held_back, send(settings, calls, "run", sleep=silent).held_back) == (1, 1)
    assert len(crm.requests) == requests, "a dead letter is not sent again by itself"
    assert send(settings, calls, "run", again=True, sleep=silent).refused == 1
    crm.behave = lambda _: 200
    first = crm.requests[-1]["changes"][0]["id"]
    assert send(settings, calls, "run", again=True, sleep=silent).delivered == 1
    assert crm.requests[-1]["changes"][0]["id"] == first, "the same event"
    assert scores(crm) == FIVE
    crm.behave = not_c3
    store.publish(FIVE | {"c3": 0.33})
    assert send(settings, calls, "run", sleep=silent).refused == 1
    store.publish(FIVE)  # back to what the target has
    send(settings, calls, "run", sleep=silent)
    assert plan(settings, calls, again=True).changes == ()


def test_with_update_only_nothing_is_added_or_deleted(settings: Settings, store: Shop, url: str, crm: Crm) -> None:
    calls = contract({"kind": "webhook", "url": url}, mode="update_only", batch_size=1)
    unknown = {"c2"}

    def known_ones(body: dict) -> int:
        return 404 if body["changes"][0]["key"]["customer_key"] in unknown else 200

    crm.behave = known_ones
    store.publish({"c1": 0.1, "c2": 0.2})
    sent = send(settings, calls, "run", sleep=silent)
    assert (sent.delivered, sent.absent, sent.refused) == (1, 1, 0)
    store.publish({"c2": 0.2, "c3": 0.3})
    sent = send(settings, calls, "run", sleep=silent)
    assert {event["change"] for body in crm.requests for event in body["changes"]} == {"updated"}
    assert scores(crm) == {"c1": 0.1, "c3": 0.3}
    unknown.clear()
    assert send(settings, calls, "run", again=True, sleep=silent).delivered == 1
    assert scores(crm) == {"c1": 0.1, "c2": 0.2, "c3": 0.3}


def test_another_target_needs_another_name(settings: Settings, store: Shop, calls: Activation) -> None:
    store.publish(FIVE)
    send(settings, calls, "run", sleep=silent)
    with pytest.raises(Stop, match="give the contract a new name"):
        plan(settings, contract({"kind": "file", "folder": "calls"}))


@pytest.mark.parametrize(("status", "word"), [(401, "secret"), (405, "address"), (404, "address")])
def test_a_target_that_is_another_stops_and_makes_no_dead_letter(
    settings: Settings, store: Shop, url: str, crm: Crm, status: int, word: str
) -> None:
    secret(settings, "crm_token", "made up")
    calls = contract({"kind": "webhook", "url": url, "credential": "crm_token"})
    store.publish(FIVE)
    crm.behave = lambda _: status
    with pytest.raises(Stop, match=word):
        send(settings, calls, "run", sleep=silent)
    assert len(crm.requests) == 1
    crm.behave = lambda _: 200
    assert send(settings, calls, "run", sleep=silent).delivered == 5
    assert crm.headers[-1]["Authorization"] == "Bearer made up"
    kept = b"".join(path.read_bytes() for path in settings.lake.rglob("*") if path.is_file())
    assert b"made up" not in kept


def test_whatever_fails_the_target_ends_with_what_may_be_sent(
    settings: Settings, store: Shop, calls: Activation, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random publishes; the target fails before or after it has done its part, or refuses; runs are killed."""
    draws = random.Random(7)
    customers = [f"c{number}" for number in range(12)]
    acknowledge = Ledger.acknowledge

    def killed(ledger: Ledger, number: int, receipt: Receipt) -> None:
        if draws.random() < 0.1:
            raise KeyboardInterrupt
        acknowledge(ledger, number, receipt)

    def unreliable(_: dict) -> int | tuple[int, bool]:
        return draws.choices([200, (0, False), (0, True), (503, True), 422], [6, 1, 1, 1, 1])[0]

    monkeypatch.setattr(Ledger, "acknowledge", killed)
    crm.behave = unreliable
    allowed: dict[str, float] = {}
    for _ in range(25):
        chosen = {key: draws.randrange(4) / 4 for key in draws.sample(customers, draws.randrange(12))}
        forbidden = set(draws.sample(customers, 3))
        store.publish(chosen, forbidden)
        allowed = {key: score for key, score in chosen.items() if key not in forbidden}
        for _ in range(draws.randrange(3)):
            with suppress(NotDelivered, KeyboardInterrupt):
                send(settings, calls, "run", again=draws.random() < 0.2, sleep=silent)
    monkeypatch.setattr(Ledger, "acknowledge", acknowledge)
    crm.behave = lambda _: 200
    send(settings, calls, "run", sleep=silent)
    send(settings, calls, "run", again=True, sleep=silent)
    assert scores(crm) == allowed
    assert plan(settings, calls, again=True).is_empty
    assert len(crm.applied) == len(set(crm.applied)) > 50
    assert max(crm.seen.values()) > 1, "some came twice"


def test_the_list_decides_and_policy_by_purpose(settings: Settings, store: Shop) -> None:
    target = {"kind": "file", "folder": "calls"}
    store.publish(FIVE | {"control": 0.9}, forbidden={"c2"})

    left_out: list[dict[str, int]] = []

    def sent(since: Mapping[str, str] = NOBODY, **changed: object) -> set[str]:
        with warehouse.shown(settings) as shown:
            permitted = read_permitted(shown, contract(target, **changed), since)
            assert len(permitted.rows) + sum(permitted.left_out.values()) == 6
            left_out.append(permitted.left_out)
            return {key[-4:-2] for key in permitted.rows}

    assert sent() == {"c1", "c3", "c4", "c5"}
    assert sent(purpose="service") == {"c1", "c2", "c3", "c4", "c5", "ol"}
    assert sent(purpose="inform", why="for figures alone") == {"c1", "c2", "c3", "c4", "c5", "ol"}
    listed = {"table": "actions.list", "key": ["action_id"], "columns": ["customer_key", "score"]}
    assert sent(**listed) == {"c1", "c3", "c4", "c5", "ol"}
    assert left_out == [{"control group": 1, "opted out": 1}, {}, {}, {"not handed out": 1}]
    # what was said since the publish counts at once; an objection to marketing forbids no service
    since = {"c3": "opted out", "c4": "deceased"}
    assert sent(since) == {"c1", "c5"}
    assert sent(since, purpose="service") == {"c1", "c2", "c3", "c5", "ol"}
    assert left_out[-2:] == [{"opted out": 2, "control group": 1, "deceased": 1}, {"deceased": 1}]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"table": "scores.nobody"}, "not published"),
        ({"columns": ["score", "phone"]}, "no column phone"),
        ({"key": ["as_of_date"], "columns": ["score"]}, "same as_of_date"),
    ],
)
def test_a_contract_that_does_not_fit_stops(
    settings: Settings, store: Shop, changed: dict[str, object], said: str
) -> None:
    store.publish(FIVE)
    with pytest.raises(Stop, match=said):
        plan(settings, contract({"kind": "file", "folder": "calls"}, **changed))
