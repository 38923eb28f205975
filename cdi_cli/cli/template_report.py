"""What `cdi template test` shows: what was read, what came of it and of which line, what breaks the plan."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cdi_cli.cli.output import plain
from cdi_cli.pipeline.preview_lineage import Probe, path_of
from cdi_cli.pipeline.preview_mask import PERSONAL, masked_record, what
from cdi_cli.pipeline.template_try import Try, decoded_input
from cdi_cli.secrets import REDACTOR

if TYPE_CHECKING:
    from rich.console import Console

INPUT_LINES_MAX = 60
_NUMBER = re.compile(r"\[\d+\]")
_AMOUNT = re.compile(r'\{(\s+"amount": [^{}]+)\}')
_ADDRESS = re.compile(r"address$", re.IGNORECASE)
_SHOWN_OF_ADDRESS = frozenset({"country"})


def print_tries(tries: Sequence[Try], console: Console, *, has_data: bool) -> None:
    """Print each try, one after the other."""
    for number, one in enumerate(tries):
        for line in (*([""] if number else []), *_lines(one, has_data=has_data)):
            console.print(plain(REDACTOR(line)), soft_wrap=True)


def _lines(one: Try, *, has_data: bool) -> Iterator[str]:
    planned = one.rule.planned
    made_by = planned.template.name if planned.template is not None else ""
    how = f"template {made_by}" if made_by else "expressions" if planned.scripts else "mapped with `from:`"
    yield f"{one.rule.name}  {one.rule.kind}, {one.occurrence.at}, {how}"
    if planned.scripts:
        yield from ("", "input")
        whole = json.dumps(_input(one, has_data=has_data), indent=2, ensure_ascii=False)
        text = _AMOUNT.sub(lambda amount: f"{{{' '.join(amount.group(1).split())}}}", whole).splitlines()
        yield from (f"  {line}" for line in text[:INPUT_LINES_MAX])
        if len(text) > INPUT_LINES_MAX:
            yield f"  ... and {len(text) - INPUT_LINES_MAX} more lines (`--json` shows all)"
    yield from ("", "output")
    if one.error is not None:
        yield f"  none: {one.error.detail}"
        yield f"  at {one.error.place}"
        return
    rows = list(_rows(one, has_data=has_data))
    width = max((len(path) for path, *_ in rows), default=0)
    for path, value, origin in rows:
        yield f"  {path:<{width}}  {json.dumps(value, ensure_ascii=False)}{f'  <- {origin}' if origin else ''}"
    if not rows:
        yield "  no properties"
    yield from ("", "violations" if one.violations else "no violations")
    yield from (f"  {violation.message} (rule: {violation.rule})" for violation in one.violations)


def try_json(one: Try, *, has_data: bool) -> dict[str, Any]:
    """A try as plain data."""
    planned, error = one.rule.planned, one.error
    made: dict[str, dict[str, str]] = {}
    for path, _, origin in _rows(one, has_data=has_data):
        made.setdefault(_NUMBER.sub("[]", path), {"property": _NUMBER.sub("[]", path), "from": origin})
    return {
        "event": one.rule.name,
        "trigger": one.rule.kind,
        "at": one.occurrence.at,
        "template": planned.template.name if planned.template is not None else None,
        "input": _input(one, has_data=has_data) if planned.scripts else None,
        "output": _masked_output(one, one.properties, (), has_data=has_data) if one.properties is not None else None,
        "lineage": list(made.values()),
        "error": {
            "reason": error.reason,
            "message": error.sentence,
            "file": error.place.file,
            "line": error.place.line,
            "column": error.place.column,
        }
        if error is not None
        else None,
        "violations": [{"path": each.path, "rule": each.rule, "message": each.message} for each in one.violations],
    }


def _input(one: Try, *, has_data: bool) -> dict[str, Any]:
    """What the scripts read, with what may be about a person masked."""
    parts = decoded_input(one)
    if has_data:
        return parts
    return {
        name: masked_record(value) if name == "record" else _masked(value, name, one.personal)
        for name, value in parts.items()
    }


def _masked(value: Any, field: str, personal: frozenset[str], *, is_address: bool = False) -> Any:
    """A value of an entity; texts about a person are masked by the name of their field, and wherever else they stand."""
    if isinstance(value, dict):
        inside = is_address or _ADDRESS.search(field) is not None
        return {name: _masked(each, name, personal, is_address=inside) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, field, personal, is_address=is_address) for each in value]
    if not isinstance(value, str):
        return value
    is_named = field in PERSONAL or (is_address and field not in _SHOWN_OF_ADDRESS)
    return what(value) if is_named or any(text in value.casefold() for text in personal) else value


def _rows(one: Try, *, has_data: bool) -> Iterator[tuple[str, Any, str]]:
    """Path, value and origin of everything that the event holds."""
    for steps, value in _leaves(one.properties or {}, ()):
        probe = Probe("properties", steps, value)
        yield path_of(steps), _shown(one, probe, has_data=has_data), one.origins.source(probe)


def _shown(one: Try, probe: Probe, *, has_data: bool) -> Any:
    value = probe.value
    if has_data or value is None or isinstance(value, bool | dict | list):
        return value
    pii = one.origins.pii(probe)
    if pii != "none":
        return what(value, pii)
    # A script may put a person's data where the plan expects none.
    is_personal = isinstance(value, str) and any(text in value.casefold() for text in one.personal)
    return what(value) if is_personal else value


def _masked_output(one: Try, value: Any, steps: tuple[str | int, ...], *, has_data: bool) -> Any:
    if isinstance(value, dict):
        return {name: _masked_output(one, each, (*steps, name), has_data=has_data) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked_output(one, each, (*steps, number), has_data=has_data) for number, each in enumerate(value)]
    return _shown(one, Probe("properties", steps, value), has_data=has_data)


def _leaves(value: Any, steps: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, (*steps, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _leaves(each, (*steps, number))
    else:
        yield steps, value
