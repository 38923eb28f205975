"""Import from Segment and mParticle: what becomes of their documents, and what is told as lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from plan_documents import document, said, schemas, there_and_back
from plan_tools import write_plan

from cdi_cli.errors import ConfigError
from cdi_cli.plan import Plan, PlannedEvent, load_plan
from cdi_cli.plan.export_losses import Losses
from cdi_cli.plan.file_schema import file_schema
from cdi_cli.plan.import_document import ImportedPlan, read_document
from cdi_cli.plan.import_files import write_plan as write_imported
from cdi_cli.plan.import_mapping import take_mapping
from cdi_cli.plan.import_mparticle import from_mparticle
from cdi_cli.plan.import_segment import from_segment

TERRIBLE = "42_--terrible==\\\"event'++name~!3"


def written(imported: ImportedPlan, folder: Path, losses: Losses) -> Plan:
    """An imported plan as it is loaded from its files."""
    return write_imported(imported, folder, losses, origin="Imported")


def event_of(plan: Plan, name: str) -> Any:
    """The event of that name."""
    return next(event for event in plan.events if event.name == name)


def paths(plan: Plan, name: str) -> dict[str, tuple[tuple[str, ...], bool]]:
    """The properties of an event: types, and whether they are required."""
    return {path: (each.types, each.is_required) for path, each in event_of(plan, name).walk()}


def rule(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A document with one TRACK rule whose properties have this schema."""
    whole = {"type": "object", "properties": {"properties": {"type": "object", **schema}}}
    return {"rules": [{"type": "TRACK", "key": "Thing Done", "version": 1, "jsonSchema": whole, **more}]}


def test_the_plan_of_typewriter_comes_in_whole(tmp_path: Path) -> None:
    """All 25 events with their names, also those that differ in case only; no rule gets lost."""
    losses = Losses()

    plan = written(from_segment(document("segment/typewriter"), losses), tmp_path / "plan", losses)

    assert {event.name for event in plan.events} == {each["key"] for each in document("segment/typewriter")["rules"]}
    assert TERRIBLE in {event.name for event in plan.events}
    assert losses.all() == ()
    editor = jsonschema.Draft7Validator(file_schema("event"))
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (tmp_path / "plan" / "events").iterdir()]
    assert [error.message for file in files for error in editor.iter_errors(file)] == []
    assert paths(plan, "Custom Violation Handler") == {"regex property": (("string",), True)}
    assert event_of(plan, "Custom Violation Handler").properties[0].keywords == {"pattern": "Lawyer Morty|Evil Morty"}
    assert paths(plan, "Every Nullable Required Type")["required boolean"] == (("boolean", "null"), True)
    assert paths(plan, "Property Sanitized") == {"0000---terrible-property-name~!3": (("string",), True)}


def test_the_plan_of_typewriter_goes_back_to_segment(tmp_path: Path) -> None:
    """Imported, exported and imported again it is the same plan."""
    plan = written(from_segment(document("segment/typewriter"), Losses()), tmp_path / "plan", Losses())

    again, out, back = there_and_back(plan, "segment", tmp_path / "again")

    assert schemas(again) == schemas(plan)
    assert out.rules() == back.rules() == ()


def test_what_a_plan_cannot_say_of_segment_is_told(tmp_path: Path) -> None:
    """A screen named as a page is, rules for all, versions, envelope rules, look-around, references: each with its place."""
    losses = Losses()

    plan = written(from_segment(document("segment/rules"), losses), tmp_path / "plan", losses)

    assert said(losses) == {
        "version 1 beside version 2": ["Order Completed"],
        "a second event of one name": ["Home"],
        "rules of type COMMON": ["COMMON"],
        "rules for `context`": ["Order Completed"],
        "`userId` is required": ["Order Completed"],
        "keyword `propertyNames` on the event as a whole": ["Order Completed"],
        "keyword `pattern`": ["Order Completed coupon"],
        "keyword `$ref`": ["Order Completed gift"],
    }
    assert {"`labels`", "`deprecatedAt`"} <= said(losses, rules_only=False).keys()
    assert (plan.version, plan.allows_unplanned) == ("2.0.0", True)
    assert paths(plan, "Order Completed")["channel"][1] is True
    assert paths(plan, "Order Completed")["products[].price"] == (("number",), True)
    assert event_of(plan, "Order Completed").properties[-2].items.keywords == {"additionalProperties": False}
    assert paths(plan, "identify")["age"] == (("integer",), False)
    assert {(event.type, event.name) for event in plan.events if event.type != "track"} == {
        ("identify", "identify"),
        ("group", "group"),
        ("page", "Home"),
    }


