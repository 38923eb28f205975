"""Looking for doubtful events in the profile, and what a plan sends that nobody has defined in the panel."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from insider_events import (
    CATALOG_TOKEN,
    ENVIRONMENT,
    NOW,
    ORDER,
    TOKEN,
    destination,
    event,
    identify,
    product,
    users,
    without_waits,
)
from scripted_server import answer, scripted

from cdi_cli.checks import Check
from cdi_cli.clock import Clock
from cdi_cli.destinations import DestinationContext, Planned, Preflight
from cdi_cli.destinations.insider.destination import InsiderDestination
from cdi_cli.errors import AuthError, ProtocolError, TransientError
from cdi_cli.events import Event
from cdi_cli.plan import compile_plan, load_plan
from cdi_cli.sandbox import Fault, SandboxOptions, SandboxThread


@pytest.fixture(autouse=True)
def _tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxThread]:
    """One server for the module; it keeps sales for long, as the events' days are fixed."""
    options = SandboxOptions(orders=0, insider_partner="acme", insider_token=TOKEN, insider_catalog_token=CATALOG_TOKEN)
    with SandboxThread(options) as sandbox:
        sandbox.insider.rules.retention_days = {"purchase": 36_500, "order_refunded": 36_500}
        yield sandbox


@pytest.fixture
def sandbox(shared: SandboxThread) -> SandboxThread:
    """The server with an empty account and the usual panel."""
    shared.insider.clear()
    shared.faults.clear()
    shared.requests.clear()
    shared.insider.rules.read_lag_seconds = 0.0
    return shared


def opened(sandbox: SandboxThread, **values: Any) -> InsiderDestination:
    """A destination for the account of the sandbox."""
    return destination(endpoint=f"{sandbox.url}/insider", catalog_endpoint=f"{sandbox.url}/insider", **values)


async def confirmed(sandbox: SandboxThread, sent: Sequence[Event], asked: Sequence[Event], **values: Any) -> Any:
    """What is said of events after others were sent with an answer that was lost."""
    insider = opened(sandbox, **values)
    bodies = [insider.encode(each) for each in sent]
    with without_waits():
        if bodies:
            sandbox.faults.add(Fault(kind="reset_after_apply", match="/upsert"))
            await insider.send([body for body in bodies if isinstance(body, bytes)])
        found = await insider.confirm(asked)
    await insider.close()
    return found


def refund(number: int = 1, **changes: Any) -> Event:
    """A refund; an event without a product."""
    properties = {"order_id": f"ORD-{number}", "refund_id": f"RF-{number}", "refund_amount": 3.5, "is_full_refund": False}
    return event(number, kind="order.refunded", name="Order Refunded", properties=properties | changes)


async def test_what_arrived_is_found_and_what_did_not_is_not(sandbox: SandboxThread) -> None:
    """Orders, refunds, profiles and guests, one reading for each person."""
    guest = event(7, user_id=None, context={"traits": {"email": "guest@example.com"}})
    there = [event(1), refund(1), identify(2), guest, event(3, properties={"revenue": 5, "currency": "EUR"})]
    absent = [event(4), refund(2), identify(5), event(1, id="cdi:other", properties=ORDER | {"order_id": "ORD-9"})]

    found = await confirmed(sandbox, there, [*there, *absent])

    assert found == [True] * 5 + [False] * 4
    readings = [request for request in sandbox.requests if request.path.endswith("/profile")]
    identifiers = {json.dumps(user["identifiers"]) for user in users(destination(), *there, *absent)}
    assert len(readings) == len(identifiers) == 7


async def test_every_copy_needs_its_own(sandbox: SandboxThread) -> None:
    """One order that is there does not stand for another with the same lines at the same second."""
    first, second = event(1, id="cdi:first"), event(1, id="cdi:second", properties=ORDER | {"order_id": "ORD-2"})

    assert await confirmed(sandbox, [first], [first, second]) == [True, False]


async def test_an_order_of_which_some_lines_are_there_cannot_be_told(sandbox: SandboxThread) -> None:
    """Sending it again would double those; leaving it would lose the others."""
    whole = event(1)
    part = event(1, properties=ORDER | {"products": ORDER["products"][:1]})

    assert await confirmed(sandbox, [part], [whole]) == [None]


@pytest.mark.parametrize("event_id_param", ["cdi_event_id", None])
async def test_an_order_that_has_changed_since_it_was_sent_cannot_be_told(
    sandbox: SandboxThread, event_id_param: str | None
) -> None:
    """What is there differs from what would be sent now, but is the same order: sending it again would double the sale."""
    before, other = event(1), event(1, id="cdi:other", properties=ORDER | {"order_id": "ORD-9"})
    after = event(1, properties=ORDER | {"payment_method": "invoice", "coupon": "JUNE"})

    assert await confirmed(sandbox, [before], [after, other], event_id_param=event_id_param) == [None, False]


