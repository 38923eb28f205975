"""Export to Segment, mParticle and JSON Schema: what the documents say, and what they cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from plan_documents import document, said
from plan_tools import a_full_customer, a_full_order, completed, occurrence, write_plan

from cdi_cli.plan import Plan, compile_plan, load_plan
from cdi_cli.plan.export_json_schema import to_json_schema
from cdi_cli.plan.export_losses import Losses, grouped
from cdi_cli.plan.export_mparticle import plan_id, to_mparticle
from cdi_cli.plan.export_mparticle_names import UNSUPPORTED
from cdi_cli.plan.export_segment import to_segment

ORDER_EVENT = "event: Order Completed\ntrigger: order.completed\nproperties:\n"


@pytest.fixture(scope="module")
def default_plan() -> Plan:
    """The plan that ships with cdi."""
    return load_plan()


def one_event(folder: Path, properties: str, *, head: str = "", event: str = ORDER_EVENT) -> Plan:
    """A plan of one event."""
    return load_plan(
        write_plan(folder, {"plan.yaml": f'name: My Shop\nversion: "2.1.3"\n{head}', "events/a.yaml": event + properties})
    )


def rule_of(exported: dict[str, Any], key: str) -> dict[str, Any]:
    """The rule of an event."""
    return next(rule for rule in exported["rules"] if rule.get("key") == key)


def point_of(exported: dict[str, Any], **criteria: str) -> dict[str, Any]:
    """The definition of the data point with these criteria."""
    points = exported["version_document"]["data_points"]
    return next(point["validator"]["definition"] for point in points if point["match"]["criteria"] == criteria)


def message(plan: Plan) -> dict[str, Any]:
    """A whole Order Completed message, mapped as the plan says."""
    rule = compile_plan(plan).rules("order.completed")[0]
    properties = rule.map(completed(a_full_order()), b"{}")
    return {"type": "track", "event": "Order Completed", "userId": "customer-1", "messageId": "m", "properties": properties}


def test_a_segment_rule_has_the_documented_shape(default_plan: Plan) -> None:
    """Type, key, version, and a draft-07 schema of the whole message with the properties two levels down."""
    exported = to_segment(default_plan, Losses())

    assert exported["name"] == "commerce"
    assert [rule["type"] for rule in exported["rules"]].count("IDENTIFY") == 1
    rule = rule_of(exported, "Order Completed")
    schema = rule["jsonSchema"]
    assert (rule["type"], rule["version"]) == ("TRACK", 1)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["required"] == ["properties"]
    assert {"order_id", "revenue"} <= set(schema["properties"]["properties"]["required"])
    assert schema["properties"]["properties"]["properties"]["currency"]["pattern"] == "^[A-Z]{3}$"
    assert schema["properties"]["properties"]["additionalProperties"] is False


def test_a_segment_rule_judges_messages_as_the_plan_does(default_plan: Plan) -> None:
    """`jsonschema` on a finished message: valid as mapped, invalid without a required or with an unplanned property."""
    judge = jsonschema.Draft7Validator(rule_of(to_segment(default_plan, Losses()), "Order Completed")["jsonSchema"])
    good = message(default_plan)

    assert list(judge.iter_errors(good)) == []
    without = {name: value for name, value in good["properties"].items() if name != "order_id"}
    assert [error.validator for error in judge.iter_errors(good | {"properties": without})] == ["required"]
    more = good["properties"] | {"colour": "red"}
    assert [error.validator for error in judge.iter_errors(good | {"properties": more})] == ["additionalProperties"]


def test_every_segment_rule_is_valid_draft_07(default_plan: Plan) -> None:
    """The meta-schema accepts all of them."""
    for rule in to_segment(default_plan, Losses())["rules"]:
        jsonschema.Draft7Validator.check_schema(rule["jsonSchema"])


def test_segment_loses_no_rule_and_the_rest_is_told(default_plan: Plan) -> None:
    """Where values come from, PII classes, owner, policies: told, and none of it is a rule."""
    losses = Losses()

    to_segment(default_plan, losses)

    assert losses.rules() == ()
    told = said(losses, rules_only=False)
    assert "Order Completed products[].sku" in told["where values come from (`from`, `value`, `jsonata`, `join`)"]
    assert "identify email" in told["PII classes"]
    assert "what happens on a violation (`BLOCK` or `OMIT_PROPERTIES`)" in told
    assert "the plan's owner" in told


def test_the_major_version_is_the_version_of_a_rule(tmp_path: Path) -> None:
    """2.1.3 becomes 2, which is what events carry; what is behind it is told."""
    losses = Losses()

    exported = to_segment(one_event(tmp_path, "  id: {type: string, from: order.id}\n"), losses)

    assert exported["rules"][0]["version"] == 2
    assert "of the version `2.1.3` only 2 is exported" in said(losses, rules_only=False)


def test_an_exported_plan_is_what_arrives(tmp_path: Path) -> None:
    """Routing of the destination's type is applied: other names, fewer properties, or no event at all."""
    routed = "destinations:\n  segment:\n    rename: Purchase\n    properties: {exclude: [note], rename: {id: order_id}}\n"
    plan = one_event(tmp_path, "  id: {type: string, from: order.id}\n  note: {type: string, from: record.note}\n" + routed)
    losses = Losses()

    (rule,) = to_segment(plan, losses)["rules"]
    away = one_event(tmp_path / "b", "  id: {type: string, from: order.id}\ndestinations: {segment: false}\n")

    assert rule["key"] == "Purchase"
    assert list(rule["jsonSchema"]["properties"]["properties"]["properties"]) == ["order_id"]
    assert to_segment(away, losses)["rules"] == []
    assert said(losses, rules_only=False)["events that are not sent to `segment`"] == ["Order Completed"]
    assert to_mparticle(away, Losses())["version_document"]["data_points"]