def test_what_a_plan_cannot_say_of_mparticle_is_told(tmp_path: Path) -> None:
    """Screens, sessions, other identities, a second point of an event: each told; the newest version is taken."""
    losses = Losses()

    plan = written(from_mparticle(document("mparticle/plan"), losses), tmp_path / "plan", losses)

    assert said(losses) == {
        "version 1 of the plan": [""],
        "rules for `product_action_list`": ["Order Completed"],
        "the attribute `order_id`": ["Order Completed"],
        "a second data point of the same event": ["Search Used"],
        "data points of type `screen_view`": ["Home"],
        "data points of type `session_start`": [""],
        "identities that are no trait": ["identify facebook"],
    }
    assert (plan.name, plan.version, plan.description) == ("Shop plan", "3.0.0", "What the shop sends")
    assert plan.allows_unplanned is False
    assert paths(plan, "Order Completed") == {
        "order_id": (("string",), True),
        "total": (("number",), True),
        "products": (("array",), False),
        "products[]": (("object",), False),
        "products[].product_id": (("string",), True),
        "products[].price": (("number",), True),
        "products[].quantity": (("integer",), True),
        "products[].size": (("string",), True),
        "currency": (("string",), True),
        "order_status": (("string",), True),
    }
    assert paths(plan, "identify") == {
        "firstName": (("string",), True),
        "address": (("object",), False),
        "address.city": (("string",), False),
        "address.postalCode": (("string",), False),
        "favourite": (("string",), False),
        "email": (("string",), False),
    }


def _goes_to(event: PlannedEvent, kind: str) -> bool:
    """Whether a destination of that type gets the event."""
    route = event.route("", kind)
    return route is None or route.is_sent


def test_the_default_plan_survives_segment_with_its_mapping(tmp_path: Path) -> None:
    """Out, in, mapping taken from the plan itself: triggers, sources, PII classes and policies are all there again."""
    plan = load_plan()
    plan = replace(plan, events=tuple(event for event in plan.events if _goes_to(event, "segment")))

    found, _, _ = there_and_back(plan, "segment", tmp_path / "plan", donor=plan)

    assert schemas(found) == schemas(plan)
    for event in plan.events:
        twin = event_of(found, event.name)
        assert (twin.trigger, twin.on_violation) == (event.trigger, event.on_violation)
        known = {path: (each.sources, each.join, each.pii) for path, each in event.walk()}
        assert {path: (each.sources, each.join, each.pii) for path, each in twin.walk()} == known


def test_a_mapping_is_taken_where_it_fits(tmp_path: Path) -> None:
    """Names and types that agree bring triggers and sources along; the rest of the event is checked all the same."""
    schema = {
        "required": ["order_id"],
        "properties": {"order_id": {"type": "string"}, "mood": {"type": "string"}, "total": {"type": "string"}},
    }
    imported = from_segment(rule(schema), Losses())
    imported.events[0].name = "Order Completed"

    take_mapping(imported, load_plan())
    plan = written(imported, tmp_path / "plan", Losses())

    event = plan.events[0]
    assert event.trigger == "order.completed"
    sources = {each.name: [source.text for source in each.sources] for each in event.properties}
    assert sources == {"order_id": ["order.number", "order.id"], "total": [], "mood": []}


