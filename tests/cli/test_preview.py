"""`cdi preview`: what one record would be sent as is what was sent; nothing is sent, and nobody's data is shown unasked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import canary
import pytest
from cli_project import WHOLE, CliProject

from cdi_cli.sandbox import SandboxThread

INSIDER = """\
destinations:
  insider:
    type: insider
    endpoint: {url}/insider
    partner_name: {partner}
    request_token: "${{TOKEN}}"
    retention_days: {{purchase: 4000}}
    consent: {{Analytics: email_optin}}
"""
RULES = """\
routing:
  - when: {destination: insider}
    then: {drop: ["products[].brand"], rename: {affiliation: shop}}
  - when: {event: Order Refunded}
    then: {quarantine: look}"""


class PreviewProject(CliProject):
    """A project that feeds Segment and Insider, with rules on the way."""

    def __init__(self, folder: Path, sandbox: SandboxThread, **fields: Any) -> None:
        super().__init__(folder, sandbox, pipeline=RULES, destination="", **fields)
        self.environment["TOKEN"] = sandbox.options.insider_token

    def write_settings(self) -> None:
        """Write `cdi.yaml` with Insider beside Segment."""
        super().write_settings()
        insider = INSIDER.format(url=self.sandbox.url, partner=self.sandbox.options.insider_partner)
        text = self.settings.read_text(encoding="utf-8").replace("destinations:\n", insider, 1)
        text = text.replace("destinations: [segment]", "destinations: [segment, insider]")
        self.settings.write_text(text, encoding="utf-8")

    def preview(self, *arguments: str, to: str = "insider", code: int = 0, **environment: str) -> str:
        """What the command prints, having checked the exit code."""
        run = self.run("preview", *arguments, "--destination", to, env=environment)
        assert run.code == code, run.err
        return run.out if code == 0 else run.err

    def seen(self, *arguments: str, to: str = "insider") -> dict[str, Any]:
        """The one preview of `--json`."""
        (found,) = json.loads(self.preview(*arguments, "--json", to=to))
        shown: dict[str, Any] = found
        return shown


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PreviewProject]:
    """A project after a backfill to Segment; Insider got nothing yet. For tests that only look."""
    folder = tmp_path_factory.mktemp("preview")
    with SandboxThread(canary.options(orders=40)) as sandbox, PreviewProject(folder, sandbox) as made:
        assert made.run("backfill", *WHOLE, "--destination", "segment").code in (0, 1)
        yield made


def by_event(seen: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The events of a preview by name."""
    return {each["event"]: each for each in seen["events"]}


