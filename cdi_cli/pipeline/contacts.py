"""E-mail addresses and phone numbers of an event as its destination takes them: plain, normalised, hashed, or not at all.

What is a contact is told by the plan: a property that comes of a field so named (`from: customer.email`), has the format of
one (`format: email`), or ends so in its own name (`billing_email`); besides these the traits in the context, which hold a
guest's address. The plan is checked before, so a hash need not look like an address there; books and ledger are not touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from cdi_cli.config.privacy import ContactPolicy
from cdi_cli.config.settings import Settings
from cdi_cli.events import ContactSettings, Event, changed, contact_as
from cdi_cli.events.contacts import Contact
from cdi_cli.plan import CompiledPlan
from cdi_cli.plan.model import Property

_NAMES: dict[str, Contact] = {
    **dict.fromkeys(("email", "mail"), "email"),
    **dict.fromkeys(("phone", "mobile", "telephone", "msisdn"), "phone"),
}
_NUMBER = re.compile(r"[ _-]?(address|number)$", re.IGNORECASE)
_LAST_WORD = re.compile(r"([A-Z]?[a-z]+|[A-Z]+)$")

Tree = dict[str, Any]
"""Property name -> the kind of contact that it is, or what is inside it; lists are gone through."""
Convert = Callable[[Contact, str], str | None]


class Contacts:
    """Applies one destination's contact settings to the events of a plan."""

    def __init__(self, plan: CompiledPlan, settings: ContactSettings) -> None:
        self._settings = settings
        rules = [*plan.others, *(rule for kind in plan.kinds for rule in plan.rules(kind))]
        self._trees = {(rule.type, rule.name): tree_of(rule.planned.properties) for rule in rules}

    @property
    def content(self) -> list[Any]:
        """The settings as plain data, for the fingerprint of a job."""
        return list(msgspec.structs.astuple(self._settings))

    def __call__(self, event: Event, country: str | None) -> tuple[Event, list[str]]:
        """The event as it goes out, and what was left out though nobody asked for that (for the report's warnings)."""
        notes: list[str] = []
        convert = partial(self._convert, country, notes)
        tree = self._trees.get((event.type, event.name)) or _TRAITS
        properties = _rewritten(event.properties, tree, convert)
        context = _rewritten(event.context, {"traits": _TRAITS}, convert)
        if properties is event.properties and context is event.context:
            return event, notes
        return changed(event, properties=properties, context=context), notes

    def _convert(self, country: str | None, notes: list[str], kind: Contact, value: str) -> str | None:
        converted, why = contact_as(kind, value, self._settings, country)
        if why:
            notes.append(f"{kind} left out: {why}")
        return converted


_TRAITS: Tree = {"email": "email", "phone": "phone"}


def contacts_of(settings: Settings, destination: str, plan: CompiledPlan) -> Contacts | None:
    """What a destination's `contacts:` does; None where every contact goes as it is."""
    policy = getattr(settings.destinations[destination].settings, "contacts", None)
    if not isinstance(policy, ContactPolicy):
        return None
    chosen = ContactSettings(policy.email, policy.email_rule, policy.phone, policy.phone_rule, policy.already_hashed)
    return None if chosen.changes_nothing else Contacts(plan, chosen)


def tree_of(properties: Iterable[Property]) -> Tree:
    """The contacts among these properties."""
    tree: Tree = {}
    for each in properties:
        inner = tree_of([*each.properties, *(each.items.properties if each.items is not None else ())])
        kind = contact_kind(each) or (contact_kind(each, each.items) if each.items is not None else None)
        if inner or kind is not None:
            tree[each.name] = inner or kind
    return tree


def contact_kind(named: Property, planned: Property | None = None) -> Contact | None:
    """Which contact a property (or the element `planned` of the list `named`) is, None for none."""
    planned = planned or named
    if "string" not in planned.types:
        return None
    if planned.keywords.get("format") in ("email", "idn-email"):
        return "email"
    origins = [str(path.steps[-1]) for path in planned.sources if path.steps]
    return next((kind for name in (*origins, named.name) if (kind := _kind_of(name)) is not None), None)


def _kind_of(name: str) -> Contact | None:
    """`billing_email`, `customerEmail`, `phone_number`: the last word says it."""
    word = _LAST_WORD.search(_NUMBER.sub("", name))
    return _NAMES.get(word.group().lower()) if word is not None else None


def _rewritten(value: Any, tree: Tree | Contact, convert: Convert) -> Any:
    """The value with its contacts converted, the same object where it has none; what is left out leaves nothing behind."""
    if isinstance(value, list):
        elements = [_rewritten(element, tree, convert) for element in value]
        is_same = all(new is old for new, old in zip(elements, value, strict=True))
        return value if is_same else [element for element in elements if element is not None]
    if isinstance(tree, str):
        return convert(tree, value) if isinstance(value, str) else value
    if not isinstance(value, dict):
        return value
    found = {name: _rewritten(value[name], inner, convert) for name, inner in tree.items() if name in value}
    if all(new is value[name] for name, new in found.items()):
        return value
    merged = {name: found.get(name, each) for name, each in value.items()}
    return {name: each for name, each in merged.items() if each is not None or name not in found}
