"""The judge of a life: what a destination applied against what the shop's book says must have arrived.

lost       a fact that must have arrived and did not, and does not lie in the dead letters either
invented   an event that no state of the shop stands for
doubled    a second event, with an id of its own, for one fact
wrong      an event whose amount, owner or time is not the record's
stale      what was said last of a customer or an order is not what the shop holds
spoken     something about a person after they were to be forgotten
repeats    the same event applied again, or the same content after a run that was cut off: allowed within the crash bound

States that a sync never saw may be missing (it reads snapshots); states that it reports must have existed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

from life.book import Book, Document

FINDINGS = ("lost", "invented", "doubled", "wrong", "stale", "spoken")


@dataclass(frozen=True)
class Terms:
    """What was agreed with one destination.

    `since`: orders, carts and customers created from here on were backfilled. `origin`: from here on everything is news.
    `forgotten`: customer id -> number of the message from which on nothing may be said. `letters`: (entity id, event name or
    "") of what lies in the dead letters. `repeats_max`: the stated crash bound. `kept_since`: of older orders and carts the
    ledger may be forgotten, and nothing needs to be said any more. `doubtful`: numbers [from, to) of the messages of
    runs that were killed or stopped: what they said may be said again in a new version of the record.
    """

    since: str
    origin: str
    forgotten: Mapping[str, int] = field(default_factory=dict)
    letters: frozenset[tuple[str, str]] = frozenset()
    repeats_max: int = 0
    kept_since: str = ""
    doubtful: tuple[tuple[int, int], ...] = ()


@dataclass
class Verdict:
    """What is wrong, one sentence each, and how much was looked at."""

    lost: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    repeats: int = 0
    repeats_max: int = 0
    facts: int = 0
    events: int = 0
    said: dict[str, Decimal] = field(default_factory=dict)
    owed: dict[str, Decimal] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Nothing lost, invented, doubled, wrong, stale or spoken; repeats within the bound; the money agrees."""
        return not any(getattr(self, name) for name in FINDINGS) and self.repeats <= self.repeats_max and self.agrees

    @property
    def agrees(self) -> bool:
        """Whether the worth of all orders, per currency, is what was said of them last."""
        return self.said == self.owed

    def __str__(self) -> str:
        parts = [f"{name} {len(getattr(self, name))}: {getattr(self, name)[:3]}" for name in FINDINGS if getattr(self, name)]
        parts += [] if self.repeats <= self.repeats_max else [f"repeats {self.repeats} > {self.repeats_max}"]
        parts += [] if self.agrees else [f"money said {self.said}, owed {self.owed}"]
        return "; ".join(parts) or f"clean: {self.facts} facts, {self.events} events, {self.repeats} repeats"


@dataclass
class Heard:
    """The messages of one destination by what they are about, each id once."""

    once: dict[tuple[str, ...], list[Document]] = field(default_factory=lambda: defaultdict(list))
    updates: dict[str, list[Document]] = field(default_factory=lambda: defaultdict(list))
    profiles: dict[str, list[Document]] = field(default_factory=lambda: defaultdict(list))
    numbers: dict[str, int] = field(default_factory=dict)


PART = {"Order Refunded": "refund_id", "Order Fulfilled": "shipment_id"}
OF_ORDERS = ("Order Completed", "Order Cancelled", *PART)


def hear(applied: Iterable[Document], terms: Terms, verdict: Verdict) -> Heard:
    """Sort the messages; counts repeats, and notes what is nobody's business and what is said of the forgotten."""
    heard = Heard()
    first: dict[str, Any] = {}
    for number, message in enumerate(applied):
        verdict.events += 1
        about = (message.get("event"), message.get("properties"), message.get("traits"), message.get("userId"))
        if (user := message.get("userId")) in terms.forgotten and number >= terms.forgotten[str(user)]:
            verdict.spoken.append(f"{message.get('event', 'identify')} {message['messageId']}")
        known = first.setdefault(message["messageId"], about)
        if known is not about:
            verdict.repeats += 1
            if known != about:
                verdict.wrong.append(f"{message['messageId']} was repeated with other content")
            continue
        heard.numbers[message["messageId"]] = number
        _file(heard, message, verdict)
    return heard