def fields(event: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields of an event's only request by the last part of their paths."""
    (request,) = event["requests"]
    return {each["path"].rpartition(".")[2]: each for each in request["fields"]}


def other_order(project: PreviewProject) -> dict[str, Any]:
    """An order that is not the canary's: of a made-up person whom nobody looks for."""
    orders = project.sandbox.shop.documents("orders")
    return next(one for one in orders if one["id"] != project.order["id"] and one.get("customerId") and one["orderNumber"])


def test_a_body_is_what_the_destination_got(project: PreviewProject) -> None:
    """With `--show-data`, batch by batch, the very message that Segment received in the backfill."""
    order = other_order(project)
    lines = project.preview("order", order["orderNumber"], "--body", "--backfill", "--show-data", to="segment").splitlines()

    previewed = {message["messageId"]: message for line in lines for message in json.loads(line)["batch"]}
    received = {each["messageId"]: each for each in project.sandbox.segment.applied if order["id"] in each["messageId"]}
    assert set(previewed) == set(received)
    assert previewed
    for identifier, message in previewed.items():
        got = received[identifier]
        assert got["originalTimestamp"] == message["timestamp"]
        assert {name: got[name] for name in message if name not in ("context", "timestamp")} == {
            name: part for name, part in message.items() if name not in ("context", "timestamp")
        }
        assert message["context"].items() <= got["context"].items()


def test_each_field_tells_what_it_is_made_of(project: PreviewProject) -> None:
    """Renamed, copied, split and derived fields alike, down to the element of the list that they were read from."""
    event = by_event(project.seen("order", "CANARY-1"))["Order Completed"]
    found = fields(event)

    def made_of(name: str) -> list[tuple[str, str]]:
        return [(each["value"], each["from"]) for each in found[name]["made_of"]]

    assert made_of("unit_price") == [("products[0].price", "order.lines[0].price")]
    assert made_of("shop") == [("affiliation", "order.store")]
    assert made_of("event_group_id") == [("order_id", "order.number")]
    assert made_of("timestamp") == [("timestamp", "order.placed_at")]
    assert made_of("uuid") == [("userId", "order.customer_id")]
    assert made_of("cdi_event_id")[0][0] == "messageId"
    taxonomy = [each for each in event["requests"][0]["fields"] if ".taxonomy[" in each["path"]]
    assert len(taxonomy) > 1
    assert {each["made_of"][0]["from"] for each in taxonomy} == {"order.lines[0].category"}
    assert made_of("skip_hook") == []


def test_what_stays_behind_is_told_with_its_reason(project: PreviewProject) -> None:
    """A rule, the other side's own limits, and values that the record does not have."""
    event = by_event(project.seen("order", "CANARY-1"))["Order Completed"]

    assert {"property": "products[].brand", "why": "dropped by rule 1 of the routing"} in event["left_behind"]
    assert event["rules"] == [1]
    assert "payment_method" in event["without_value"]
    fulfilled = by_event(project.seen("order", "CANARY-1"))["Order Fulfilled"]
    assert (fulfilled["is_sent_if_new"], fulfilled["withheld"]["reason"], fulfilled["requests"]) == (False, "retention", [])


def test_what_was_sent_before_is_told_with_its_run(project: PreviewProject) -> None:
    """To Segment it went in run 1, to Insider not yet; what a rule holds back is in the dead letters."""
    sent = by_event(project.seen("order", "CANARY-1", to="segment"))["Order Completed"]
    new = by_event(project.seen("order", "CANARY-1"))["Order Completed"]
    (refund, *_) = [one for one in project.run("dlq", "list", "--json").json() if one["event"] == "Order Refunded"]
    held = by_event(project.seen("order", refund["entity_id"], to="segment"))["Order Refunded"]

    assert [(line["state"], line["run"], line["is_current"]) for line in sent["ledger"]] == [("sent", 1, True)]
    assert [(line["state"], line["why"]) for line in new["ledger"]] == [("not_sent", "not_sent_yet")]
    assert held["withheld"]["reason"] == "quarantine:look"
    assert [line["dead_letter"] for line in held["ledger"]] == [refund["id"]]


@pytest.mark.parametrize("name", [canary.CUSTOMER_ID, canary.PERSON["e-mail"]])
@pytest.mark.parametrize("columns", ["80", "120"])
def test_a_person_is_told_by_kind_only(project: PreviewProject, name: str, columns: str) -> None:
    """Neither record nor entity nor request show contact data, not even in fields that the destination made up itself."""
    out = project.preview("customer", name, COLUMNS=columns)

    assert "<contact: text of" in out
    assert "customer.email" in out
    for value in canary.PERSON.values():
        assert value not in out


def test_everything_can_be_asked_for(project: PreviewProject) -> None:
    """`--show-data` shows what is masked otherwise; `--full` every field of the record."""
    order = other_order(project)

    masked, shown = (project.preview("order", order["id"], "--full", *more) for more in ((), ("--show-data",)))

    assert order["customerEmail"] not in masked
    assert order["customerEmail"] in shown
    assert "... and" not in shown
    assert "lineItems[0].variant.sku" in shown


@pytest.mark.parametrize("columns", [80, 120])
def test_it_fits_the_terminal(project: PreviewProject, columns: int) -> None:
    """Sections in the order of the way; no line is wider than the terminal, but for one unbreakable word."""
    out = project.preview("order", "CANARY-1", "--event", "Order Completed", COLUMNS=str(columns))

    lines = out.splitlines()
    heads = [line.partition(" ")[0] for line in lines if line and not line.startswith(" ")]
    assert heads == ["shop", "Record", "Entity", "Events", "Order"]
    assert [line for line in lines if len(line) > columns and " " in line.strip()] == []
    assert len(lines) < 90
    assert "\x1b" not in out
    (price,) = [line for line in lines if line.split()[:1] == ["unit_price"]]
    assert price.endswith("<- products[0].price <- order.lines[0].price" if columns == 120 else "<- order.lines[0].price")


def test_nothing_is_sent_and_nothing_is_written(project: PreviewProject) -> None:
    """Not to a destination, not to the checkpoint, not beside it."""
    requests, state = len(project.sandbox.requests), project.state.read_bytes()
    files = {name for name in project.files() if not name.endswith(("-wal", "-shm"))}

    project.preview("order", "CANARY-1")

    asked = [request.path for request in project.sandbox.requests[requests:]]
    assert asked
    assert not [path for path in asked if not path.startswith("/commercetools/")]
    assert project.state.read_bytes() == state
    assert {name for name in project.files() if not name.endswith(("-wal", "-shm"))} == files


def test_a_record_from_a_file(project: PreviewProject) -> None:
    """The same as asking the source, without asking it; a line of fixtures brings its look-ups along."""
    order = dict(other_order(project))
    raw, fixture = project.folder / "order.json", project.folder / "fixture.json"
    raw.write_text(json.dumps(order), encoding="utf-8")
    lookups = {"/discount-codes": {"results": []}}
    fixture.write_text(
        json.dumps({"source": "shop", "stream": "orders", "record": order, "lookups": lookups}), encoding="utf-8"
    )
    before = len(project.sandbox.requests)

    found = [project.seen("order", "--record", str(path)) for path in (raw, fixture)]

    assert len(project.sandbox.requests) == before
    assert found[0] == found[1]
    live = project.seen("order", order["id"])
    names = ("Order Completed", "Order Fulfilled")
    assert [by_event(found[0])[name]["id"] for name in names] == [by_event(live)[name]["id"] for name in names]
    looked_up = ("lines", "coupons", "shipments", "refunds")
    given = {name: value for name, value in found[0]["entity"].items() if name not in looked_up}
    assert given == {name: live["entity"][name] for name in given}
    assert len(given) > 15


@pytest.mark.parametrize(
    ("arguments", "content", "message"),
    [
        (["order"], None, "which order?"),
        (["order", "nobody-knows-it"], None, "knows no order of that id"),
        (["order", "CANARY-1", "--event", "Order Complete"], None, "makes no event `Order Complete`"),
        (["order", "CANARY-1", "--record", "FILE"], "{}", "exclude each other"),
        (["order", "--record", "FILE"], "[1]", "does not hold a record"),
        (["order", "--record", "FILE"], '{"a": 1}\n{"a": 2}\n', "holds 2 records"),
        (["order", "--record", "FILE"], "nonsense", "is no JSON"),
        (["order", "--record", "FILE"], '{"stream": "nope", "record": {}}', "has no stream `nope`"),
        (["order", "--record", "/nowhere/record.json"], None, "cannot be read"),
    ],
)
def test_wrong_use(project: PreviewProject, arguments: list[str], content: str | None, message: str) -> None:
    """What was asked for in vain is named; exit code 2."""
    file = project.folder / "given.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")

    err = project.preview(*(str(file) if each == "FILE" else each for each in arguments), code=2)

    assert message in err
    assert "hint: " in err