def test_the_json_schema_judges_any_message(default_plan: Plan) -> None:
    """One document: the event's own definition decides, an event that is not planned passes."""
    schema = to_json_schema(default_plan)
    jsonschema.Draft7Validator.check_schema(schema)
    judge = jsonschema.Draft7Validator(schema)
    good = message(default_plan)

    assert set(schema["$defs"]) == {event.name for event in default_plan.events}
    assert judge.is_valid(good)
    assert not judge.is_valid(good | {"properties": {}})
    assert judge.is_valid({"type": "track", "event": "Thing Done", "properties": {}})
    assert not judge.is_valid({"type": "identify", "traits": {"email": 1}})
    profile = (
        compile_plan(default_plan)
        .rules("customer.profile")[0]
        .map(occurrence("customer.profile", customer=a_full_customer()), b"{}")
    )
    assert judge.is_valid({"type": "identify", "traits": profile})


@pytest.mark.parametrize("name", ['A/B ~ 100% "done"', "42_--terrible==\\\"event'++name~!3", "Größe geändert"])
def test_the_json_schema_finds_events_with_any_name(tmp_path: Path, name: str) -> None:
    """Slashes, tildes, per cent signs and quotes in a name do not lose its definition."""
    import json

    event = f"event: {json.dumps(name)}\ntrigger: none\nproperties:\n"
    plan = one_event(tmp_path, "  id: {type: string, required: true}\n", event=event)
    judge = jsonschema.Draft7Validator(to_json_schema(plan))

    assert judge.is_valid({"type": "track", "event": name, "properties": {"id": "1"}})
    assert not judge.is_valid({"type": "track", "event": name, "properties": {}})


def test_the_json_schema_refuses_unplanned_events_if_the_plan_does(tmp_path: Path) -> None:
    """`unplanned_events: block` is part of the document."""
    plan = one_event(tmp_path, "  id: {type: string, from: order.id}\n", head="unplanned_events: block\n")
    judge = jsonschema.Draft7Validator(to_json_schema(plan))

    assert judge.is_valid({"type": "track", "event": "Order Completed", "properties": {}})
    assert not judge.is_valid({"type": "track", "event": "Thing Done", "properties": {}})


def test_commerce_events_become_product_actions(default_plan: Plan) -> None:
    """Order Completed is a purchase: fields of `product_action`, currency beside it, the rest as flat attributes."""
    definition = point_of(to_mparticle(default_plan, Losses()), action="purchase")

    data = definition["properties"]["data"]
    action = data["properties"]["product_action"]
    assert set(data["required"]) == {"product_action", "custom_attributes", "currency_code"}
    assert {"transaction_id", "total_amount", "tax_amount", "shipping_amount"} <= set(action["properties"])
    assert set(action["required"]) == {"transaction_id", "total_amount"}
    item = action["properties"]["products"]["items"]
    assert set(item["required"]) == {"id", "price", "quantity"}
    assert set(item["properties"]["custom_attributes"]["properties"]) == {"sku", "url", "image_url", "discount", "kind"}
    assert "revenue" in data["properties"]["custom_attributes"]["properties"]
    assert data["properties"]["custom_attributes"]["additionalProperties"] is False


def test_a_purchase_of_the_events_api_satisfies_its_data_point(default_plan: Plan) -> None:
    """A batch as the Events API takes it, checked against the exported definition; a wrong amount is found."""
    judge = jsonschema.Draft7Validator(point_of(to_mparticle(default_plan, Losses()), action="purchase"))
    product = {"id": "shirt", "price": 19.99, "quantity": 2, "custom_attributes": {"sku": "S-1"}}
    action = {"action": "purchase", "transaction_id": "1001", "total_amount": 45.48, "products": [product]}
    data = {"product_action": action, "currency_code": "EUR", "custom_attributes": {"revenue": 39.98}}

    assert list(judge.iter_errors({"event_type": "commerce_event", "data": data})) == []
    wrong = data | {"product_action": action | {"total_amount": -1}}
    assert [error.validator for error in judge.iter_errors({"data": wrong})] == ["minimum"]
    unplanned = data | {"custom_attributes": {"revenue": 39.98, "colour": "red"}}
    assert [error.validator for error in judge.iter_errors({"data": unplanned})] == ["additionalProperties"]


