"""`cdi dlq explain`: why something could not be delivered, in which line of the plan, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdi_cli.cli.dlq_choice import (
    Choice,
    chooses,
    find_numbers,
    require_choice,
)
from cdi_cli.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from cdi_cli.pipeline.explain import Explanation, Held, Spot
    from cdi_cli.plan import Place

EXPLAINED_MAX = 20


@chooses
def explain(
    choice: Choice,
    config: ConfigOption = None,
    show_data: Annotated[bool, typer.Option("--show-data", help="Also show values that are personal data")] = False,
    as_json: JsonOption = False,
) -> None:
    """Explain dead letters: what failed and where, the line of the plan, what the record holds there, what to do next.

    Values are hidden unless the plan says that they are no personal data.

    Example: cdi dlq explain 12
    """
    import asyncio

    from cdi_cli.cli import output
    from cdi_cli.cli.closing import say
    from cdi_cli.cli.options import open_project
    from cdi_cli.cli.state_file import open_reader
    from cdi_cli.pipeline.explain import explain as explain_letter

    require_choice(choice)
    project = open_project(config)
    with open_reader(config) as store:
        find_numbers(store, choice)
        letters = (
            store.dead_letters(choice.filter(), limit=choice.limit or max(EXPLAINED_MAX, len(choice.named))) if store else []
        )
    explained = [asyncio.run(explain_letter(project, stored)) for stored in letters]
    if as_json:
        shown = [_json(each, has_data=show_data) for each in explained]
        output.print_json(shown[0] if len(choice.named) == 1 and shown else shown)
        return
    data = output.data()
    if not explained:
        say(data, "no dead letters match")
    for number, each in enumerate(explained):
        if number:
            say(data, "")
        for line in lines_of(each, project.config_flag, has_data=show_data):
            say(data, output.plain(line))


STAGES = {
    "read": "reading the record",
    "map": "the mapping: a JSONata script of the tracking plan",
    "plan": "the check against the tracking plan",
    "route": "routing: a rule of the pipeline holds it back",
    "encode": "encoding it for the destination",
    "send": "sending it: the destination said no",
}


def lines_of(explained: Explanation, config_flag: str = "", *, has_data: bool = False) -> list[str]:
    """The explanation as a person reads it."""
    from cdi_cli.cli.dlq_letters import name_of

    stored, letter = explained.stored, explained.stored.letter
    often = f"{stored.times:,} times since {stored.first_at}, last" if stored.times > 1 else "once,"
    now = explained.plan_version
    is_other_plan = now not in ("", stored.plan_version)
    lines = [
        f"dead letter {stored.id}: {name_of(stored)}: {letter.detail}",
        f"  failed:  at {STAGES[letter.stage]} ({letter.reason})",
        f"  when:    {often} {stored.at} in run {stored.run_id}",
        f"  from:    {stored.source} {letter.stream}, record {letter.entity_id or 'without a readable id'}",
        f"  to:      {stored.destination} (pipeline {stored.pipeline})",
    ]
    if letter.event_id:
        lines.append(f"  event:   {letter.event_id}")
    planned = f", planned in {_where(explained.place)}" if explained.place is not None and not explained.spots else ""
    lines.append(f"  plan:    {stored.plan_version}{f', now {now}' if is_other_plan else ''}{planned}")
    lines += [f"  record:  {_held(each, has_data=has_data)}" for each in explained.held]
    for spot in explained.spots:
        lines += ["", *_spot_lines(spot, has_data=has_data)]
    return [*lines, "", *_next(explained, config_flag)]


def _spot_lines(spot: Spot, *, has_data: bool) -> list[str]:
    import json

    lines = [f"  {spot.message} (rule: {spot.rule})"]
    if spot.shown:
        lines.append(f"    value:   {json.dumps(spot.value, ensure_ascii=False) if has_data else spot.shown}")
    if spot.place is not None:
        lines.append(f"    planned: {_where(spot.place)}{''.join(f', from {source}' for source in spot.sources)}")
    lines += [f"    record:  {_held(each, has_data=has_data)}" for each in spot.held]
    lines.append(f"    fix:     {spot.fix}")
    return lines


def _held(held: Held, *, has_data: bool) -> str:
    import json

    value = f": {json.dumps(held.value, ensure_ascii=False)}" if has_data and held.value is not None else ""
    return f"{held.path} holds {held.kind}{value}"


def _next(explained: Explanation, config_flag: str) -> list[str]:
    from cdi_cli.cli import output
    from cdi_cli.cli.dlq_letters import advice

    stored = explained.stored
    places = dict.fromkeys(_where(spot.place) for spot in explained.spots if spot.place is not None)
    at = f" ({', '.join(places)})" if places else ""
    lines = [f"  next:    {advice(stored.letter.reason)}{at}"]
    if explained.why_stuck:
        return [*lines, f"           it cannot be replayed: {explained.why_stuck}; `cdi dlq drop {stored.id}` gives it up"]
    for verb, what in (("recheck", "tells whether it would pass now"), ("replay", "sends it")):
        lines.append(f"           `{output.command()} dlq {verb} {stored.id}{config_flag}` {what}")
    if stored.letter.stage not in ("route", "send"):
        lines.append("           a record that is corrected in the shop is sent by the next sync, and this leaves by itself")
    return lines


def _where(place: Place) -> str:
    from pathlib import Path

    path = Path(place.file)
    is_below = path.is_absolute() and path.is_relative_to(Path.cwd())
    return f"{path.relative_to(Path.cwd()) if is_below else path}:{place.line}"


def _json(explained: Explanation, *, has_data: bool) -> dict[str, Any]:
    from cdi_cli.cli.dlq_letters import letter_json

    def held(each: Held) -> dict[str, Any]:
        return {"path": each.path, "holds": each.kind, **({"value": each.value} if has_data else {})}

    def spot(each: Spot) -> dict[str, Any]:
        return {
            "path": each.path,
            "rule": each.rule,
            "message": each.message,
            "value": each.value if has_data else each.shown,
            "planned_at": _where(each.place) if each.place is not None else None,
            "from": list(each.sources),
            "record": [held(one) for one in each.held],
            "fix": each.fix,
        }

    return {
        **letter_json(explained.stored),
        "violations": [spot(each) for each in explained.spots],
        "present_plan_version": explained.plan_version or None,
        "planned_at": _where(explained.place) if explained.place is not None else None,
        "record": [held(each) for each in explained.held],
        "can_be_replayed": not explained.why_stuck,
        "why_not": explained.why_stuck or None,
    }