def test_several_destinations_have_to_be_told_apart(project: PreviewProject) -> None:
    """Without `--destination` they are named; a wrong one is met with the nearest."""
    none = project.run("preview", "order", "CANARY-1")

    assert (none.code, "choose `--destination segment`" in none.err) == (2, True)
    assert "did you mean `insider`?" in project.preview("order", "CANARY-1", to="insidr", code=2)


def test_a_record_that_cannot_be_read_is_told(project: PreviewProject) -> None:
    """The reason stands where the entity would; the record is shown all the same."""
    broken = {**other_order(project), "totalPrice": {"type": "centPrecision", "centAmount": "12.34", "currencyCode": "EUR"}}
    file = project.folder / "broken.json"
    file.write_text(json.dumps(broken), encoding="utf-8")

    out = project.preview("order", "--record", str(file))

    assert "note: the record cannot be read: unreadable_record" in out
    assert "\nRecord" in out
    assert "\nEntity" not in out


def test_consent_that_was_not_given(tmp_path: Path) -> None:
    """The category is named, and no request is shown: there would be none."""
    with SandboxThread(canary.options(orders=10)) as sandbox, PreviewProject(tmp_path, sandbox) as project:
        text = project.settings.read_text(encoding="utf-8")
        project.settings.write_text(text.replace("    consent:\n", "    require_consent: [Advertising]\n    consent:\n"))
        state = project.sandbox.shop
        custom = {"type": {"typeId": "type", "id": "t"}, "fields": {"marketingConsent": False}}
        state.update("orders", project.order["id"], {"custom": custom})

        seen = project.seen("order", "CANARY-1", to="segment")
        out = project.preview("order", "CANARY-1", to="segment")

        event = by_event(seen)["Order Completed"]
        assert (event["withheld"]["reason"], event["requests"]) == ("consent:Advertising", [])
        assert "Order Completed: withheld: consent for Advertising was not given" in out
        assert "note: there is no checkpoint file yet" in out
        assert project.files() == {"cdi.yaml"}


def test_a_product_with_variants_is_not_a_wall(project: PreviewProject) -> None:
    """Of a record that is several entities the first is shown and the others are named; as data there are all."""
    product = next(one for one in project.sandbox.shop.documents("products") if one["masterData"]["current"]["variants"])
    variants = [product["masterData"]["current"]["masterVariant"], *product["masterData"]["current"]["variants"]]

    out = project.preview("product", product["id"])
    found = json.loads(project.preview("product", product["id"], "--json"))

    assert out.count("\nEntity") == 1
    assert "The record is more than that (`--full`): " in out
    assert [each["entity"]["sku"] for each in found] == [variant["sku"] for variant in variants]
    assert all(variant["sku"] in out for variant in variants)
