"""Events as mParticle takes them: the wire form by kind, flat attributes, every rule by which it would refuse or cut one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mparticle_events import ORDER, PRODUCT, ago, data, decoded, encoder, event, profile
from mparticle_judge import violations

from cdi_cli.clock import Instant
from cdi_cli.destinations import Filtered, Rejected
from cdi_cli.destinations.mparticle import DESTINATION
from cdi_cli.destinations.mparticle.encode import BATCH_BYTES_MAX


def test_an_order_is_a_purchase_in_the_documented_form() -> None:
    """Key order, names and types are those of the sheet: T is where it can be read without parsing."""
    encoded = encoder(data_plan_id="commerce_plan", data_plan_version=2).event(event())

    assert encoded == (
        b'{"environment":"production","events":[{"data":{"timestamp_unixtime_ms":1788260400000,'
        b'"source_message_id":"d28b899b-5564-5811-82a0-4cc28cb7b63d","currency_code":"EUR","is_non_interactive":true,'
        b'"product_action":{"action":"purchase","transaction_id":"ORD-1","affiliation":"web-de","total_amount":45.48,'
        b'"tax_amount":3.0,"shipping_amount":2.5,"coupon_code":"MAY","products":[{"id":"SKU-1","name":"Tee","position":1,'
        b'"price":19.99,"quantity":2,"custom_attributes":{"sku":"S","is_gift":"false"}}]},"custom_attributes":{"revenue":39.98}},'
        b'"event_type":"commerce_event"}],"source_request_id":"cdi:acme:shop:order:1:order-completed",'
        b'"user_identities":{"customer_id":"cust-1"},"context":{"data_plan":{"plan_id":"commerce_plan","plan_version":2}}}'
    )
    assert violations(json.loads(encoded)) == []


@pytest.mark.parametrize(
    ("kind", "name", "action"),
    [
        ("order.completed", "Bestellung aufgegeben", "purchase"),
        ("order.refunded", "Order Refunded", "refund"),
        ("cart.checkout_started", "Order Completed", "checkout"),
    ],
)
def test_the_kind_decides_and_not_the_name(kind: str, name: str, action: str) -> None:
    """A plan may rename its events; an order stays a purchase."""
    found = data(event(kind=kind, name=name))

    assert found["product_action"]["action"] == action


@pytest.mark.parametrize(
    ("kind", "custom_type"),
    [
        ("order.updated", "transaction"),
        ("order.cancelled", "transaction"),
        ("order.fulfilled", "transaction"),
        ("customer.created", "other"),
    ],
)
def test_other_kinds_are_custom_events(kind: str, custom_type: str) -> None:
    """They have a name, a type of the vendor's list, and only attributes; a list of lines is none."""
    found = data(event(kind=kind, name="Order Changed"))

    assert (found["event_name"], found["custom_event_type"]) == ("Order Changed", custom_type)
    assert found["custom_attributes"] == {name: value for name, value in ORDER.items() if name != "products"}
    assert "product_action" not in found


def test_settings_can_name_another_action() -> None:
    """Two events of one trigger would be two purchases: one of them can be made a custom event, or another action."""
    actions = {"Points Earned": "custom_event", "Cart Filled": "add_to_cart"}

    assert data(event(name="Points Earned"), event_actions=actions)["event_name"] == "Points Earned"
    assert data(event(name="Cart Filled"), event_actions=actions)["product_action"]["action"] == "add_to_cart"
    assert data(event(), event_actions=actions)["product_action"]["action"] == "purchase"


def test_a_checkout_has_a_value_instead_of_a_total() -> None:
    """What a cart comes to so far is its total amount; `total` would be an attribute."""
    found = data(event(kind="cart.checkout_started", properties={"value": 9.5, "total": 1, "checkout_id": "c"}))

    assert found["product_action"] == {"action": "checkout", "total_amount": 9.5}
    assert found["custom_attributes"] == {"total": 1, "checkout_id": "c"}


def test_pages_and_screens_are_screen_views() -> None:
    """Their name is the screen's, their properties are attributes."""
    found = data(event(type="page", kind="other", name="Home", properties={"title": "Home"}))

    assert (found["screen_name"], found["custom_attributes"]) == ("Home", {"title": "Home"})