async def test_a_refund_that_has_changed_since_it_was_sent_cannot_be_told(sandbox: SandboxThread) -> None:
    """The id of the event tells that it is the same, whatever else is another now."""
    assert await confirmed(sandbox, [refund(1)], [refund(1, is_full_refund=True)]) == [None]


async def test_what_nobody_defined_decides_nothing(sandbox: SandboxThread) -> None:
    """Without its parameters a refund is a name and a time, which is not enough; an order still has number and product."""
    panel = sandbox.insider.panel
    kept = {name: set(params) for name, params in panel.events.items()}
    try:
        panel.events["order_refunded"].clear()
        panel.events["purchase"].clear()
        found = await confirmed(sandbox, [refund(1), event(1)], [refund(1), event(1)])
    finally:
        panel.events.update(kept)

    assert found == [None, True]


async def test_what_is_not_visible_yet_is_not_found(sandbox: SandboxThread) -> None:
    """Insider takes its time, so nobody should ask before `confirm_after_seconds`."""
    sandbox.insider.rules.read_lag_seconds = 600.0
    at_once = await confirmed(sandbox, [event(1)], [event(1)])
    sandbox.clock.advance(601)
    later = await confirmed(sandbox, [], [event(1)])
    sandbox.clock.advance(-601)

    assert (at_once, later) == ([False], [True])


async def test_a_profile_that_has_changed_since_is_not_there(sandbox: SandboxThread) -> None:
    """It is sent again, which does no harm; so is a product, which cannot be read back."""
    found = await confirmed(sandbox, [identify(1)], [identify(1, first_name="Jo"), identify(1), product(1)])

    assert found == [False, True, False]


async def test_what_is_never_sent_cannot_be_told(sandbox: SandboxThread) -> None:
    """Of an event that is filtered or refused nothing is asked."""
    asked = [event(1, user_id=None), event(1, properties={"currency": "EUR"})]

    assert await confirmed(sandbox, [], asked) == [None, None]


@pytest.mark.parametrize(
    "events",
    [
        [{"event_name": "purchase", "timestamp": "2026-08-01T12:00:00Z", "event_params": {"event_group_id": "G"}}],
        [{"event_name": "purchase", "timestamp": "2026-08-01T12:00:00+00:00", "params": {"event_group_id": "G"}}],
        [{"event_name": "purchase", "timestamp": 1785585600, "event_group_id": "G", "quantity": "1", "unit_price": "5.00"}],
        {"purchase": [{"timestamp": "2026-08-01T12:00:00.000", "event_group_id": "G", "c_position": "1"}]},
    ],
)
@pytest.mark.parametrize("around", [lambda data: {"data": data}, lambda data: data])
async def test_several_forms_of_an_answer_are_read(events: Any, around: Any) -> None:
    """Its form is not documented."""
    asked = event(1, properties={"order_id": "G", "revenue": 5, "currency": "EUR"})
    async with scripted(answer(200, json.dumps(around({"events": events})).encode())) as server:
        insider = destination(endpoint=server.url)
        found = await insider.confirm([asked])
        await insider.close()

    assert found == [True]
    question = server.requests[0].json()
    assert question["identifiers"] == {"uuid": "customer-1"}
    assert question["events"]["start_date"] <= 1785585600 <= question["events"]["end_date"]
    assert {"event_group_id", "c_cdi_event_id"} <= set(question["events"]["wanted"][0]["params"])


@pytest.mark.parametrize(("step", "error"), [(answer(401), AuthError), (answer(200, b"[]"), ProtocolError)])
async def test_an_answer_that_is_no_profile_raises(step: Any, error: type[Exception]) -> None:
    """Nothing is concluded from it."""
    async with scripted(step) as server:
        insider = destination(endpoint=server.url)
        with without_waits(), pytest.raises(error):
            await insider.confirm([event(1)])
        await insider.close()


def planned() -> list[Planned]:
    """The default plan's events, with the paths of their properties."""
    plan = compile_plan(load_plan())
    return [
        Planned(rule.kind, rule.type, rule.name, tuple(path for path, _ in rule.planned.walk()))
        for kind in plan.kinds
        for rule in plan.rules(kind)
    ]


def by_name(checks: Sequence[Check]) -> dict[str, Check]:
    """Checks by name."""
    return {check.name: check for check in checks}


