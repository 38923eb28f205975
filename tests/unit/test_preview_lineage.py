"""Lineage by trying: what a field of a request is made of, whatever a destination does with it, and what shows of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from doubles import order
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.cli.preview_json import shown, shown_id
from cdi_cli.commerce import Address, Customer, Money
from cdi_cli.destinations import Draft, Filtered
from cdi_cli.events import Event
from cdi_cli.pipeline.preview import PreviewedEvent
from cdi_cli.pipeline.preview_issue import Draw, Drawn, Fate
from cdi_cli.pipeline.preview_lineage import PROBES_MAX, Leaf, Lineage, Probe, path_of, rebuilt, trace
from cdi_cli.pipeline.preview_mask import entity_fields, masked_record, personal_texts
from cdi_cli.plan.model import Pii


def an_event(**properties: Any) -> Event:
    """An event of this content."""
    return Event(
        id="id-1",
        kind="order.completed",
        type="track",
        name="Order Completed",
        at="2026-01-01T00:00:00.000Z",  # type: ignore[arg-type]
        user_id="user-1",
        anonymous_id=None,
        properties=properties,
        context={"locale": "de", "consent": {"categoryPreferences": {"Ads": True}}},
        body=msgspec.json.encode(properties),
        family="order",
        entity_id="1",
        created_at="2026-01-01T00:00:00.000Z",  # type: ignore[arg-type]
        key=b"k" * 16,
        content=b"c" * 8,
    )


def drawing(make: Callable[[Event], Any]) -> Draw:
    """A destination whose request is what `make` says; None: it would not take the event."""

    def draw(event: Event, name: str | None) -> Drawn:
        body = make(event if name is None else msgspec.structs.replace(event, name=name))
        return Filtered("no") if body is None else [Draft("POST", "https://there.example", json.dumps(body).encode())]

    return draw


def made_of(event: Event, make: Callable[[Event], Any]) -> dict[str, list[str]]:
    """Field -> what it is made of."""
    (traced,) = trace(event, drawing(make)).requests
    return {path_of(leaf.steps): [probe.path for probe in leaf.probes] for leaf in traced.leaves}


def test_copied_renamed_derived_and_constant_fields() -> None:
    """Sums, hashes, parts of a text, flags and formatted times are traced to what they are made of; constants to nothing."""

    def make(event: Event) -> dict[str, Any]:
        given_ = event.properties
        return {
            "version": 2,
            "who": {"hash": sha256((event.user_id or "").encode()).hexdigest()},
            "sum": given_.get("net", 0) + given_.get("tax", 0),
            "levels": given_.get("category", "").split(" > "),
            "day": event.at[:19],
            "optin": event.context["consent"]["categoryPreferences"].get("Ads", False),
            "title": event.name.lower(),
            "flag": not given_.get("gift", True),
            "lines": [{"code": line.get("sku", "").upper()} for line in given_["lines"]],
        }

    event = an_event(net=10, tax=1.9, category="Shoes > Boots", gift=False, lines=[{"sku": "a-1"}, {"sku": "b-2"}])

    assert made_of(event, make) == {
        "version": [],
        "who.hash": ["userId"],
        "sum": ["net", "tax"],
        "levels[0]": ["category"],
        "levels[1]": ["category"],
        "day": ["timestamp"],
        "optin": ["context.consent.categoryPreferences.Ads"],
        "title": ["event"],
        "flag": ["gift"],
        "lines[0].code": ["lines[0].sku"],
        "lines[1].code": ["lines[1].sku"],
    }


def test_a_strict_destination_is_traced_all_the_same() -> None:
    """A change that would be refused tells nothing, so another is tried; at the end the value is left out."""
    currencies = {"EUR", "USD"}

    def make(event: Event) -> Any:
        currency, size = event.properties.get("currency"), event.properties.get("size", "none")
        return {"money": currency, "size": size} if currency in currencies and size in ("large", "none") else None

    assert made_of(an_event(currency="EUR", size="large"), make) == {"money": ["currency"], "size": ["size"]}


def test_what_no_field_is_made_of_is_unused() -> None:
    """A property that the destination drops is told; a request that is refused has no lineage at all."""
    event = an_event(kept="a", dropped="b", inner={"also": [1]})

    lineage = trace(event, drawing(lambda each: {"kept": each.properties.get("kept")}))
    refused = trace(event, drawing(lambda _event: None))

    assert [probe.path for probe in lineage.unused] == ["dropped", "inner.also[0]"]
    assert (refused.requests, refused.unused) == ([], [])


def test_a_huge_event_is_traced_in_part_and_says_so() -> None:
    """So many values are tried at most; texts of the rest are not shown, as nobody knows whose they are."""
    event = an_event(lines=[f"text-{number}" for number in range(PROBES_MAX + 5)])

    lineage = trace(event, drawing(lambda each: {"all": each.properties["lines"]}))

    assert not lineage.is_whole
    last = lineage.requests[0].leaves[-1]
    assert last.probes == []
    assert shown(last, previewed(lineage), frozenset(), has_data=False) == "<not traced: text of 8>"


class Classes:
    """The classes of an event's values, by path."""

    def __init__(self, **classes: Pii | None) -> None:
        self._classes = classes

    def pii(self, probe: Probe) -> Pii | None:
        """The class; what is not named tells nothing about a person."""
        return self._classes.get(probe.path, "none")


