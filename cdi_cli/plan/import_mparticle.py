"""Import of an mParticle data plan: a version document, or a whole plan with its versions (the newest is taken).

Product actions come back as events of Segment's ecommerce spec, reserved user attributes as traits (see
`export_mparticle_names`).
"""

from __future__ import annotations

from typing import Any

from cdi_cli.errors import ConfigError
from cdi_cli.plan import export_mparticle_names as names
from cdi_cli.plan.export_losses import Losses
from cdi_cli.plan.import_document import ImportedEvent, ImportedPlan, list_of, table_of, text_of
from cdi_cli.plan.import_schema import Spot, properties_of
from cdi_cli.plan.names import is_name

Table = dict[str, Any]

_ELSEWHERE = "a plan describes attributes, products and profiles only"
_NAMED_BY_MATCH = frozenset({"event_name", "custom_event_type", "screen_name"})


def from_mparticle(document: Any, losses: Losses) -> ImportedPlan:
    """The plan that a document describes; raises ConfigError where it holds no data points."""
    version = _newest(table_of(document), losses)
    holder = table_of(version.get("version_document")) or table_of(version.get("document")) or version
    points = holder.get("data_points")
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        hint = "take a version of the plan from mParticle's Data Planning API"
        raise ConfigError("the document holds no list of `data_points`", hint=hint)
    number = version.get("version")
    closed = {flag for point in points for flag in _flags(point)}
    reader = _Reader(losses, forbids_unplanned=closed == {False})
    for point in points:
        reader.read(point)
    name = text_of(table_of(document).get("data_plan_name")) or text_of(version.get("data_plan_id")) or "imported"
    major = min(max(number, 1), 99_999) if isinstance(number, int) and not isinstance(number, bool) else 1
    description = text_of(version.get("version_description"))
    return ImportedPlan(name, f"{major}.0.0", description, reader.forbids_unplanned, list(reader.events.values()))


def _newest(document: Table, losses: Losses) -> Table:
    """The version to take: the document itself, or the last one of a plan."""
    versions = [each for each in list_of(document.get("data_plan_versions")) if isinstance(each, dict)]
    if not versions:
        return document

    def number(version: Table) -> int:
        found = version.get("version")
        return found if isinstance(found, int) else 0

    newest = max(versions, key=number)
    for each in versions:
        if each is not newest:
            losses.rule(f"version {number(each)} of the plan", hint="import it into a folder of its own")
    return newest


def _definition(point: Table) -> Table:
    return table_of(table_of(point.get("validator")).get("definition"))


def _data(point: Table) -> Table:
    return table_of(table_of(_definition(point).get("properties")).get("data"))


def _kind(point: Table) -> str:
    return text_of(table_of(point.get("match")).get("type"))


def _flags(point: Table) -> list[bool]:
    """What the point says about attributes that are not planned: True allows them."""
    kind = _kind(point)
    if kind == "user_attributes":
        return [_definition(point).get("additionalProperties") is not False]
    if kind in ("custom_event", "product_action"):
        attributes = table_of(_data(point).get("properties")).get("custom_attributes")
        return [attributes.get("additionalProperties") is not False] if isinstance(attributes, dict) else []
    return []