def _file(heard: Heard, message: Document, verdict: Verdict) -> None:
    event = message.get("event", message["type"])
    properties = message.get("properties", {})
    if event == "identify":
        heard.profiles[message["userId"]].append(message)
    elif event == "group":
        heard.once[event, message.get("userId") or message["anonymousId"], message["groupId"]].append(message)
    elif event == "Order Updated":
        heard.updates[properties["order_id"]].append(message)
    elif event in OF_ORDERS:
        heard.once[event, properties["order_id"], properties.get(PART.get(event, ""), "")].append(message)
    elif event == "Signed Up":
        heard.once[event, message["userId"]].append(message)
    elif event == "Checkout Started":
        heard.once[event, properties["checkout_id"]].append(message)
    else:
        verdict.invented.append(f"{event} {message['messageId']}")


def judge(book: Book, applied: Iterable[Document], terms: Terms, *, refused_repeats: int = 0) -> Verdict:
    """Compare what was applied with the book; `refused_repeats`: repeats that the destination recognised by itself."""
    from life.oracle_customers import judge_carts, judge_customers
    from life.oracle_orders import judge_groups, judge_orders

    verdict = Verdict(repeats=refused_repeats, repeats_max=terms.repeats_max)
    heard = hear(applied, terms, verdict)
    case = Case(book, heard, terms, verdict)
    judge_customers(case)
    judge_carts(case)
    judge_orders(case)
    judge_groups(case)
    for key in heard.once.keys() - case.settled:
        verdict.invented.append(f"{' '.join(key)}: nothing in the shop stands for it")
    return verdict


@dataclass
class Case:
    """One judgement: the book, what was heard, the terms, and the verdict so far; `settled`: facts that were dealt with."""

    book: Book
    heard: Heard
    terms: Terms
    verdict: Verdict
    settled: set[tuple[str, ...]] = field(default_factory=set)
    emails: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        silent = {*self.terms.forgotten, *self.book.gone}
        customers = self.book.states["customers"]
        self.emails = frozenset(
            state["email"].lower() for customer in silent if customer in customers for state in customers[customer]
        )

    def is_silent(self, record: Document) -> bool:
        """Whether nothing needs to be said any more of an order or cart: for its age, or because of whose it is."""
        if record["createdAt"] < self.terms.kept_since:
            return True
        owner = record.get("customerId", "")
        email = str(record.get("customerEmail") or "").lower()
        return owner in self.terms.forgotten or owner in self.book.gone or email in self.emails

    def is_in_letters(self, entity_id: str, event: str) -> bool:
        """Whether the dead letters account for an event of an entity."""
        return (entity_id, event) in self.terms.letters or (entity_id, "") in self.terms.letters

    def no_echo(self, messages: list[Document], said: str) -> None:
        """What is sent again because it changed must say something new, unless the time before may not have been settled."""
        for before, message in pairwise(messages):
            if (before[said], before["context"]) == (message[said], message["context"]):
                number = self.heard.numbers[before["messageId"]]
                if any(since <= number < until for since, until in self.terms.doubtful):
                    self.verdict.repeats += 1
                else:
                    self.verdict.doubled.append(f"{message['messageId']} says what {before['messageId']} said")

    def expect(
        self, key: tuple[str, ...], *, must: bool, entity_id: str, may: bool = True, at: str | None = None
    ) -> list[Document]:
        """One fact: `must` arrive, `may` arrive, or neither; at most once. Returns what was heard of it."""
        self.settled.add(key)
        found = self.heard.once.get(key, [])
        name = " ".join(key)
        self.verdict.facts += 1
        if must and not found and not self.is_in_letters(entity_id, key[0]):
            self.verdict.lost.append(name)
        if found and not (must or may):
            self.verdict.invented.append(f"{name}: it is older than anything that was asked for")
        if len(found) > 1:
            self.verdict.doubled.append(f"{name}: {[message['messageId'] for message in found]}")
        if at is not None and any(message["originalTimestamp"] != at for message in found):
            self.verdict.wrong.append(f"{name}: its time is not {at}")
        return found