def test_traits_become_attributes_and_identities(default_plan: Plan) -> None:
    """The e-mail is an identity, names and address are reserved attributes, the rest keeps its name."""
    points = {
        each["match"]["type"]: each for each in to_mparticle(default_plan, Losses())["version_document"]["data_points"]
    }

    attributes = points["user_attributes"]["validator"]["definition"]
    identities = points["user_identities"]["validator"]["definition"]
    assert {"$firstname", "$lastname", "$mobile", "$city", "$zip", "customer_group"} <= set(attributes["properties"])
    assert attributes["required"] == ["createdAt"]
    assert set(identities["properties"]) == {"customer_id", "email"}


def test_mparticle_gets_supported_keywords_only(tmp_path: Path) -> None:
    """`anyOf`, `not`, `patternProperties` and their like are left out, each loss told with its place."""
    properties = (
        "  a: {type: string, from: order.id, minLength: 2, anyOf: [{maxLength: 3}, {pattern: x}]}\n"
        "  b: {type: number, from: order.total, not: {const: 3}}\n"
        "  tags: {type: array, from: record.tags, items: {type: string}}\n"
    )
    losses = Losses()

    exported = to_mparticle(one_event(tmp_path, properties), losses)

    attributes = point_of(exported, action="purchase")["properties"]["data"]["properties"]["custom_attributes"]
    assert attributes["properties"] == {"a": {"type": "string", "minLength": 2}, "b": {"type": "number"}}
    assert said(losses) == {
        "keyword `anyOf`": ["Order Completed a"],
        "keyword `not`": ["Order Completed b"],
        "objects, lists and other types": ["Order Completed tags"],
    }


def test_no_unsupported_keyword_is_in_the_default_export(default_plan: Plan) -> None:
    """Searched through the whole document."""

    def keys(value: Any) -> set[str]:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return {*(value if isinstance(value, dict) else ()), *(key for each in inner for key in keys(each))}

    assert keys(to_mparticle(default_plan, Losses())) & UNSUPPORTED == set()


def test_two_traits_of_one_attribute_do_not_hide_each_other(tmp_path: Path) -> None:
    """`$city` and `address.city` are the same attribute there: the second is a loss."""
    event = "event: identify\ntype: identify\ntrigger: customer.profile\ntraits:\n"
    traits = (
        "  $city: {type: string, from: record.city}\n"
        "  address: {type: object, from: customer.address, properties: {city: {type: string, from: item.city}}}\n"
    )
    losses = Losses()

    exported = to_mparticle(one_event(tmp_path, traits, event=event), losses)

    (point,) = exported["version_document"]["data_points"]
    assert list(point["validator"]["definition"]["properties"]) == ["$city"]
    assert [loss.path for loss in losses.rules()] == ["$city"]


def test_more_than_a_hundred_attributes_are_told(tmp_path: Path) -> None:
    """mParticle takes 100 attributes of an event."""
    losses = Losses()
    event = "event: Thing Done\ntrigger: none\nproperties:\n"

    to_mparticle(
        one_event(tmp_path, "".join(f"  p{number}: {{type: string}}\n" for number in range(101)), event=event), losses
    )

    assert said(losses) == {"more than 100 attributes": ["Thing Done"]}


def test_a_data_plan_id_is_made_of_the_name() -> None:
    """Lower-case letters, digits, underscores."""
    assert [plan_id(name) for name in ("My Shop 2!", "commerce", "注文")] == ["my_shop_2", "commerce", "plan"]


def test_losses_are_told_in_groups() -> None:
    """One line per kind with the first places; the same loss counts once; rules come first."""
    losses = Losses()
    losses.note("colour", hint="pick one")
    for number in (1, 2, 3, 4, 5, 5):
        losses.rule("shape", "Order", f"p{number}", hint="square it")

    shape, colour = grouped(losses.all())

    assert (shape.aspect, shape.count, shape.is_rule, shape.hint) == ("shape", 5, True, "square it")
    assert shape.where == "`Order p1`, `Order p2`, `Order p3`, `Order p4` and 1 more"
    assert (colour.count, colour.where, colour.is_rule) == (1, "", False)


def test_documents_for_tests_are_what_they_claim() -> None:
    """The recorded plan of Typewriter has the event that breaks naive tools."""
    assert "42_--terrible==\\\"event'++name~!3" in {rule["key"] for rule in document("segment/typewriter")["rules"]}