def test_an_event_that_lacks_a_source_is_checked_only(tmp_path: Path) -> None:
    """A required property that nobody knows keeps the event from being made, and the file says which one."""
    schema = {"required": ["order_id", "mood"], "properties": {"order_id": {"type": "string"}, "mood": {"type": "string"}}}
    imported = from_segment(rule(schema), Losses())
    imported.events[0].name = "Order Completed"

    take_mapping(imported, load_plan())
    plan = written(imported, tmp_path / "plan", Losses())

    assert imported.events[0].todo == ("mood",)
    assert not plan.events[0].is_produced
    assert paths(plan, "Order Completed") == {"order_id": (("string",), True), "mood": (("string",), True)}
    assert plan.events[0].properties[0].pii == "identifier"
    text = (tmp_path / "plan" / "events" / "order_completed.yaml").read_text(encoding="utf-8")
    assert text.startswith("# Checked, but not made by cdi: say with `from:` where this comes from")


def test_a_mapping_that_the_loader_refuses_is_taken_back(tmp_path: Path) -> None:
    """A list of objects without its items cannot be sent whole: the event is written without its mapping."""
    imported = from_segment(rule({"properties": {"products": {"type": "array"}}}), Losses())
    imported.events[0].name = "Order Completed"

    take_mapping(imported, load_plan())
    assert imported.events[0].extra == {"trigger": "order.completed"}
    plan = written(imported, tmp_path / "plan", Losses())

    assert (plan.events[0].is_produced, plan.events[0].properties[0].sources) == (False, ())
    assert imported.events[0].todo == ("products",)


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        ({}, ("string", "number", "boolean", "object", "array", "null")),
        (True, ("string", "number", "boolean", "object", "array", "null")),
        ({"type": ["string", "null"]}, ("string", "null")),
        ({"enum": ["a", None]}, ("string", "null")),
        ({"const": 3}, ("number",)),
        ({"type": "any"}, ("string", "number", "boolean", "object", "array", "null")),
    ],
)
def test_a_property_always_has_a_type(tmp_path: Path, schema: Any, types: tuple[str, ...]) -> None:
    """What a schema leaves open becomes the list of types that it allows."""
    plan = written(from_segment(rule({"properties": {"a": schema}}), Losses()), tmp_path / "plan", Losses())

    assert plan.events[0].properties[0].types == types


@pytest.mark.parametrize(
    ("schema", "aspect"),
    [
        ({"type": "string", "pattern": "(?=x)"}, "keyword `pattern`"),
        ({"type": "string", "format": "no-such-format"}, "keyword `format`"),
        ({"type": "number", "minimum": "3"}, "keyword `minimum`"),
        ({"type": "number", "maximum": 10**20}, "keyword `maximum`"),
        ({"anyOf": [{"$ref": "http://evil.example/x.json"}]}, "keyword `anyOf`"),
        ({"$ref": "file:///etc/passwd"}, "keyword `$ref`"),
        ({"type": "array", "items": [{"type": "string"}]}, "keyword `items` with one schema per place"),
        ({"type": "object", "additionalProperties": {"$ref": "#"}}, "keyword `additionalProperties`"),
        ({"type": "text"}, "types that JSON Schema does not know"),
        (False, "properties that allow no value"),
    ],
)
def test_what_cannot_be_said_is_left_out_and_told(tmp_path: Path, schema: Any, aspect: str) -> None:
    """The keyword goes, the rest of the property stays, and the plan can be loaded; nothing is fetched."""
    losses = Losses()

    plan = written(
        from_segment(rule({"properties": {"a": schema, "b": {"type": "string"}}}), losses), tmp_path / "plan", losses
    )

    assert said(losses) == {aspect: ["Thing Done a"]}
    assert "b" in paths(plan, "Thing Done")