def test_a_group_is_attributes_of_its_member() -> None:
    """The Events API has no call for groups: id and traits stand with the person, under names of their own."""
    one = event(type="group", kind="group.member", name="group", properties={"name": "Acme"}, context={"groupId": "bu-9"})

    batch = decoded(one)

    assert batch["user_attributes"] == {"group_id": "bu-9", "group_name": "Acme"}
    assert batch["user_identities"] == {"customer_id": "cust-1"}
    assert "events" not in batch


def test_products_are_filtered() -> None:
    """A product's snapshot belongs to nobody and has no place in the Events API; that is no fault of it."""
    one = event(family="product", kind="product.snapshot", user_id=None)

    assert encoder().event(one) == Filtered("no_catalogue")
    assert DESTINATION.judge is not None
    assert DESTINATION.judge(None)(one) is None


def test_a_profile_is_a_batch_without_events() -> None:
    """Reserved traits have mParticle's names, the address is taken apart, lists of texts stay, the e-mail is an identity."""
    traits = {
        "email": "Jo@Example.com ", "firstName": "Jo", "lastName": "Doe", "phone": "+1 (555) 123-4567",
        "company": {"name": "A"},
        "address": {"street": "S 1", "city": "Berlin", "state": None, "postalCode": "10115", "country": "DE"},
        "groups": ["b2b", "vip"], "scores": [1, True], "orders": 12, "lines": [{"a": 1}], "nothing": None, "empty": [],
    }  # fmt: skip
    batch = decoded(profile(properties=traits))

    assert batch == {
        "environment": "production",
        "source_request_id": "cdi:acme:shop:customer:1:identify:1-c0ffee",
        "user_identities": {"customer_id": "cust-1", "email": "jo@example.com", "mobile_number": "+15551234567"},
        "user_attributes": {
            "$firstname": "Jo", "$lastname": "Doe", "$mobile": "+1 (555) 123-4567", "company.name": "A", "$address": "S 1",
            "$city": "Berlin", "$zip": "10115", "$country": "DE", "groups": ["b2b", "vip"], "scores": ["1", "true"],
            "orders": 12,
        },
    }  # fmt: skip


def test_attributes_are_flat() -> None:
    """Objects become names with dots, lists of scalars JSON text, huge numbers text; what has no place is left out."""
    properties = {
        "a": {"b": {"c": 1}, "d": "x"}, "tags": ["x", 1, None], "none": None, "lines": [{"a": 1}], "nested": [[1]],
        "big": 2**80, "small": -(2**63), "yes": True, "infinite": float("inf"),
    }  # fmt: skip
    found = data(event(kind="order.updated", properties=properties))

    assert found["custom_attributes"] == {
        "a.b.c": 1, "a.d": "x", "tags": '["x",1]', "big": str(2**80), "small": -(2**63), "yes": True,
    }  # fmt: skip


def test_only_named_properties_become_attributes() -> None:
    """Settings can name them, for events and products alike; fields of a commerce event are no attributes."""
    found = data(event(), custom_attributes=["sku"])
    none = data(event(), custom_attributes=[])

    assert "custom_attributes" not in found
    assert found["product_action"]["products"][0]["custom_attributes"] == {"sku": "S"}
    assert "custom_attributes" not in none["product_action"]["products"][0]
    assert none["product_action"]["total_amount"] == 45.48


