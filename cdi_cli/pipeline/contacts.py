"""E-mail addresses and phone numbers of an event as its destination takes them: plain, normalised, hashed, or not at all.

What is a contact is told by the plan: a property that comes of a field so named (`from: customer.email`), has the format of
one (`format: email`), or ends so in its own name (`billing_email`); besides these the traits in the context, which hold a
guest's address. Where an event may hold what the plan does not name, the name alone tells, and only of a kind that is not to
go out readable (`sha256`, `omit`). The plan is checked before, so a hash need not look like an address there; books and
ledger are not touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache, partial
from typing import Any

import msgspec

from cdi_cli.config.privacy import ContactPolicy
from cdi_cli.config.settings import Settings
from cdi_cli.events import ContactSettings, Event, changed, contact_as
from cdi_cli.events.contacts import Contact
from cdi_cli.plan import CompiledPlan, EventRule
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


class _Open(Tree):
    """A tree of something that may hold more than the plan names."""


class Contacts:
    """Applies one destination's contact settings to the events of a plan."""

    def __init__(self, plan: CompiledPlan, settings: ContactSettings) -> None:
        self._settings = settings
        forms: dict[Contact, str] = {"email": settings.email, "phone": settings.phone}
        self._hidden = frozenset(kind for kind, form in forms.items() if form in ("sha256", "omit"))
        rules = [*plan.others, *(rule for kind in plan.kinds for rule in plan.rules(kind))]
        self._trees = {(rule.type, rule.name): _tree_of(rule) for rule in rules}

    @property
    def content(self) -> list[Any]:
        """The settings as plain data, for the fingerprint of a job."""
        return list(msgspec.structs.astuple(self._settings))

    def __call__(self, event: Event, country: str | None) -> tuple[Event, list[str]]:
        """The event as it goes out, and what was left out though nobody asked for that (for the report's warnings)."""
        notes: list[str] = []
        convert = partial(self._convert, country, notes)
        tree = self._trees.get((event.type, event.name), _TRAITS)
        properties = _rewritten(event.properties, tree, convert, self._hidden)
        context = _rewritten(event.context, _CONTEXT, convert, self._hidden)
        if properties is event.properties and context is event.context:
            return event, notes
        return changed(event, properties=properties, context=context), notes

    def _convert(self, country: str | None, notes: list[str], kind: Contact, value: str) -> str | None:
        converted, why = contact_as(kind, value, self._settings, country)
        if why:
            notes.append(f"{kind} left out: {why}")
        return converted


_TRAITS: Tree = {"email": "email", "phone": "phone"}
_CONTEXT: Tree = {"traits": _Open(_TRAITS)}
_ANYTHING = _Open()


def contacts_of(settings: Settings, destination: str, plan: CompiledPlan) -> Contacts | None:
    """What a destination's `contacts:` does; None where every contact goes as it is."""
    policy = getattr(settings.destinations[destination].settings, "contacts", None)
    if not isinstance(policy, ContactPolicy):
        return None
    chosen = ContactSettings(policy.email, policy.email_rule, policy.phone, policy.phone_rule, policy.already_hashed)
    return None if chosen.changes_nothing else Contacts(plan, chosen)


def _tree_of(rule: EventRule) -> Tree:
    tree = tree_of(rule.planned.properties, is_open=rule.is_open)
    return tree or (_Open(_TRAITS) if isinstance(tree, _Open) else _TRAITS)


def tree_of(properties: Iterable[Property], *, is_open: bool = False) -> Tree:
    """The contacts among these properties; `is_open`: there may be others beside them."""
    tree = _Open() if is_open else Tree()
    for each in properties:
        inside = [*each.properties, *(each.items.properties if each.items is not None else ())]
        holds_more = _holds_more(each.items or each)
        inner = tree_of(inside, is_open=is_open or holds_more)
        kind = contact_kind(each) or (contact_kind(each, each.items) if each.items is not None else None)
        if inner or kind is not None:
            tree[each.name] = inner or kind
        elif holds_more:
            tree[each.name] = inner
    return tree


def _holds_more(planned: Property) -> bool:
    """Whether an object, or a list of whatever it be, may hold what the plan does not name."""
    if "object" not in planned.types:
        return "array" in planned.types and planned.items is None
    others = planned.keywords.get("additionalProperties", not planned.properties)
    return others is not False or "patternProperties" in planned.keywords


def contact_kind(named: Property, planned: Property | None = None) -> Contact | None:
    """Which contact a property (or the element `planned` of the list `named`) is, None for none."""
    planned = planned or named
    if "string" not in planned.types:
        return None
    if planned.keywords.get("format") in ("email", "idn-email"):
        return "email"
    origins = [str(path.steps[-1]) for path in planned.sources if path.steps]
    return next((kind for name in (*origins, named.name) if (kind := _kind_of(name)) is not None), None)


def _unplanned(name: str, value: Any, hidden: Collection[Contact]) -> Tree | Contact | None:
    """Which contact something is that the plan does not name, or what may hold some; None for anything else."""
    if not isinstance(value, str | list | dict):
        return None
    kind = None if isinstance(value, dict) else _kind_of(name)
    return kind if kind in hidden else None if isinstance(value, str) else _ANYTHING


@lru_cache(maxsize=1024)
def _kind_of(name: str) -> Contact | None:
    """`billing_email`, `customerEmail`, `phone_number`: the last word says it."""
    word = _LAST_WORD.search(_NUMBER.sub("", name))
    return _NAMES.get(word.group().lower()) if word is not None else None


def _rewritten(value: Any, tree: Tree | Contact, convert: Convert, hidden: Collection[Contact]) -> Any:
    """The value with its contacts converted, the same object where it has none; what is left out leaves nothing behind."""
    if isinstance(value, list):
        elements = [_rewritten(element, tree, convert, hidden) for element in value]
        is_same = all(new is old for new, old in zip(elements, value, strict=True))
        return value if is_same else [element for element in elements if element is not None]
    if isinstance(tree, str):
        return convert(tree, value) if isinstance(value, str) else value
    if not isinstance(value, dict):
        return value
    trees = {name: inner for name, inner in tree.items() if name in value}
    if hidden and isinstance(tree, _Open):
        others = {name: _unplanned(name, each, hidden) for name, each in value.items() if name not in tree}
        trees |= {name: inner for name, inner in others.items() if inner is not None}
    found = {name: _rewritten(value[name], inner, convert, hidden) for name, inner in trees.items()}
    if all(new is value[name] for name, new in found.items()):
        return value
    merged = {name: found.get(name, each) for name, each in value.items()}
    return {name: each for name, each in merged.items() if each is not None or name not in found}