async def preflight(sandbox: SandboxThread, plan: Sequence[Planned], **values: Any) -> list[Check]:
    """What is said of a plan before anything is sent."""
    insider = opened(sandbox, **values)
    assert isinstance(insider, Preflight)
    checks = await insider.preflight(plan)
    await insider.close()
    return checks


async def test_a_panel_that_knows_the_default_plan_passes(sandbox: SandboxThread) -> None:
    """The simulator's panel is made for it, so nothing is missing, and nothing was sent."""
    (check,) = await preflight(sandbox, planned())

    assert (check.name, check.is_ok) == ("insider panel", True)
    assert sandbox.insider.requests == []


async def test_what_is_not_defined_is_named(sandbox: SandboxThread) -> None:
    """Events with what they need, parameters, and attributes, by their names in the panel; and what cannot be spelt."""
    panel = sandbox.insider.panel
    plan = [
        Planned(
            "order.completed", "track", "Order Completed", ("order_id", "gift_note", "products", "products[].colorCode")
        ),
        Planned("order.refunded", "track", "Order Refunded", ("refund_id", "products[].sku")),
        Planned("order.cancelled", "track", "Order Cancelled", ("order_id",)),
        Planned("own", "track", "Loyalty Earned", ("points",)),
        Planned("customer.profile", "identify", "identify", ("email", "shoeSize", "address", "address.city", "ß")),
        Planned("group.member", "group", "group", ("id", "name", "budget")),
        Planned("own", "track", "☂", ()),
    ]
    of_two = ("order_refunded", "order_cancelled")
    for name in of_two:
        panel.events[name].discard("cdi_event_id")
    try:
        checks = await preflight(sandbox, plan)
    finally:
        for name in of_two:
            panel.events[name].add("cdi_event_id")

    assert [(check.name.removeprefix("insider "), check.detail) for check in checks] == [
        ("events", "event `loyalty_earned` is not defined, nor its parameters `cdi_event_id`, `points`"),
        ("parameters", "parameters not defined for `order_cancelled`, `order_refunded`: `cdi_event_id`"),
        ("parameters", "parameters not defined for `purchase`: `color_code`, `gift_note`"),
        ("attributes", "attributes not defined: `company_budget`, `shoe_size`"),
        ("names", "cannot be spelt in Insider: `identify.ß`, `☂`"),
    ]
    assert not any(check.is_ok for check in checks)
    assert all(check.hint for check in checks)
    assert "event_id_param" in (checks[1].hint or "")


async def test_two_events_that_become_the_same_sale_are_named(sandbox: SandboxThread) -> None:
    """Each order would be counted twice."""
    plan = [Planned("order.completed", "track", name, ()) for name in ("Order Completed", "First Order")]

    (found,) = await preflight(sandbox, plan)
    apart = await preflight(sandbox, plan, event_names={"First Order": "purchase_first"})

    assert (found.is_ok, found.detail) == (False, "`Order Completed` and `First Order` both become `purchase`")
    assert [check.name for check in apart] == ["insider events"]


async def test_the_check_says_what_a_run_will_do(sandbox: SandboxThread) -> None:
    """Who is asked, whether there is a catalogue, whether journeys start, what an objection does; nothing is delivered."""
    insider = opened(sandbox, consent={"Objection": "gdpr_optin"})
    backfill = opened(sandbox, context=DestinationContext(is_backfill=True), catalog_token=None)

    sync, history = by_name(await insider.check()), by_name(await backfill.check())
    for each in (insider, backfill):
        await each.close()

    assert all(check.is_ok for check in [*sync.values(), *history.values()])
    assert "start journeys" in sync["insider journeys"].detail
    assert "starts none" in history["insider journeys"].detail
    assert "`Objection`" in sync["insider opt-ins"].detail
    assert "`en_US`, `de_DE`" in sync["insider catalogue"].detail
    assert "no `catalog_token`" in history["insider catalogue"].detail
    assert sandbox.insider.applied == []
    assert sandbox.insider_catalog.items == {}


async def test_every_failure_of_a_check_is_a_line_and_not_an_exception() -> None:
    """A preflight that gets no answer has found nothing out: that is an exception."""
    async with scripted(answer(503)) as server:
        insider = destination(endpoint=server.url, catalog_endpoint=server.url, clock=Clock(now=lambda: NOW))
        with without_waits():
            checks = await insider.check()
            with pytest.raises(TransientError):
                await insider.preflight(planned())
        await insider.close()

    assert {check.name for check in checks if not check.is_ok} == {"insider account", "insider catalogue"}
