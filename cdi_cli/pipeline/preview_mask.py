"""What a preview shows of a person's data: nothing but which kind of value stands where, unless it is asked to show all.

A raw record has no classes as the plan's properties have. Of its texts only those are shown whose field by its name holds a
code (an id, a state, a time, a currency) and whose value looks like one; numbers stand for amounts and counts and are shown
where their field does not speak of a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from cdi_cli.commerce import Address, Consent, Customer, Entity, Money
from cdi_cli.events.ids import slug
from cdi_cli.plan.findings import counted
from cdi_cli.plan.model import Pii

PERSONAL = frozenset(
    {
        "email",
        "phone",
        "first_name",
        "last_name",
        "title",
        "company",
        "external_id",
        "customer_id",
        "anonymous_id",
        "tracking_number",
    }
)
"""Fields of an entity, or of what is in it, that tell something about a person."""
_CODE_FIELD = re.compile(
    r"(^|_|[a-z])([Ii]d|[Ss]tate|[Ss]tatus|[Tt]ype|[Mm]ode|[Cc]urrency|[Cc]urrencyCode|[Cc]urrency_code|[Cc]ountry|[Ll]ocale"
    r"|[Aa]t|[Vv]ersion|[Ss]ku|[Oo]rderNumber|[Ii]ncrement_id|[Cc]entAmount|[Oo]rigin)$"
)
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+/-]{0,63}")
_PERSONAL_FIELD = re.compile(
    r"mail|phone|mobile|birth|name|street|address|postal|zip|city|vat|tax_?id|token|passw|secret|customer|anonymous|user",
    re.IGNORECASE,
)
PERSONAL_CHARACTERS_MIN = 4
"""Shorter values stand in too much that is not about a person to be looked for."""


def what(value: Any, pii: Pii | str | None = "personal") -> str:
    """A value as it is shown to people who may not see it: `<contact: text of 12>`."""
    return f"<{pii or 'unclassified'}: {_kind(value)}>"


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"text of {len(value)}"
    if isinstance(value, dict):
        return f"an object with {counted(len(value), 'field')}"
    return f"a list of {len(value)}" if isinstance(value, list) else "a number"


def masked_record(value: Any, field: str = "") -> Any:
    """A raw record (or part of it, in the field of that name) with everything masked that may be about a person."""
    if isinstance(value, dict):
        return {name: masked_record(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [masked_record(each, field) for each in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        is_code = _CODE_FIELD.search(field) and not _PERSONAL_FIELD.search(field) and _CODE.fullmatch(value)
        return value if is_code else what(value, "masked")
    return what(value, "masked") if _PERSONAL_FIELD.search(field) else value


def entity_fields(entity: Entity, *, has_data: bool) -> dict[str, Any]:
    """What an entity says, by field; without those that are empty, an amount as people write it."""
    fields = {name: _shown(getattr(entity, name), name, has_data=has_data) for name in _filled(entity)}
    if isinstance(entity, Customer) and entity.number and not has_data:
        fields["number"] = what(entity.number)
    return fields


def _filled(held: msgspec.Struct) -> Iterator[str]:
    yield from (name for name in held.__struct_fields__ if getattr(held, name) not in (None, (), "", Consent()))


def _shown(value: Any, field: str, *, has_data: bool) -> Any:
    if isinstance(value, Money):
        return f"{value.decimal()} {value.currency}"
    if isinstance(value, Address) and not has_data:
        return f"<contact: an address{f' in {value.country}' if value.country else ''}>"
    if isinstance(value, msgspec.Struct):
        return {name: _shown(getattr(value, name), name, has_data=has_data) for name in _filled(value)}
    if isinstance(value, tuple | list):
        return [_shown(each, field, has_data=has_data) for each in value]
    if isinstance(value, dict):
        return {name: _shown(each, name, has_data=has_data) for name, each in value.items()}
    return what(value) if field in PERSONAL and not has_data else value


def personal_texts(entity: Entity) -> frozenset[str]:
    """Every text of an entity that tells something about a person, in lower case, and as it would stand in an id."""
    texts = [*_texts(entity, is_personal=False), *([entity.number or ""] if isinstance(entity, Customer) else [])]
    found = {form for text in texts for form in (text.casefold(), slug(text))}
    return frozenset(form for form in found if len(form) >= PERSONAL_CHARACTERS_MIN)


def _texts(value: Any, *, is_personal: bool) -> Iterator[str]:
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            inside = is_personal or (isinstance(value, Address) and name != "country") or name in PERSONAL
            yield from _texts(getattr(value, name), is_personal=inside)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _texts(each, is_personal=is_personal)
    elif isinstance(value, str) and is_personal:
        yield value
