"""Comparing the rules of a property: its JSON Schema draft-07 keywords, before and after.

A rule that admits less is tightened (compatible: a reader meets nothing new), one that admits more is loosened (breaking: a
reader may meet what it was promised not to). All keywords of a schema hold together, so a new one only ever tightens and a
removed one only ever loosens; the exceptions, `additionalProperties` and `patternProperties`, are told apart. Where two
values of a keyword cannot be compared, the change is breaking and suspected.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from math import inf
from typing import Any

from cdi_cli.plan.diff_change import Change, Spot, quote, quote_all
from cdi_cli.plan.schema import ANNOTATIONS

Keywords = dict[str, Any]

_LIMITS: dict[str, tuple[str, str | None, int]] = {
    "minimum": ("minimum", "exclusiveMinimum", 1),
    "maximum": ("maximum", "exclusiveMaximum", -1),
    "minLength": ("minLength", None, 1),
    "maxLength": ("maxLength", None, -1),
    "minItems": ("minItems", None, 1),
    "maxItems": ("maxItems", None, -1),
    "minProperties": ("minProperties", None, 1),
    "maxProperties": ("maxProperties", None, -1),
}
"""Keyword, its exclusive partner, and the direction in which it tightens."""

_COUNTS = frozenset({"minLength", "minItems", "minProperties"})
"""Limits that admit everything at 0."""

_ENCODINGS = ("contentEncoding", "contentMediaType")
_NARROWER_FORMATS = frozenset(
    {
        *(("email", "idn-email"), ("hostname", "idn-hostname"), ("uri", "uri-reference"), ("iri", "iri-reference")),
        *(("uri", "iri"), ("uri-reference", "iri-reference"), ("uri", "iri-reference")),
    }
)
"""(a, b): every text of format a is one of format b (RFC 3987 section 3.1, RFC 6531 section 3.3, RFC 5890)."""

TIGHTER = "a reader meets nothing that it could not meet before"
LOOSER = "a reader may meet values that were ruled out before"
UNKNOWN = "it cannot be told whether every value that passes now would have passed before"
_SETTLED = frozenset({"enum", "multipleOf", "uniqueItems", "additionalProperties", "patternProperties", *_ENCODINGS})


def keyword_changes(before: Keywords, after: Keywords, spot: Spot, *, is_closed: bool) -> Iterator[Change]:
    """Every difference between the keywords of a property; `is_closed`: unplanned properties are violations."""
    paired = {name for keyword, partner, _ in _LIMITS.values() for name in (keyword, partner) if name is not None}
    for keyword in _LIMITS:
        yield from _limit(keyword, before, after, spot)
    yield from _enum(before, after, spot)
    yield from _multiple(before, after, spot)
    yield from _unique(before, after, spot)
    yield from _additional(before, after, spot, is_closed=is_closed)
    for keyword in sorted(before.keys() | after.keys()):
        if keyword in paired or keyword in _SETTLED or _is_same(keyword, before, after):
            continue
        if keyword in ANNOTATIONS:
            yield spot.change("annotation_changed", "cosmetic", f"`{keyword}` changed", "it explains and decides nothing")
        else:
            yield _rule(keyword, before, after, spot)
    for keyword in ("patternProperties", *_ENCODINGS):
        if not _is_same(keyword, before, after):
            yield _pattern_properties(before, after, spot) if keyword == "patternProperties" else _encoding(keyword, spot)


def canonical(value: Any) -> str:
    """A value as text that tells `1` from `true` and does not mind the order of names."""
    return json.dumps(value, sort_keys=True)


def _is_same(keyword: str, before: Keywords, after: Keywords) -> bool:
    if (keyword in before) != (keyword in after):
        return False
    return canonical(before.get(keyword)) == canonical(after.get(keyword))


def _said(keyword: str, keywords: Keywords) -> str:
    return f"{keyword} {quote(keywords[keyword])}" if keyword in keywords else f"no `{keyword}`"


def _limit(keyword: str, before: Keywords, after: Keywords, spot: Spot) -> Iterator[Change]:
    name, partner, _ = _LIMITS[keyword]
    names = (name, partner) if partner is not None else (name,)
    if all(_is_same(each, before, after) for each in names):
        return
    old, new = _tightness(keyword, before), _tightness(keyword, after)
    message = f"{_limit_text(names, before)} became {_limit_text(names, after)}"
    if old == new:
        yield spot.change("rule_rewritten", "cosmetic", message, "it admits the same values, written in another way")
    elif new > old:
        yield spot.change("limit_tightened", "compatible", message, TIGHTER)
    else:
        yield spot.change("limit_loosened", "breaking", message, LOOSER)


def _tightness(keyword: str, keywords: Keywords) -> tuple[Fraction | float, bool]:
    """A limit as something that grows as it gets tighter; an exclusive limit is tighter than an equal one."""
    name, partner, direction = _LIMITS[keyword]
    found: list[tuple[Fraction | float, bool]] = [(0 if keyword in _COUNTS else -inf, False)]
    for each, is_exclusive in ((name, False), (partner, True)):
        if each is not None and each in keywords:
            found.append((direction * Fraction(str(keywords[each])), is_exclusive))
    return max(found)


def _limit_text(names: tuple[str, ...], keywords: Keywords) -> str:
    said = [f"`{name}: {keywords[name]}`" for name in names if name in keywords]
    return " with ".join(said) or f"no `{names[0]}`"


def _enum(before: Keywords, after: Keywords, spot: Spot) -> Iterator[Change]:
    if _is_same("enum", before, after):
        return
    if "enum" not in before or "enum" not in after:
        yield _rule("enum", before, after, spot)
        return
    old, new = ({canonical(value): value for value in each["enum"]} for each in (before, after))
    added = [value for key, value in new.items() if key not in old]
    removed = [value for key, value in old.items() if key not in new]
    if added:
        reason = "a reader that knows the listed values meets one that it does not know"
        yield spot.change("enum_values_added", "breaking", f"{quote_all(added)} became allowed", reason)
    if removed:
        yield spot.change("enum_values_removed", "compatible", f"{quote_all(removed)} is no longer allowed", TIGHTER)
    if not added and not removed:
        reason = "the same values are allowed"
        yield spot.change("rule_rewritten", "cosmetic", "the values of `enum` are listed in another way", reason)


def _multiple(before: Keywords, after: Keywords, spot: Spot) -> Iterator[Change]:
    keyword = "multipleOf"
    if _is_same(keyword, before, after):
        return
    if keyword not in before or keyword not in after:
        yield _rule(keyword, before, after, spot)
        return
    old, new = (Fraction(str(each[keyword])) for each in (before, after))
    message = f"{_said(keyword, before)} became {_said(keyword, after)}"
    if old == new:
        yield spot.change("rule_rewritten", "cosmetic", message, "it admits the same values, written in another way")
    elif (new / old).denominator == 1:
        yield spot.change("rule_tightened", "compatible", message, TIGHTER)
    else:
        yield spot.change("rule_loosened", "breaking", message, LOOSER)


def _unique(before: Keywords, after: Keywords, spot: Spot) -> Iterator[Change]:
    keyword = "uniqueItems"
    if _is_same(keyword, before, after):
        return
    old, new = (bool(each.get(keyword, False)) for each in (before, after))
    message = f"{_said(keyword, before)} became {_said(keyword, after)}"
    if old == new:
        yield spot.change("rule_rewritten", "cosmetic", message, "it admits the same values, written in another way")
    elif new:
        yield spot.change("rule_tightened", "compatible", message, TIGHTER)
    else:
        yield spot.change("rule_loosened", "breaking", message, LOOSER)


def _rule(keyword: str, before: Keywords, after: Keywords, spot: Spot) -> Change:
    """A keyword of which only its presence can be judged, and for formats whether one includes the other."""
    message = f"{_said(keyword, before)} became {_said(keyword, after)}"
    if keyword not in before:
        return spot.change("rule_tightened", "compatible", message, TIGHTER)
    if keyword not in after:
        return spot.change("rule_loosened", "breaking", message, LOOSER)
    if keyword == "format":
        formats = (before[keyword], after[keyword])
        if formats[::-1] in _NARROWER_FORMATS:
            return spot.change("rule_tightened", "compatible", message, TIGHTER)
        if formats in _NARROWER_FORMATS:
            return spot.change("rule_loosened", "breaking", message, LOOSER)
    if keyword == "const":
        return spot.change("rule_changed", "breaking", message, "a reader meets another value than the one it was promised")
    return spot.change("rule_changed", "breaking", message, UNKNOWN, is_suspected=True)


def _encoding(keyword: str, spot: Spot) -> Change:
    return spot.change("encoding_changed", "breaking", f"`{keyword}` changed", "a reader decodes the text as it says")


def _pattern_properties(before: Keywords, after: Keywords, spot: Spot) -> Change:
    keyword = "patternProperties"
    message = f"{_said(keyword, before)} became {_said(keyword, after)}"
    if keyword not in before:
        reason = "more names became planned; what a reader knows stays"
        return spot.change("rule_tightened", "compatible", message, reason)
    reason = "names that a reader may look for are no longer planned"
    return spot.change("rule_changed", "breaking", message, reason, is_suspected=keyword in after)


def _additional(before: Keywords, after: Keywords, spot: Spot, *, is_closed: bool) -> Iterator[Change]:
    """`additionalProperties`: none (False), any (True), or those that keep to a schema."""
    keyword = "additionalProperties"
    if _is_same(keyword, before, after):
        return
    message = f"{_said(keyword, before)} became {_said(keyword, after)}"
    old, new = (each.get(keyword, not is_closed) for each in (before, after))
    if canonical(old) == canonical(new):
        yield spot.change("rule_rewritten", "cosmetic", message, "it admits the same values, written in another way")
    elif isinstance(old, dict):
        reason = "further properties were promised to keep to a schema"
        yield spot.change("rule_changed", "breaking", message, reason, is_suspected=isinstance(new, dict))
    elif isinstance(new, dict):
        yield spot.change("rule_tightened", "compatible", message, "further properties now keep to a schema")
    else:
        reason = (
            "further properties were never promised" if not new else "a reader of the planned properties is not concerned"
        )
        yield spot.change("unplanned_policy_changed", "compatible", message, reason)
