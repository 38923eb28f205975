"""Ready-made messages: what each becomes, what is refused and why, and ids that do not depend on the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from push_tools import AT, compiled, page, viewed

from cdi_cli.clock import Instant
from cdi_cli.events import ConsentPolicy, EventBuilder, IdentitySettings, IdFormat, missing_consent
from cdi_cli.pipeline.push_message import UNDATED, BadMessage, MessageReader, Ready, Unplanned

NOW = Instant("2026-02-03T04:05:06.007Z")


@pytest.fixture(scope="module")
def plan_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the storefront's plan is."""
    return tmp_path_factory.mktemp("plan")


@pytest.fixture
def reader(plan_folder: Path) -> MessageReader:
    """A reader of the storefront's plan."""
    return reader_of(plan_folder)


def reader_of(folder: Path, required: tuple[str, ...] = (), **options: Any) -> MessageReader:
    """A reader; `consent` is the builder's, the rest the reader's own."""
    consent = options.pop("consent", None)
    ids = IdFormat("test", "shop")
    builder = EventBuilder(ids, IdentitySettings(), event_version=7, plan=("commerce", "7.1.0"), consent=consent)
    return MessageReader(compiled(folder), builder, required, **options)


def ready(reader: MessageReader, message: dict[str, Any]) -> Ready:
    """What a good message becomes."""
    found = reader.read(json.dumps(message).encode())
    assert isinstance(found, Ready), found
    return found


def bad(reader: MessageReader, message: Any) -> BadMessage:
    """Why a message is none."""
    found = reader.read(message if isinstance(message, bytes) else json.dumps(message).encode())
    assert isinstance(found, BadMessage), found
    return found


def test_a_page_view(reader: MessageReader) -> None:
    """It has the rule of all pages, its own name for the way out, and carries the plan that it was checked by."""
    found = ready(reader, page(1, context={"locale": "de-DE", "protocols": {"x": 1}}))

    event = found.event
    assert (found.rule.name, found.own_name, event.name, event.type) == ("page", "Home", "page", "page")
    assert (event.id, event.at, event.anonymous_id, event.user_id) == ("page-1", AT, "guest-1", None)
    assert event.properties == {"path": "/1"}
    assert event.context == {
        "locale": "de-DE",
        "protocols": {"x": 1, "event_version": 7},
        "trackingPlan": {"name": "commerce", "version": "7.1.0"},
    }


def test_an_event_that_cdi_makes_too_has_its_kind(reader: MessageReader) -> None:
    """So that destinations take a pushed order for an order."""
    found = ready(reader, viewed(1, event="Order Completed", properties={"order_id": "A-1"}))

    assert (found.event.kind, found.event.type) == ("order.completed", "track")


def test_the_type_may_be_left_out_of_a_track(reader: MessageReader) -> None:
    """What names an event is a track."""
    assert ready(reader, viewed(1, type=None)).event.name == "Product Viewed"


def test_ids_may_be_numbers(reader: MessageReader) -> None:
    """Exports often have them."""
    event = ready(reader, page(1, userId=17, anonymousId=18)).event

    assert (event.user_id, event.anonymous_id) == ("17", "18")


@pytest.mark.parametrize(
    ("given_time", "at"),
    [
        ({"timestamp": "2026-01-31T13:00:00+01:00"}, AT),
        ({"timestamp": None, "originalTimestamp": "2026-01-31T12:00:00Z"}, AT),
        ({"timestamp": "2026-01-31T12:00:00.000123Z"}, AT),
    ],
)
def test_business_time(reader: MessageReader, given_time: dict[str, Any], at: str) -> None:
    """Any ISO 8601 date-time with a zone, to the millisecond; the original one where there is no other."""
    event = ready(reader, page(1, **given_time)).event

    assert (event.at, event.created_at) == (at, f"{at[:13]}:00:00.000Z")


def test_without_a_time(plan_folder: Path) -> None:
    """It is refused, or counts as now; the ledger finds it again on another day."""
    undated = page(1, timestamp=None)

    assert bad(reader_of(plan_folder), undated).reason == "no_timestamp"
    event = ready(reader_of(plan_folder, now=NOW), undated).event
    assert (event.at, event.created_at) == (NOW, UNDATED)
    assert ready(reader_of(plan_folder, now=NOW), page(1)).event.at == AT


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"{bad", "bad_json"),
        (b"\xff\xfe", "bad_json"),
        (b"[" * 100_000, "bad_json"),
        ([page(1)], "bad_message"),
        ("text", "bad_message"),
        ({"batch": [page(1)]}, "bad_message"),
        (page(1, type="clicked"), "bad_message"),
        (page(1, type=["page"]), "bad_message"),
        (viewed(1, event=""), "bad_message"),
        (viewed(1, event=5), "bad_message"),
        (page(1, messageId=7), "bad_message"),
        (page(1, anonymousId=None), "no_identity"),
        (page(1, anonymousId=""), "no_identity"),
        (page(1, userId=True), "bad_message"),
        (page(1, userId={"id": 1}), "bad_message"),
        (page(1, timestamp="2026-01-31T12:00:00"), "bad_timestamp"),
        (page(1, timestamp="yesterday"), "bad_timestamp"),
        (page(1, timestamp=1_769_860_800), "bad_timestamp"),
        (page(1, properties="none"), "bad_message"),
        (page(1, context=[]), "bad_message"),
        (page(1, context={"consent": "yes"}), "bad_context"),
        (page(1, context={"consent": {"categoryPreferences": {"Ads": "false"}}}), "bad_context"),
        (page(1, context={"consent": {"categoryPreferences": ["Ads"]}}), "bad_context"),
        (page(1, context={"consent": {"denied": "Ads"}}), "bad_context"),
        (page(1, context={"shop": {"country": ["DE"]}}), "bad_context"),
        (page(1, context={"traits": "me"}), "bad_context"),
    ],
)
def test_what_is_no_event(reader: MessageReader, message: Any, reason: str) -> None:
    """It has a stable reason and a sentence without a value of the message."""
    found = bad(reader, message)

    assert found.reason == reason
    assert found.detail
    assert not [word for word in ("Home", "guest-1", "yesterday", "clicked") if word in found.detail]


