"""The check: whether the properties of an event keep to the plan, and if not, why, in sentences.

The validator (jsonschema-rs, draft-07) is compiled once per event; the common case is one call. It never fetches
anything, and its patterns run in linear time. A sentence quotes the value it found only where the plan says `pii: none`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from cdi_cli.commerce.money import SIGNIFICANT_MAX
from cdi_cli.plan.model import PlannedEvent, Property
from cdi_cli.plan.schema import event_schema

Steps = tuple[str | int, ...]

QUOTED_CHARACTERS_MAX = 40
VIOLATIONS_MAX = 100
"""An event with more violations than this is reported with the first ones only."""

AMOUNT_DIGITS_MAX = len(str(SIGNIFICANT_MAX))
"""An amount of so many digits is not sent as a number (`commerce/money.py`)."""

_ENGINE = jsonschema_rs.Draft7Validator
_PATTERNS = jsonschema_rs.RegexOptions()

_TYPE_NOUNS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


class SchemaError(Exception):
    """A schema that is not valid draft-07, at these steps."""

    def __init__(self, steps: Steps, message: str) -> None:
        super().__init__(message)
        self.steps = steps
        self.message = message


@dataclass(frozen=True, slots=True)
class Violation:
    """Where an event breaks the plan: the path (`products[2].sku`), the JSON Schema rule, a sentence without personal data.

    `steps` is the path taken apart.
    """

    path: str
    rule: str
    message: str
    steps: Steps = ()


def compile_schema(schema: dict[str, Any]) -> jsonschema_rs.Draft7Validator:
    """The validator of a schema; raises SchemaError for invalid draft-07, an unknown format or a reference."""
    try:
        return _ENGINE(schema, validate_formats=True, ignore_unknown_formats=False, pattern_options=_PATTERNS, offline=True)
    except jsonschema_rs.ValidationError as error:
        raise SchemaError(tuple(error.instance_path), error.message.partition(". Adjust ")[0]) from None


class Checker:
    """Checks the properties of one planned event."""

    def __init__(self, event: PlannedEvent, *, allows_unplanned: bool) -> None:
        self._properties = event.properties
        self._validator = compile_schema(event_schema(event, allows_unplanned=allows_unplanned))
        self._is_valid = self._validator.is_valid

    def __call__(self, properties: dict[str, Any]) -> tuple[Violation, ...]:
        """Everything in which the properties break the plan; empty when they keep to it."""
        if self._is_valid(properties):
            return ()
        found: list[Violation] = []
        for error in self._validator.iter_errors(properties):
            found.extend(self._violations(error))
            if len(found) >= VIOLATIONS_MAX:
                break
        return tuple(found)

    def _violations(self, error: jsonschema_rs.ValidationError) -> list[Violation]:
        """One violation per missing or unplanned property, else one for the error."""
        kind, steps = error.kind, tuple(error.instance_path)
        rule = _text(kind.name)
        if rule == "required":
            return [self._violation((*steps, kind.value), rule, "is required but missing")]
        if rule == "additionalProperties":
            return [self._violation((*steps, name), rule, "is not in the plan") for name in kind.value]
        planned = self._planned(steps)
        return [self._violation(steps, rule, _sentence(rule, kind.value, error.instance, planned))]

    def _violation(self, steps: Steps, rule: str, sentence: str) -> Violation:
        path = path_text(steps)
        return Violation(path, rule, f"`{path}` {sentence}" if path else f"the event {sentence}", steps)

    def _planned(self, steps: Steps) -> Property | None:
        """What the plan says about the place, or None when it says nothing."""
        planned: Property | None = None
        inner = self._properties
        for step in steps:
            planned = planned.items if isinstance(step, int) and planned is not None else _by_name(inner, step)
            if planned is None:
                return None
            inner = planned.properties
        return planned


def _by_name(properties: tuple[Property, ...], name: str | int) -> Property | None:
    return next((each for each in properties if each.name == name), None)


def path_text(steps: Sequence[str | int]) -> str:
    """Steps as people write them: `products[2].sku`."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if len(step) <= 2 * QUOTED_CHARACTERS_MAX else f"{step[: 2 * QUOTED_CHARACTERS_MAX]}…"
            text += f".{name}" if text else name
    return text