def test_texts_of_fields_may_come_as_numbers() -> None:
    """An order number that is a number is still the transaction's id, as text; a position with `.0` is a whole number."""
    product = PRODUCT | {"product_id": 17, "position": 2.0}
    found = data(event(properties={"order_id": 1001, "total": 3, "products": [product]}))

    assert found["product_action"]["transaction_id"] == "1001"
    assert found["product_action"]["products"][0]["id"] == "17"
    assert found["product_action"]["products"][0]["position"] == 2


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"type": "purchase"}, "type_unsupported"),
    ({"type": "alias"}, "type_unsupported"),
    ({"id": ""}, "request_id_missing"),
    ({"id": 7}, "request_id_missing"),
    ({"at": None}, "timestamp_missing"),
    ({"at": ""}, "timestamp_missing"),
    ({"at": Instant("1969-12-31T23:59:59.999Z")}, "timestamp_too_early"),
    ({"user_id": None}, "no_identity"),
    ({"user_id": ""}, "id_not_string"),
    ({"user_id": 12}, "id_not_string"),
    ({"anonymous_id": 1.5}, "id_not_string"),
    ({"name": ""}, "event_name_missing"),
    ({"name": None}, "event_name_missing"),
    ({"name": "x" * 257}, "event_name_too_long"),
    ({"name": "\U0001f600" * 129}, "event_name_too_long"),
    ({"properties": ["a"]}, "properties_not_object"),
    ({"context": ["a"]}, "context_not_object"),
    ({"properties": {"total": "45.48"}}, "field_of_wrong_type"),
    ({"properties": {"total": True}}, "field_of_wrong_type"),
    ({"properties": {"total": float("nan")}}, "field_of_wrong_type"),
    ({"properties": {"order_id": ["a"]}}, "field_of_wrong_type"),
    ({"properties": {"currency": {"code": "EUR"}}}, "field_of_wrong_type"),
    ({"properties": {"products": [{"position": 1.5}]}}, "field_of_wrong_type"),
    ({"properties": {"products": [{"quantity": "2"}]}}, "field_of_wrong_type"),
    ({"properties": {"products": {"a": 1}}}, "products_not_list"),
    ({"properties": {"products": ["a"]}}, "products_not_list"),
    ({"properties": {"": 1}}, "attribute_name_empty"),
    ({"properties": {"a": {"": 1}}}, "attribute_name_empty"),
    ({"properties": {"x" * 257: 1}}, "attribute_name_too_long"),
    ({"properties": {"x" * 200: {"y" * 56: 1}}}, "attribute_name_too_long"),
    ({"properties": {"a.b": 1, "a": {"b": 2}}}, "attribute_twice"),
    ({"properties": {"note": "x" * 4097}}, "attribute_too_long"),
    ({"properties": {"tags": ["x" * 100] * 50}}, "attribute_too_long"),
    ({"properties": {"products": [{"note": "x" * 4097}]}}, "attribute_too_long"),
    ({"properties": {str(number): 1 for number in range(101)}}, "too_many_attributes"),
    ({"properties": {"products": [{"name": "x" * 1000}] * 200}}, "batch_too_large"),
    ({"properties": {"when": object()}}, "not_json"),
    ({"user_id": "a\ud800"}, "not_unicode"),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSED)
def test_what_mparticle_would_refuse_or_cut_is_rejected_with_its_reason(changes: dict[str, Any], reason: str) -> None:
    """Each is a stable code and a sentence, and the judge without an account says the same."""
    outcome = encoder().event(event(**changes))

    assert isinstance(outcome, Rejected)
    assert outcome.reason == f"mparticle_{reason}"
    assert len(outcome.detail) > 20
    assert DESTINATION.judge is not None
    assert DESTINATION.judge(None)(event(**changes)) == outcome


PROFILES: list[tuple[dict[str, Any], str]] = [
    ({"tags": ["x"] * 1001}, "list_too_large"),
    ({"tags": ["x" * 513]}, "list_too_large"),
    ({"note": "x" * 4097}, "attribute_too_long"),
    ({"phone": "1", "$mobile": "2"}, "attribute_twice"),
    ({str(number): 1 for number in range(101)}, "too_many_attributes"),
]