def previewed(lineage: Lineage, **classes: Pii | None) -> PreviewedEvent:
    """An event with this lineage and these classes."""
    return PreviewedEvent("a", "b", None, Fate(None), None, Classes(**classes), lineage=lineage)  # type: ignore[arg-type]


@pytest.mark.parametrize("pii", ["contact", "identifier", "sensitive", None])
def test_a_field_is_as_personal_as_what_it_is_made_of(pii: Pii | None) -> None:
    """Also a hash, a part or a number made of it; a value without a class counts as personal."""
    event = an_event(mail="anna@example.org", age=42, net=3)

    def make(each: Event) -> Any:
        mail, age = each.properties.get("mail", ""), each.properties.get("age", 0)
        hashed = sha256(mail.encode()).hexdigest()
        return {"hash": hashed, "user": mail.partition("@")[0], "age": age, "net": each.properties.get("net")}

    lineage = trace(event, drawing(make))
    one = previewed(lineage, mail=pii, age=pii)

    body = rebuilt(lineage.requests[0], lambda leaf: shown(leaf, one, frozenset(), has_data=False))

    word = pii or "unclassified"
    assert body == {"hash": f"<{word}: text of 64>", "user": f"<{word}: text of 4>", "age": f"<{word}: a number>", "net": 3}
    whole = rebuilt(lineage.requests[0], lambda leaf: shown(leaf, one, frozenset(), has_data=True))
    assert whole["user"] == "anna"


def test_a_persons_text_is_masked_wherever_it_turns_up() -> None:
    """Even where the plan calls the property harmless, a text that holds the person's e-mail is not shown."""
    personal = personal_texts(order(1, email="Anna@Example.org", shipping_address=Address(city="Xanten", country="DE")))
    one = previewed(Lineage([]))

    found = [
        shown(Leaf(("a",), value), one, personal, has_data=False)
        for value in ("to anna@example.ORG!", "Xanten", "DE", "web")
    ]

    assert found == ["<personal: text of 20>", "<personal: text of 6>", "DE", "web"]


def test_entities_and_records_show_no_person() -> None:
    """Amounts, states, times and counts stay; names, contacts and addresses are told by their kind."""
    at: Any = "2026-01-01T00:00:00.000Z"
    person = Customer("c-1", 3, at, at, email="anna@example.org", number="K-77", first_name="Anna", country="DE")

    entity = entity_fields(person, has_data=False)
    paid = entity_fields(order(1, email="anna@example.org", total=Money(1050, "EUR")), has_data=False)
    record = masked_record(
        {
            "id": "o-1",
            "createdAt": at,
            "orderState": "Open",
            "customerEmail": "anna@example.org",
            "billing": {"lastName": "Mueller", "country": "DE", "postalCode": "10115", "phone": 491711234567},
            "total": {"centAmount": 1050, "currencyCode": "EUR"},
            "comment": "ring twice",
            "isGift": False,
        }
    )

    assert (entity["email"], entity["first_name"], entity["number"]) == (
        "<personal: text of 16>",
        "<personal: text of 4>",
        "<personal: text of 4>",
    )
    assert (entity["country"], entity["version"], paid["total"]) == ("DE", 3, "10.50 EUR")
    assert record == {
        "id": "o-1",
        "createdAt": at,
        "orderState": "Open",
        "customerEmail": "<masked: text of 16>",
        "billing": {
            "lastName": "<masked: text of 7>",
            "country": "DE",
            "postalCode": "<masked: text of 5>",
            "phone": "<masked: a number>",
        },
        "total": {"centAmount": 1050, "currencyCode": "EUR"},
        "comment": "<masked: text of 10>",
        "isGift": False,
    }


_json = st.recursive(
    st.booleans() | st.integers(-1000, 1000) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), _json, max_size=4))
def test_a_destination_that_copies_is_traced_field_by_field(properties: dict[str, Any]) -> None:
    """Every field is made of the property at its own place and of nothing else, and the body is put together as it was."""
    event = an_event(**properties)
    lineage = trace(event, drawing(lambda each: {"p": each.properties}))
    (traced,) = lineage.requests

    assert rebuilt(traced, lambda leaf: leaf.value) == {"p": properties}
    for leaf in traced.leaves:
        if properties:
            assert [probe.steps for probe in leaf.probes if probe.place == "properties"] == [leaf.steps[1:]]
    assert lineage.unused == []
    assert event.properties == properties


def test_a_name_in_an_id_is_masked() -> None:
    """A group of companies has the name in its id, in other letters than the record."""
    at: Any = "2026-01-01T00:00:00.000Z"
    one = Customer("c1", 1, at, at, email="anna@example.org", company="Acme Gadgets GmbH")
    event_id = "cdi:test:shop:group:c1:company:acme-gadgets-gmbh:group:f015f260d25e5c98"

    assert shown_id(event_id, personal_texts(one), has_data=False) == f"<personal: text of {len(event_id)}>"
    assert shown_id(event_id, personal_texts(one), has_data=True) == event_id
    assert shown_id("cdi:test:shop:customer:c1:identify", personal_texts(one), has_data=False).endswith("c1:identify")
