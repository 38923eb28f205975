"""The judge of the simulated life can tell: what is right passes, and each way of being wrong is reported as what it is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from life import perfect
from life.book import KINDS, Book
from life.oracle import FINDINGS, Terms, Verdict, judge

from cdi_cli.clock import Instant
from cdi_cli.sandbox.app import Sandbox
from cdi_cli.sandbox.commercetools.mutate import mutate
from cdi_cli.sandbox.live import live
from cdi_cli.sandbox.options import SandboxOptions

Document = dict[str, Any]
Messages = list[Document]
NOW = "2026-11-01T00:00:00.000Z"
TERMS = Terms(since="2025-06-01T00:00:00.000Z", origin=NOW)


@pytest.fixture(scope="module")
def book() -> Book:
    """A shop of two years of which the last one and a half were asked for."""
    sandbox = Sandbox(SandboxOptions(orders=120, seed=4, now=Instant(NOW)))
    made = Book()
    for kind in KINDS:
        made.open(kind, sandbox.shop.documents(kind))
    return made


@pytest.fixture
def messages(book: Book) -> Messages:
    """What a perfect sender says of it."""
    return copy.deepcopy(perfect.messages(book, TERMS.since))


def of(messages: Messages, event: str) -> Document:
    """The first message of an event that belongs to a customer."""
    return next(one for one in messages if one.get("event", one["type"]) == event and "userId" in one)


def only(verdict: Verdict) -> list[str]:
    """The kinds of findings that are not empty."""
    return [name for name in FINDINGS if getattr(verdict, name)]


def test_what_is_right_passes(book: Book, messages: Messages) -> None:
    """Each fact once, nothing else: clean, with every order, refund and person looked at."""
    verdict = judge(book, messages, TERMS)

    assert str(verdict).startswith("clean")
    assert verdict.is_clean
    assert verdict.events == len(messages) > 150
    assert verdict.facts > len(messages) / 2
    assert verdict.said == verdict.owed != {}


def test_every_event_matters(book: Book, messages: Messages) -> None:
    """Whichever single event is dropped, the judge misses it."""
    for number, dropped in enumerate(messages):
        verdict = judge(book, messages[:number] + messages[number + 1 :], TERMS)

        assert "lost" in only(verdict), dropped
        assert len(verdict.lost) == 1


def test_every_event_may_come_once(book: Book, messages: Messages) -> None:
    """Whichever event is sent again under another id, the judge says so; under its own id it counts as a repeat."""
    for number, message in enumerate(messages):
        again = copy.deepcopy(message)
        repeated = judge(book, [*messages, again], TERMS)
        again["messageId"] += "-again"
        verdict = judge(book, [*messages, again], TERMS)

        assert (only(repeated), repeated.repeats) == ([], 1)
        assert not repeated.is_clean
        assert judge(book, [*messages, message], replace(TERMS, repeats_max=1)).is_clean
        assert only(verdict) == ["doubled"], number


def _trait(messages: Messages) -> None:
    of(messages, "identify")["traits"]["firstName"] = "Somebody else"


def _consent(messages: Messages) -> None:
    given = of(messages, "identify")["context"]["consent"]["categoryPreferences"]
    given["Advertising"] = not given["Advertising"]


def _total(messages: Messages) -> None:
    of(messages, "Order Completed")["properties"]["total"] += 0.01


def _quantity(messages: Messages) -> None:
    of(messages, "Order Completed")["properties"]["products"][0]["quantity"] += 1


def _refund(messages: Messages) -> None:
    next(one for one in messages if one.get("event") == "Order Refunded")["properties"]["refund_amount"] -= 0.01


def _owner(messages: Messages) -> None:
    of(messages, "Order Completed")["userId"] = "another"


def _time(messages: Messages) -> None:
    of(messages, "Order Completed")["originalTimestamp"] = NOW


def _unknown_event(messages: Messages) -> None:
    of(messages, "Signed Up")["event"] = "Signed Off"


def _nobody(messages: Messages) -> None:
    messages.append({**of(messages, "identify"), "userId": "nobody", "messageId": "n"})


def _no_such_order(messages: Messages) -> None:
    made = copy.deepcopy(of(messages, "Order Cancelled"))
    made["properties"]["order_id"], made["messageId"] = "none", "n"
    messages.append(made)


def _swapped_content(messages: Messages) -> None:
    made = copy.deepcopy(of(messages, "identify"))
    made["traits"]["title"] = "Count"
    messages.append(made)


@pytest.mark.parametrize(
    ("spoil", "findings"),
    [
        (_trait, {"wrong", "stale"}),
        (_consent, {"wrong", "stale"}),
        (_total, {"wrong", "stale"}),
        (_quantity, {"wrong", "stale"}),
        (_refund, {"wrong"}),
        (_owner, {"wrong"}),
        (_time, {"wrong"}),
        (_unknown_event, {"lost", "invented"}),
        (_nobody, {"invented"}),
        (_no_such_order, {"invented"}),
        (_swapped_content, {"wrong"}),
    ],
)
def test_what_is_wrong_is_reported(
    book: Book, messages: Messages, spoil: Callable[[Messages], None], findings: set[str]
) -> None:
    """Each spoilt message gives exactly the findings that it deserves."""
    spoil(messages)

    verdict = judge(book, messages, TERMS)

    assert set(only(verdict)) == findings
    assert not verdict.is_clean


def test_an_order_from_before_is_not_news(book: Book, messages: Messages) -> None:
    """What happened before anything was asked for must not be said."""
    old = next(states[-1] for states in book.states["orders"].values() if states[-1]["createdAt"] < TERMS.since)
    messages.append(perfect.goods(old, "Order Completed", "old"))

    assert only(judge(book, messages, TERMS)) == ["invented"]


def test_nothing_may_be_said_of_the_forgotten(book: Book, messages: Messages) -> None:
    """What was said before is fine, one word after is not; and what is no longer said is not lost."""
    user = of(messages, "Order Completed")["userId"]
    theirs = [one for one in messages if one.get("userId") == user]
    others = [one for one in messages if one.get("userId") != user]

    assert judge(book, [*theirs, *others], replace(TERMS, forgotten={user: len(theirs)})).is_clean
    assert judge(book, others, replace(TERMS, forgotten={user: 0})).is_clean
    assert only(judge(book, [*others, *theirs], replace(TERMS, forgotten={user: len(others)}))) == ["spoken"]


def test_dead_letters_account_for_what_is_missing(book: Book, messages: Messages) -> None:
    """An event that lies in the dead letters is not lost; another event of the same order is."""
    order = next(states[-1] for states in book.states["orders"].values() if states[-1]["createdAt"] >= TERMS.since)
    rest = [one for one in messages if one["messageId"] != f"{order['id']}:completed"]

    assert judge(book, rest, replace(TERMS, letters=frozenset({(order["id"], "Order Completed")}))).is_clean
    assert only(judge(book, rest, replace(TERMS, letters=frozenset({(order["id"], "Order Refunded")})))) == ["lost"]


@pytest.fixture
def changed() -> tuple[Book, Sandbox, Document]:
    """A shop in which, after the book was opened, one order got another quantity and was then paid back in part."""
    sandbox = Sandbox(SandboxOptions(orders=120, seed=4, now=Instant(NOW)))
    book = Book()
    for kind in KINDS:
        book.open(kind, sandbox.shop.documents(kind))
    order = live(sandbox.seeder, {"do": "place"})[0]
    live(sandbox.seeder, {"do": "pay", "order": order["id"]})
    live(sandbox.seeder, {"do": "quantity", "order": order["id"], "quantity": order["lineItems"][0]["quantity"] + 1})
    mutate(sandbox.shop, {"do": "refund", "order": order["id"], "amount": 5})
    assert book.catch_up(list(sandbox.shop.journal)) >= 5
    return book, sandbox, order


def test_a_change_must_be_said(changed: tuple[Book, Sandbox, Document]) -> None:
    """An order completed as it was and never updated is stale; with the update it is clean; with it twice it is doubled."""
    book, _, order = changed
    said = perfect.messages(book, TERMS.since)
    number = next(at for at, one in enumerate(said) if one["messageId"] == f"{order['id']}:completed")
    said[number] = perfect.goods(order, "Order Completed", "before")
    update = perfect.goods(book.now("orders", order["id"]), "Order Updated", "update")

    assert only(judge(book, said, TERMS)) == ["stale"]
    assert not judge(book, said, TERMS).agrees
    assert judge(book, [*said, update], TERMS).is_clean

    echo = [*said, update, {**update, "messageId": "again"}]
    in_doubt = replace(TERMS, doubtful=((len(said), len(said) + 1),), repeats_max=1)
    assert only(judge(book, echo, TERMS)) == ["doubled"]
    assert (judge(book, echo, in_doubt).is_clean, judge(book, echo, in_doubt).repeats) == (True, 1)


def test_an_update_that_was_never_true_is_wrong(changed: tuple[Book, Sandbox, Document]) -> None:
    """An update must show a state that the order had, of an order whose completion was said."""
    book, _, order = changed
    said = perfect.messages(book, TERMS.since)
    update = perfect.goods(book.now("orders", order["id"]), "Order Updated", "update")
    without = [one for one in said if one["messageId"] != f"{order['id']}:completed"]

    assert set(only(judge(book, [*without, update], TERMS))) == {"lost", "invented"}
    update["properties"]["status"] = "Dissolved"
    assert "wrong" in only(judge(book, [*said, update], TERMS))


def test_a_late_write_never_covers_a_newer_one() -> None:
    """The book and the shop agree on what is newest, however late a write becomes visible."""
    sandbox = Sandbox(SandboxOptions(orders=5, seed=1))
    customer = sandbox.shop.documents("customers")[0]["id"]
    sandbox.shop.lag_seconds = 50
    live(sandbox.seeder, {"do": "profile", "customer": customer, "changes": {"firstName": "Early"}})
    sandbox.shop.lag_seconds = 0
    live(sandbox.seeder, {"do": "profile", "customer": customer, "changes": {"lastName": "Late"}})
    assert sandbox.shop.document("customers", customer)["firstName"] == "Early"

    sandbox.clock.advance(60)

    assert sandbox.shop.document("customers", customer)["lastName"] == "Late"
