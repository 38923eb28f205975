"""The data points of one event: which fields of mParticle its properties are, and their rules as far as it has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cdi_cli.plan import export_mparticle_names as names
from cdi_cli.plan.export_losses import Losses
from cdi_cli.plan.model import VIEWS, Plan, PlannedEvent, Property
from cdi_cli.plan.schema import property_schema

_FLAT = "attributes are flat in mParticle: plan its parts as properties of their own"
_TYPE = "mParticle has another type there"

Table = dict[str, Any]
Body = dict[str, tuple[dict[str, Any], bool]]
"""mParticle's name -> schema, and whether it is required."""


class DataPoints:
    """Turns one event into data points."""

    def __init__(self, event: PlannedEvent, plan: Plan, losses: Losses) -> None:
        self._event = event
        self._losses = losses
        self._allows_unplanned = plan.allows_unplanned

    def all(self) -> list[Table]:
        """The data points: one, or two for a profile (its attributes, its identities)."""
        event = self._event
        if event.type == "identify":
            return self._profile()
        if event.is_any:
            self._losses.rule(f"an event of type {event.type}", event.name, hint="mParticle has no data point for it")
            return []
        if event.type in VIEWS:
            attributes = self._object(self._flat(event.properties, names.ATTRIBUTE_TYPES))
            return [self._point("screen_view", {"screen_name": event.name}, _data({"custom_attributes": attributes}))]
        action = names.ACTIONS.get(event.name)
        if action is not None:
            return [self._point("product_action", {"action": action}, self._commerce(action))]
        kind = "transaction" if event.trigger.startswith(("order.", "cart.")) else "other"
        attributes = self._object(self._flat(event.properties, names.ATTRIBUTE_TYPES))
        criteria = {"event_name": event.name, "custom_event_type": kind}
        return [self._point("custom_event", criteria, _data({"custom_attributes": attributes}))]

    def _point(self, kind: str, criteria: Table, definition: Table) -> Table:
        return {
            "description": self._event.description,
            "match": {"type": kind, "criteria": criteria},
            "validator": {"type": "json_schema", "definition": definition},
        }

    def _commerce(self, action: str) -> Table:
        """The definition of a commerce event: fields of `product_action`, the currency beside it, attributes."""
        fields = names.fields_of(action)
        own, field = names.CURRENCY
        by_name = {each.name: each for each in self._event.properties}
        currency, products = by_name.get(own), by_name.get("products")
        body = self._fields((each for name, each in by_name.items() if name in fields), fields, "")
        inner, required = _split(body)
        if products is not None and (schema := self._products(products)) is not None:
            inner["products"] = schema
            required += ["products"] if products.is_required else []
        others = [each for name, each in by_name.items() if name not in fields and name not in (own, "products")]
        product_action = {"type": "object", "properties": {"action": {"const": action}, **inner}}
        data: Table = {"product_action": product_action | ({"required": required} if required else {})}
        outer, outer_required = _split(self._fields([currency], {own: field}, "") if currency is not None else {})
        data |= outer | {"custom_attributes": self._object(self._flat(others, names.ATTRIBUTE_TYPES))}
        return _data(data, outer_required)

    def _fields(self, properties: Iterable[Property], fields: dict[str, str], around: str) -> Body:
        """Fields with a fixed type: mParticle's name -> schema and whether it is required."""
        found: Body = {}
        for each in properties:
            field, path = fields[each.name], f"{around}{each.name}"
            if set(each.types) <= names.FIELD_TYPES[field]:
                found[field] = (self._rules(each, path), each.is_required)
            else:
                self._losses.rule(f"`{field}` of type {' or '.join(each.types)}", self._event.name, path, hint=_TYPE)
        return found

    def _products(self, products: Property) -> Table | None:
        """The list of products: their fields, and what else there is as attributes of the product."""
        item = products.items
        if products.types != ("array",) or (item is not None and item.types != ("object",)):
            self._losses.rule("`products` that is no list of objects", self._event.name, products.name, hint=_TYPE)
            return None
        if item is None:
            return self._rules(products, products.name)
        around = f"{products.name}[]."
        known = [each for each in item.properties if each.name in names.PRODUCT_FIELDS]
        others = [each for each in item.properties if each.name not in names.PRODUCT_FIELDS]
        body = self._fields(known, names.PRODUCT_FIELDS, around)
        flat = self._flat(others, names.PRODUCT_ATTRIBUTE_TYPES, around)
        element = self._rules(item, products.name + "[]")
        # An object of which the plan names no part is open, whatever holds for others.
        is_open = element.pop("additionalProperties", self._allows_unplanned or not item.properties)
        if not isinstance(is_open, bool):
            self._losses.rule("a schema for unplanned properties", self._event.name, products.name + "[]", hint=_FLAT)
            is_open = True
        inner, required = _split(body)
        inner["custom_attributes"] = self._object(flat, is_open=is_open)
        required += ["custom_attributes"] if "required" in inner["custom_attributes"] else []
        element |= {"properties": inner} | ({"required": required} if required else {})
        return {**self._rules(products, products.name), "items": element}

    def _flat(self, properties: Iterable[Property], types: frozenset[str], around: str = "") -> Body:
        """Attributes: name -> schema and whether it is required; one that cannot be flat is a loss."""
        found: Body = {}
        for each in properties:
            path = f"{around}{each.name}"
            fitting = [name for name in each.types if name in types]
            if len(fitting) < len(each.types):
                hint = _FLAT if {"object", "array"} & set(each.types) else _TYPE
                self._losses.rule("objects, lists and other types", self._event.name, path, hint=hint)
            else:
                found[each.name] = (self._rules(each, path), each.is_required)
        return found

    def _object(self, inner: Body, *, is_open: bool | None = None) -> Table:
        """The schema of an object of attributes."""
        if len(inner) > names.ATTRIBUTES_MAX:
            hint = "mParticle drops what is more"
            self._losses.rule(f"more than {names.ATTRIBUTES_MAX} attributes", self._event.name, hint=hint)
        schema: Table = {"type": "object", "additionalProperties": self._allows_unplanned if is_open is None else is_open}
        schema["properties"], required = _split(inner)
        return schema | ({"required": required} if required else {})

    def _rules(self, each: Property, path: str) -> Table:
        """The type, description and keywords of a property, without what it holds and without what is not supported."""
        schema = property_schema(each, allows_unplanned=True)
        for key in ("properties", "items", "required"):
            schema.pop(key, None)
        for key in [key for key, value in schema.items() if key in names.UNSUPPORTED or _holds_unsupported(value)]:
            del schema[key]
            self._losses.rule(f"keyword `{key}`", self._event.name, path, hint="mParticle's data plans do not support it")
        return schema

    def _profile(self) -> list[Table]:
        """A profile: user attributes, and identities where a trait is one."""
        attributes: Body = {}
        identities: Body = {}
        for each in self._event.properties:
            if each.name in names.IDENTITIES and each.types == ("string",):
                identities[names.IDENTITIES[each.name]] = (self._rules(each, each.name), each.is_required)
                continue
            for name, schema in self._trait(each).items():
                if name in attributes or each.name.lower() in names.TRAIT_OF_ATTRIBUTE:
                    hint = "another trait has this name there, or it is a reserved one"
                    self._losses.rule(f"`{name}`, which is taken", self._event.name, each.name, hint=hint)
                else:
                    attributes[name] = schema
        found = [self._point("user_attributes", {}, self._object(attributes))]
        if identities:
            customer: Body = {names.CUSTOMER_ID: ({"type": "string"}, False)}
            found.append(self._point("user_identities", {}, self._object({**customer, **identities}, is_open=True)))
        return found

    def _trait(self, each: Property) -> Body:
        """The user attributes that a trait becomes."""
        if _is_taken_apart(each):
            return self._address(each)
        if _is_list_of_texts(each):
            items = {"items": self._rules(each.items, f"{each.name}[]")} if each.items is not None else {}
            return {each.name: ({**self._rules(each, each.name), **items}, each.is_required)}
        return {names.TRAITS.get(name, name): schema for name, schema in self._flat([each], names.ATTRIBUTE_TYPES).items()}

    def _address(self, address: Property) -> Body:
        """The reserved attributes that the parts of an address are."""
        found: Body = {}
        self._losses.note(
            "an object that is taken apart", self._event.name, address.name, hint="mParticle has flat attributes"
        )
        for key in address.keywords:
            self._losses.rule(f"keyword `{key}`", self._event.name, address.name, hint=_FLAT)
        for part in address.properties:
            path = f"{address.name}.{part.name}"
            if path not in names.TRAITS:
                self._losses.rule("objects, lists and other types", self._event.name, path, hint=_FLAT)
                continue
            if part.is_required and not address.is_required:
                self._losses.rule("required in something optional", self._event.name, path, hint=_FLAT)
            for name, (schema, is_required) in self._flat([part], names.ATTRIBUTE_TYPES, f"{address.name}.").items():
                found[names.TRAITS[f"{address.name}.{name}"]] = (schema, is_required and address.is_required)
        if address.is_required and not any(part.is_required for part in address.properties):
            self._losses.rule("a required object with optional parts", self._event.name, address.name, hint=_FLAT)
        return found


def _is_taken_apart(each: Property) -> bool:
    return each.types == ("object",) and any(f"{each.name}.{part.name}" in names.TRAITS for part in each.properties)


def _is_list_of_texts(each: Property) -> bool:
    """Whether a trait is a list of texts, which a user attribute may be."""
    return each.types == ("array",) and (each.items is None or each.items.types == ("string",))


def _holds_unsupported(value: Any) -> bool:
    if isinstance(value, dict):
        return any(key in names.UNSUPPORTED or _holds_unsupported(inner) for key, inner in value.items())
    return isinstance(value, list) and any(_holds_unsupported(inner) for inner in value)


def _split(body: Body) -> tuple[Table, list[str]]:
    """The schemas by name, and the names of those that are required."""
    return {name: schema for name, (schema, _) in body.items()}, [name for name, (_, needed) in body.items() if needed]


def _data(data: Table, required: Sequence[str] = ()) -> Table:
    """The definition of an event: everything lies under `data`, and what holds something required is required too."""
    needed = [*required, *(name for name, schema in data.items() if schema.get("required"))]
    inner: Table = {"type": "object", "additionalProperties": True, "properties": data}
    return {"properties": {"data": inner | ({"required": needed} if needed else {})}}