class _Reader:
    """Turns data points into events, one after the other."""

    def __init__(self, losses: Losses, *, forbids_unplanned: bool) -> None:
        self._losses = losses
        self.forbids_unplanned = forbids_unplanned
        self.events: dict[str, ImportedEvent] = {}

    def read(self, point: Table) -> None:
        """Take one data point, or note why not."""
        kind, criteria = _kind(point), table_of(table_of(point.get("match")).get("criteria"))
        if point.get("active_transformation_ids"):
            self._losses.note("active transformations of data points", kind)
        if kind in ("user_attributes", "user_identities"):
            self._profile(point, is_identity=kind == "user_identities")
            return
        name = self._event_name(kind, criteria)
        if name is None:
            shown = next((text_of(value)[:80] for value in criteria.values() if value), "")
            hint = "a plan has custom events, product actions and profiles"
            self._losses.rule(f"data points of type `{kind[:40]}`", shown, hint=hint)
        elif not is_name(name):
            self._losses.rule("events without a name that a plan can have", name[:80], hint="1 to 255 printable characters")
        elif name in self.events:
            self._losses.rule("a second data point of the same event", name, hint="a plan has one event of a name")
        else:
            spot = Spot(self._losses, name, self.forbids_unplanned)
            properties = self._commerce(point, spot, criteria) if kind == "product_action" else self._custom(point, spot)
            self.events[name] = ImportedEvent(name, "track", text_of(point.get("description")), properties)
            event_type = criteria.get("custom_event_type", "other")
            if event_type not in ("other", "transaction"):
                spot.note(f"`custom_event_type: {str(event_type)[:40]}`", hint="cdi exports `transaction` or `other`")

    def _event_name(self, kind: str, criteria: Table) -> str | None:
        if kind == "custom_event":
            return text_of(criteria.get("event_name"))
        if kind == "product_action":
            return names.EVENT_OF_ACTION.get(text_of(criteria.get("action")))
        return None

    def _custom(self, point: Table, spot: Spot) -> Table:
        data = table_of(_data(point).get("properties"))
        for name, schema in data.items():
            if name not in _NAMED_BY_MATCH and name != "custom_attributes" and schema not in ({}, True):
                spot.rule(f"rules for `{name}`", hint=_ELSEWHERE)
        self._note_open(data.get("custom_attributes"), spot)
        return properties_of(table_of(data.get("custom_attributes")), spot)

    def _commerce(self, point: Table, spot: Spot, criteria: Table) -> Table:
        """A commerce event: fields and products of `product_action`, the currency, attributes."""
        data = table_of(_data(point).get("properties"))
        action = table_of(data.get("product_action"))
        own = {field: name for name, field in names.fields_of(text_of(criteria.get("action"))).items()}
        own |= {"products": "products", "action": "action"}
        found = _renamed(action, own, spot)
        found.pop("action", None)
        outer = {key: value for key, value in data.items() if key not in ("product_action", "custom_attributes")}
        required = [name for name in list_of(_data(point).get("required")) if name in outer]
        currency = {names.CURRENCY[1]: names.CURRENCY[0]}
        found |= _renamed({"properties": outer, "required": required}, currency, spot)
        self._note_open(data.get("custom_attributes"), spot)
        for name, schema in properties_of(table_of(data.get("custom_attributes")), spot).items():
            if name in found:
                spot.rule(f"the attribute `{name}`", hint="a field of the event has this name in the plan")
            else:
                found[name] = schema
        return found

    def _note_open(self, attributes: Any, spot: Spot) -> None:
        is_open = table_of(attributes).get("additionalProperties", True)
        if is_open is False and not self.forbids_unplanned:
            spot.rule("unplanned attributes are forbidden in some events", hint="say it for the whole plan")

    def _profile(self, point: Table, *, is_identity: bool) -> None:
        """Traits of user attributes or identities; both make one event `identify`."""
        spot = Spot(self._losses, "identify", self.forbids_unplanned)
        definition = _definition(point)
        if not is_identity:
            self._note_open(definition, spot)
        event = self.events.setdefault("identify", ImportedEvent("identify", "identify", "", {}))
        event.description = event.description or ("" if is_identity else text_of(point.get("description")))
        traits = properties_of(definition, spot)
        if is_identity:
            traits = self._identities(traits, spot)
        for name, schema in traits.items():
            outer, _, inner = names.TRAIT_OF_ATTRIBUTE.get(name.lower(), name).partition(".")
            if inner and outer in names.ADDRESS_NAMES:
                address = event.properties.setdefault(outer, {"type": "object", "properties": {}})
                if schema.get("required") and "properties" in address:
                    address["required"] = True
                event.properties[outer] = _ordered(address)
                holder = table_of(address.get("properties"))
                is_free = address.get("type") == "object"
            else:
                outer = names.TRAIT_OF_ATTRIBUTE.get(name.lower(), name)
                holder, inner, is_free = event.properties, outer, True
            if inner in holder or not is_free:
                spot.rule(f"the attribute `{name}`", hint="another trait has this name in the plan")
            else:
                holder[inner] = schema

    def _identities(self, traits: Table, spot: Spot) -> Table:
        own = {identity: trait for trait, identity in names.IDENTITIES.items()}
        found = {}
        for name, schema in traits.items():
            if name in own:
                found[own[name]] = schema
            elif name in names.CUSTOMER_ID_SPELLINGS:
                spot.note("the identity of the customer", hint="every event has it as `userId`")
            else:
                spot.inside(name).rule("identities that are no trait", hint="a plan has `email` among the traits")
        return found


def _ordered(address: Table) -> Table:
    """The address with `required` before what it holds, as files are written."""
    order = ("type", "required", "properties")
    return dict(sorted(address.items(), key=lambda item: order.index(item[0])))


def _renamed(schema: Table, own: dict[str, str], spot: Spot) -> Table:
    """The properties of an object of mParticle under our names; fields that we have no name for are losses."""
    table, required = table_of(schema.get("properties")), list_of(schema.get("required"))
    known = {}
    for field, each in table.items():
        if field in own:
            known[own[field]] = _product_list(each, spot) if field == "products" else each
        elif each not in ({}, True):
            spot.rule(f"rules for `{field[:80]}`", hint=_ELSEWHERE)
    needed = [own[field] for field in required if isinstance(field, str) and field in own]
    return properties_of({"properties": known, "required": needed}, spot)


def _product_list(schema: Any, spot: Spot) -> Any:
    """The schema of a list of products, its elements under our names with their attributes among them."""
    items = table_of(schema).get("items")
    if not isinstance(items, dict) or not isinstance(schema, dict):
        return schema
    own = {field: name for name, field in names.PRODUCT_FIELDS.items()}
    table, required = table_of(items.get("properties")), list_of(items.get("required"))
    inner = {own[field]: each for field, each in table.items() if field in own}
    needed = [own[field] for field in required if isinstance(field, str) and field in own]
    attributes = table_of(table.get("custom_attributes"))
    for name, each in table_of(attributes.get("properties")).items():
        if name in inner:
            spot.inside("products").inside("[]").rule(f"the attribute `{name}`", hint="a field has this name in the plan")
        else:
            inner[name] = each
            needed += [name] if name in list_of(attributes.get("required")) else []
    for field, each in table.items():
        if field not in own and field != "custom_attributes" and each not in ({}, True):
            spot.inside("products").inside("[]").rule(f"rules for `{field[:80]}`", hint=_ELSEWHERE)
    element = {key: value for key, value in items.items() if key not in ("properties", "required", "additionalProperties")}
    element |= {"properties": inner, "required": needed}
    if attributes.get("additionalProperties") is False:
        element["additionalProperties"] = False
    return {**schema, "items": element}