def test_a_recursive_mess_is_cut(tmp_path: Path) -> None:
    """Nesting beyond what a plan may have is cut at its limit and told."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        schema = {"type": "object", "properties": {"a": schema}}
    losses = Losses()

    plan = written(from_segment(rule(schema), losses), tmp_path / "plan", losses)

    assert said(losses).keys() == {"what is nested deeper than 8 levels"}
    assert max(path.count("a") for path in paths(plan, "Thing Done")) == 8


@pytest.mark.parametrize("name", ["", "x" * 256, "two\nlines", "\u0000"])
def test_a_name_that_no_plan_can_have_is_told(tmp_path: Path, name: str) -> None:
    """Neither an event nor a property with such a name is written."""
    losses = Losses()
    content = rule({"properties": {name: {"type": "string"}, "b": {"type": "string"}}})
    content["rules"].append({"type": "TRACK", "key": name, "jsonSchema": {}})

    plan = written(from_segment(content, losses), tmp_path / "plan", losses)

    assert said(losses).keys() == {
        "properties with a name that no plan can have",
        "events without a name that a plan can have",
    }
    assert list(paths(plan, "Thing Done")) == ["b"]


def test_a_property_called_properties_is_no_envelope(tmp_path: Path) -> None:
    """A flat schema of Typewriter may hold a property of that name beside others."""
    schema = {"type": "object", "properties": {"properties": {"type": "object"}, "colour": {"type": "string"}}}
    content = [{"type": "TRACK", "key": "Thing Done", "version": 1, "jsonSchema": schema}]

    plan = written(from_segment(content, Losses()), tmp_path / "plan", Losses())

    assert set(paths(plan, "Thing Done")) == {"properties", "colour"}


@pytest.mark.parametrize("convert", [from_segment, from_mparticle])
@pytest.mark.parametrize("content", [{}, [1], {"rules": 3}, {"rules": [3]}, {"data_points": ["x"]}, None, "text", 7])
def test_another_document_is_refused(convert: Any, content: Any) -> None:
    """A document of another kind says what was expected."""
    with pytest.raises(ConfigError, match="holds no list of"):
        convert(content, Losses())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'"' + b"[" * 10 + b'"', None),
        (b"[" * 100_000, "not JSON|too deep"),
        (b"[" * 150 + b"]" * 150, "nested deeper than 100 levels"),
        (b" " * 20_000_001, "larger than 20,000,000 bytes"),
    ],
)
def test_a_document_is_read_within_bounds(tmp_path: Path, content: bytes, message: str | None) -> None:
    """Broken, deep and huge files are refused with a sentence."""
    file = tmp_path / "plan.json"
    file.write_bytes(content)

    if message is None:
        assert read_document(file) == "[" * 10
        return
    with pytest.raises(ConfigError, match=message):
        read_document(file)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """The name of the file is in the error."""
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        read_document(tmp_path / "nothing.json")

    assert caught.value.where == str(tmp_path / "nothing.json")


def test_an_event_that_others_send_needs_no_mapping(tmp_path: Path) -> None:
    """`trigger: none`: required properties need no source, `from:` is a mistake, nothing is compiled for the event."""
    from cdi_cli.plan import PlanError, compile_plan

    event = "event: Product Viewed\ntrigger: none\nproperties:\n  sku: {type: string, required: true}\n"
    plan = load_plan(
        write_plan(tmp_path / "good", {"events/a.yaml": event, "events/b.yaml": "event: product viewed\ntrigger: none\n"})
    )
    with pytest.raises(PlanError) as caught:
        load_plan(write_plan(tmp_path / "bad", {"events/a.yaml": event.replace("true}", "true, from: order.id}")}))

    compiled = compile_plan(plan)
    assert (compiled.kinds, [rule.name for rule in compiled.others]) == ((), ["Product Viewed", "product viewed"])
    assert [violation.path for violation in compiled.others[0].check({})] == ["sku"]
    assert compiled.fingerprint == compile_plan(replace(plan, events=())).fingerprint
    assert [problem.message for problem in caught.value.problems] == ["an event that others send has no `from`"]


def test_everything_of_a_document_is_data(tmp_path: Path) -> None:
    """Texts that look like YAML come back as the same texts."""
    texts = [
        "e5",
        "E+12",
        "1e5",
        "012",
        "0x1F",
        "yes",
        "null",
        "~",
        "",
        " a ",
        "a: b",
        "- x",
        "#c",
        "!!python/x",
        "*a",
        "&a",
        "2024-01-01",
        "\u2028\u0085x",
        "'",
        '"',
        "|",
        ">",
        "é" * 200,
    ]
    schema = {"properties": {"a": {"type": "string", "enum": texts, "description": "\n".join(texts)}}}

    plan = written(from_segment(rule(schema), Losses()), tmp_path / "plan", Losses())

    assert plan.events[0].properties[0].keywords["enum"] == texts
    assert plan.events[0].properties[0].description == "\n".join(texts)
    assert json.loads(json.dumps(texts)) == texts