def _sentence(rule: str, value: Any, instance: Any, planned: Property | None) -> str:
    """What is wrong with a value, as the end of a sentence that starts with its path."""
    found = _found(instance, planned)
    if rule == "type":
        if _is_large_amount(instance, planned):
            return f"is too large: an amount of {AMOUNT_DIGITS_MAX} or more digits cannot be sent as an exact number"
        wanted = " or ".join(noun for name, noun in _TYPE_NOUNS.items() if name == value or name in value)
        return f"must be {wanted}, found {_noun(instance)}"
    plain: dict[str, Callable[[], str]] = {
        "enum": lambda: f"must be one of {_options(value)}{found}",
        "const": lambda: f"must be {_quote(value)}{found}",
        "pattern": lambda: f"does not match the pattern `{value}`{found}",
        "format": lambda: f"is not a valid `{value}`{found}",
        "minimum": lambda: f"must be at least {value}{found}",
        "maximum": lambda: f"must be at most {value}{found}",
        "exclusiveMinimum": lambda: f"must be more than {value}{found}",
        "exclusiveMaximum": lambda: f"must be less than {value}{found}",
        "multipleOf": lambda: f"must be a multiple of {value}{found}",
        "minLength": lambda: f"must have at least {value} characters, found {len(instance)}",
        "maxLength": lambda: f"must have at most {value} characters, found {len(instance)}",
        "minItems": lambda: f"must have at least {value} elements, found {len(instance)}",
        "maxItems": lambda: f"must have at most {value} elements, found {len(instance)}",
        "minProperties": lambda: f"must have at least {value} properties, found {len(instance)}",
        "maxProperties": lambda: f"must have at most {value} properties, found {len(instance)}",
        "uniqueItems": lambda: "holds the same element twice",
    }
    sentence = plain.get(rule)
    return sentence() if sentence is not None else f"breaks the rule `{rule}` of the plan{found}"


def _is_large_amount(instance: Any, planned: Property | None) -> bool:
    """Whether the mapping left an amount as text because a number would not be exact."""
    if planned is None or not isinstance(instance, str) or not any(path.shape.kind == "money" for path in planned.sources):
        return False
    return sum(map(str.isdigit, instance)) >= AMOUNT_DIGITS_MAX


def _noun(instance: Any) -> str:
    if isinstance(instance, bool):
        return _TYPE_NOUNS["boolean"]
    kinds: tuple[tuple[type, str], ...] = ((str, "string"), (int, "integer"), (float, "number"), (dict, "object"))
    name = next((name for kind, name in kinds if isinstance(instance, kind)), "null" if instance is None else "array")
    return _TYPE_NOUNS[name]


def _found(instance: Any, planned: Property | None) -> str:
    """The value, where the plan says that it tells nothing about a person."""
    if planned is None or planned.pii != "none" or isinstance(instance, (dict, list)):
        return ""
    return f", found {_quote(instance)}"


def _quote(value: Any) -> str:
    if not isinstance(value, str):
        return _text(value)
    short = value if len(value) <= QUOTED_CHARACTERS_MAX else f"{value[:QUOTED_CHARACTERS_MAX]}…"
    return f'"{short}"'


def _options(values: Sequence[Any]) -> str:
    shown = ", ".join(_quote(value) for value in values[:10])
    return shown if len(values) <= 10 else f"{shown} and {len(values) - 10} more"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def strip(properties: dict[str, Any], violations: Sequence[Violation]) -> dict[str, Any]:
    """A copy of the properties without those that break the plan; the original is not touched.

    What is missing cannot be removed: a `required` violation stays one, so the result is to be checked again.
    """
    stripped: dict[str, Any] = dict(properties)
    places = {violation.steps for violation in violations if violation.steps and violation.rule != "required"}
    # The last element of a list goes first, so that the numbers of those before it stay true.
    for steps in sorted(places, key=lambda place: [(isinstance(step, int), step) for step in place], reverse=True):
        _remove(stripped, steps)
    return stripped


def _remove(holder: Any, steps: Steps) -> None:
    """Remove the place from a tree, copying each level on the way down so that shared parts stay as they are."""
    for step in steps[:-1]:
        if not _has(holder, step):
            return
        inner = holder[step]
        if not isinstance(inner, (dict, list)):
            return
        holder[step] = inner = inner.copy()
        holder = inner
    if _has(holder, steps[-1]):
        del holder[steps[-1]]


def _has(holder: Any, step: str | int) -> bool:
    if isinstance(holder, dict):
        return step in holder
    return isinstance(holder, list) and isinstance(step, int) and step < len(holder)
