"""Telling the difference between two plans: as text, as JSON, as Markdown for a pull request, as GitHub annotations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cdi_cli.plan.diff import PlanDiff
from cdi_cli.plan.diff_change import LEVELS, Change
from cdi_cli.plan.diff_places import head_place
from cdi_cli.plan.diff_sides import Side
from cdi_cli.plan.problems import Place

FORMATS = ("text", "json", "markdown", "github")
SPOTS_MAX = 6
_HEADINGS = {"breaking": "Breaking", "compatible": "Compatible", "cosmetic": "Cosmetic"}


def write_diff(diff: PlanDiff, before: Side, after: Side, form: str) -> str:
    """The whole report in one of `FORMATS`, without a line end at its end."""
    writers = {"text": _text, "json": _json, "markdown": _markdown, "github": _github}
    return "\n".join(writers[form](diff, before, after))


def verdict(diff: PlanDiff) -> str:
    """One sentence: which bump is demanded and whether it was made."""
    moved = f"{diff.before.version} -> {diff.after.version}"
    if not diff.demanded:
        return f"no bump is demanded, {moved}" if diff.is_bump_made else f"the version went backwards, {moved}"
    word = f"a {diff.demanded.word} bump is demanded"
    return f"{word} and {moved} makes it" if diff.is_bump_made else f"{word}, and {moved} does not make it"


def fix(diff: PlanDiff, after: Side) -> str:
    """What makes the missing bump."""
    return f'write `version: "{diff.next_version}"` in {after.where(head_place(diff.after, "version"))}'


def _summary(diff: PlanDiff) -> str:
    if not diff.changes:
        return "no changes"
    return ", ".join(f"{number} {level}" for level, number in diff.counts.items() if number)


def _level(change: Change) -> str:
    return f"{change.level} (suspected)" if change.is_suspected else change.level


def _where(change: Change, before: Side, after: Side) -> str:
    """Both places; a side that has none is told in words."""
    old = before.where(change.before) if change.before is not None else "nowhere"
    new = after.where(change.after) if change.after is not None else "nowhere"
    return f"{old} -> {new}"


def _spots(change: Change) -> str:
    """Which events and properties a change concerns: events of one path are told together."""
    by_path: dict[str, list[str]] = {}
    for event, path in change.spots:
        by_path.setdefault(path, []).append(event)
    parts = []
    for path, events in by_path.items():
        shown = ", ".join(events[:SPOTS_MAX])
        more = f" and {len(events) - SPOTS_MAX} more" if len(events) > SPOTS_MAX else ""
        parts.append(f"{shown}{more}: {path}" if path else f"{shown}{more}")
    return "; ".join(parts) or "the plan"


def _text(diff: PlanDiff, before: Side, after: Side) -> Iterator[str]:
    yield f"{before.shown} -> {after.shown}: {_summary(diff)}"
    for level in LEVELS:
        changes = [change for change in diff.changes if change.level == level]
        if changes:
            yield ""
            yield f"{_HEADINGS[level]}:"
        for change in changes:
            yield f"  {_spots(change)}"
            yield f"    {change.message}{' (suspected)' if change.is_suspected else ''}"
            yield f"    why: {change.reason}"
            yield f"    {_where(change, before, after)}"
    yield ""
    yield f"version: {verdict(diff)}"
    if not diff.is_bump_made:
        yield f"  hint: {fix(diff, after)}"


def diff_json(diff: PlanDiff, before: Side, after: Side) -> dict[str, Any]:
    """The report as plain data; keys are stable."""
    return {
        "before": {"plan": diff.before.name, "version": diff.before.version, "folder": before.shown},
        "after": {"plan": diff.after.name, "version": diff.after.version, "folder": after.shown},
        "bump": {
            "demanded": diff.demanded.word,
            "is_made": diff.is_bump_made,
            "next_version": diff.next_version,
        },
        "counts": diff.counts,
        "changes": [
            {
                "kind": change.kind,
                "level": change.level,
                "is_suspected": change.is_suspected,
                "demands": diff.demand_of(change).word,
                "message": change.message,
                "reason": change.reason,
                "spots": [{"event": event, "path": path} for event, path in change.spots if event],
                "before": _place_json(change.before, before),
                "after": _place_json(change.after, after),
            }
            for change in diff.changes
        ],
    }


def _place_json(place: Place | None, side: Side) -> dict[str, Any] | None:
    return {"file": side.file(place), "line": place.line, "column": place.column} if place is not None else None


def _json(diff: PlanDiff, before: Side, after: Side) -> Iterator[str]:
    yield json.dumps(diff_json(diff, before, after), indent=2, ensure_ascii=False)


def _markdown(diff: PlanDiff, before: Side, after: Side) -> Iterator[str]:
    sign = "✅" if diff.is_bump_made else "❌"
    yield f"### Tracking plan: {_summary(diff)}"
    yield ""
    yield f"{sign} {verdict(diff)}" if diff.is_bump_made else f"{sign} {verdict(diff)}: {fix(diff, after)}"
    for level in LEVELS:
        changes = [change for change in diff.changes if change.level == level]
        if changes:
            yield ""
            yield f"#### {_HEADINGS[level]}"
            yield ""
        for change in changes:
            suspected = " *(suspected)*" if change.is_suspected else ""
            yield f"- **{_escaped(_spots(change))}**: {change.message}{suspected}  "
            yield f"  {change.reason} (`{_where(change, before, after)}`)"


def _escaped(text: str) -> str:
    """A name in Markdown: what would start markup, a tag or a mention is a plain character."""
    return "".join(f"\\{character}" if character in "\\`*_[]<>#@|~" else character for character in text)


def _github(diff: PlanDiff, before: Side, after: Side) -> Iterator[str]:
    """Workflow commands; GitHub shows few of them per step, so the verdict comes first and the worst next."""
    if not diff.is_bump_made:
        place = head_place(diff.after, "version")
        yield _annotation("error", after, place, "Version bump is missing", f"{verdict(diff)}: {fix(diff, after)}")
    for change in diff.changes:
        kind = "warning" if change.level == "breaking" else "notice"
        title = f"{_level(change).capitalize()}: {_spots(change)}"
        message = f"{change.message}: {change.reason} (was: {before.where(change.before)})" if change.before else None
        yield _annotation(kind, after, change.nearest, title, message or f"{change.message}: {change.reason}")
    yield f"tracking plan {before.shown} -> {after.shown}: {_summary(diff)}; version: {verdict(diff)}"


def _annotation(kind: str, side: Side, place: Place, title: str, message: str) -> str:
    """A workflow command of GitHub Actions (docs.github.com, "Workflow commands"), escaped as its runner unescapes."""
    where = f"file={_property(side.file(place))},line={place.line},col={place.column}"
    return f"::{kind} {where},title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