def test_an_alias_needs_both_ids(plan_folder: Path) -> None:
    """What it replaces comes as `previousId`; the default plan has no alias."""
    alias = {"type": "alias", "messageId": "a", "timestamp": AT, "userId": "new", "previousId": "old"}

    assert isinstance(reader_of(plan_folder).read(json.dumps(alias).encode()), Unplanned)


def test_an_unplanned_event_is_told_by_its_name(reader: MessageReader) -> None:
    """Cut where it is long."""
    found = reader.read(json.dumps(viewed(1, event="Nobody Planned This" * 10)).encode())

    assert isinstance(found, Unplanned)
    assert (found.name, found.event_id) == (("Nobody Planned This" * 10)[:80], "view-1")


def test_own_integrations_are_named_as_left_out(reader: MessageReader) -> None:
    """Where events go is a matter of the destination's settings."""
    (note,) = ready(reader, page(1, integrations={"All": False})).notes

    assert "`integrations`" in note


def test_an_event_that_a_run_made_is_told_of(reader: MessageReader) -> None:
    """Runs of the pipeline and pushes keep apart what they sent; another shop's events, and a push's own, are no matter."""
    (note,) = ready(reader, page(1, messageId="cdi:test:shop:order:o1:order-completed")).notes

    assert "runs and pushes do not know" in note
    for other in ("cdi:test:other:order:o1:order-completed", "cdi:test:push:0a", None):
        assert ready(reader, page(1, messageId=other)).notes == ()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(properties=st.dictionaries(st.text(max_size=5), json_values, max_size=4), order=st.randoms())
def test_an_id_made_of_the_content(plan_folder: Path, properties: dict[str, Any], order: Any) -> None:
    """The order of keys and blanks play no part, nor does the write key; any other difference does."""
    reader = reader_of(plan_folder)
    message = viewed(1, messageId=None, properties=properties)
    keys = list(message)
    order.shuffle(keys)
    shuffled = {key: message[key] for key in keys} | {"writeKey": "k", "messageId": None}

    first = ready(reader, message).event.id

    found = reader.read(json.dumps(shuffled, indent=2).encode())
    assert isinstance(found, Ready)
    assert found.event.id == first
    assert first.startswith("cdi:test:push:")
    assert len(first) <= 99
    assert ready(reader, {**message, "properties": {**properties, "one more": 1}}).event.id != first


_keys = st.sampled_from(
    [
        "type",
        "event",
        "name",
        "userId",
        "anonymousId",
        "messageId",
        "timestamp",
        "context",
        "properties",
        "traits",
        "consent",
    ]
)
_values = json_values | st.sampled_from(["track", "page", "identify", "alias", "Product Viewed", AT, "x"])


@given(message=st.dictionaries(_keys, _values, max_size=8), changes=st.dictionaries(_keys, _values, max_size=2))
def test_reading_never_raises(plan_folder: Path, message: dict[str, Any], changes: dict[str, Any]) -> None:
    """Whatever stands where, a line is an event, unplanned, or a reason."""
    reader = reader_of(plan_folder, now=NOW)
    for each in (message, page(1) | changes, viewed(1) | changes):
        found = reader.read(json.dumps(each).encode())
        assert isinstance(found, Ready | Unplanned | BadMessage)
        if isinstance(found, BadMessage):
            assert found.reason in {"bad_message", "bad_context", "no_identity", "bad_timestamp", "bad_json", "no_group"}


OPT_OUT = ConsentPolicy(regions={"US": "america", "DE": "europe"}, regimes={"america": "opt_out", "europe": "opt_in"})


@pytest.mark.parametrize(
    ("country", "said", "missing"),
    [
        ("US", None, None),
        ("US", {"categoryPreferences": {"Ads": False}}, "Ads"),
        ("US", {"categoryPreferences": {"Ads": True}}, None),
        ("DE", None, "Ads"),
        ("DE", {"categoryPreferences": {"Ads": True}}, None),
        (None, None, "Ads"),
        ("United States", None, "Ads"),
        ("US", {"denied": ["Ads"]}, "Ads"),
        ("DE", {"denied": ["Ads"], "categoryPreferences": {"Ads": True}}, "Ads"),
    ],
)
def test_consent_by_region(plan_folder: Path, country: str | None, said: dict[str, Any] | None, missing: str | None) -> None:
    """What a message says stands; where it says nothing, the regime of its country decides, and without one it is no."""
    reader = reader_of(plan_folder, ("Ads",), consent=OPT_OUT)
    context: dict[str, Any] = {"location": {"country": country}}
    if said is not None:
        context["consent"] = said

    event = ready(reader, page(1, context=context)).event

    assert missing_consent(event, ("Ads",)) == missing