@pytest.mark.parametrize(("traits", "reason"), PROFILES)
def test_user_attributes_have_limits_too(traits: dict[str, Any], reason: str) -> None:
    """1,000 texts of 512 characters in a list, 4,096 in a text, 100 attributes, and one of each name."""
    outcome = encoder().event(profile(properties=traits))

    assert isinstance(outcome, Rejected)
    assert outcome.reason == f"mparticle_{reason}"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "x" * 256},
        {"properties": {}},
        {"properties": {"x" * 256: "y" * 4096, "Größe": "ß\u2028\x00\U0001f600"}},
        {"properties": {str(number): 1 for number in range(100)}},
        {"user_id": None, "anonymous_id": "a"},
        {"at": Instant("1970-01-01T00:00:00.000Z")},
        {"kind": "order.updated"},
        {"properties": {"total": -1.5, "products": [{"price": -3, "quantity": 1.5}]}},
    ],
)
def test_what_mparticle_takes_is_taken(changes: dict[str, Any]) -> None:
    """The last allowed value of each rule passes, and keeps the vendor's schema."""
    assert decoded(event(**changes))["source_request_id"] == event().id


def test_rejections_hold_no_personal_data() -> None:
    """Ids, names and values never show in the detail."""
    for changes, _ in REFUSED:
        spiked = {"context": {"traits": {"email": "canary@example.com"}}, "user_id": "canary-user"} | changes
        outcome = encoder(identities=[]).event(event(**spiked))
        assert isinstance(outcome, Rejected)
        assert "canary" not in outcome.detail


@pytest.mark.parametrize("letter", ["x", "ü", "\U0001f600", '"'])
def test_a_batch_is_limited_to_the_byte(letter: str) -> None:
    """128,000 bytes pass, one more does not, whatever the letters cost."""

    def sized(padding: int) -> bytes | Rejected:
        names = [letter * 100] * 250 + ["x" * 100] * (padding // 100) + ["x" * (padding % 100)]
        return encoder().event(event(properties={"products": [{"name": name} for name in names]}))

    low, high = 0, 200_000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if isinstance(sized(middle), bytes) else (low, middle)

    fits, exceeds = sized(low), sized(high)
    assert isinstance(fits, bytes)
    assert BATCH_BYTES_MAX - 15 < len(fits) <= BATCH_BYTES_MAX
    assert isinstance(exceeds, Rejected)
    assert exceeds.reason == "mparticle_batch_too_large"


def test_trimming_leaves_out_what_does_not_fit() -> None:
    """With `oversized: trim` a huge order is sent without attributes, and an attribute that is too long is left out."""
    lines = [
        {"product_id": "p", "name": "n", "price": 1, "quantity": 1, "image_url": "https://example.com/" + "x" * 600}
    ] * 250
    huge = data(event(properties={"order_id": "1", "note": "x", "products": lines}), oversized="trim")
    long = data(event(properties={"note": "x" * 4097, "kept": 1}), oversized="trim")
    many = data(event(properties={str(number): 1 for number in range(150)}), oversized="trim")
    still = encoder(oversized="trim").event(event(properties={"products": [{"name": "x" * 1000}] * 200}))

    assert huge["product_action"]["products"] == [{"id": "p", "name": "n", "price": 1, "quantity": 1}] * 250
    assert "custom_attributes" not in huge
    assert long["custom_attributes"] == {"kept": 1}
    assert len(many["custom_attributes"]) == 100
    assert isinstance(still, Rejected)


def test_ids_of_requests_tell_content_and_environment_apart() -> None:
    """The id of an event that repeats has its content in it; a trial in development does not spend the id of production."""
    production, development = (decoded(event(), environment=name) for name in ("production", "development"))

    assert production["source_request_id"] == event().id
    assert development["source_request_id"] == f"development:{event().id}"
    assert development["environment"] == "development"
    assert decoded(event(2))["events"][0]["data"]["source_message_id"] != data(event())["source_message_id"]
    assert data(event(), environment="development")["source_message_id"] == data(event())["source_message_id"]


def test_the_time_is_read_back_from_the_bytes() -> None:
    """To the millisecond, from any event of any environment; a profile has none."""
    for environment in ("production", "development"):
        one = encoder(environment=environment)
        for at, expected in ((Instant("1970-01-01T00:00:00.001Z"), 1), (Instant("2026-01-31T23:59:59.999Z"), 1769903999999)):
            encoded = one.event(event(at=at))
            assert isinstance(encoded, bytes)
            assert one.occurred_ms(encoded) == expected
        shown = one.event(profile(at=ago(days=9)))
        assert isinstance(shown, bytes)
        assert one.occurred_ms(shown) is None
