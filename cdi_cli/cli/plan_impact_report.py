"""The report of `cdi plan impact`, as tables and as JSON; values are redacted by their PII class where they were found."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cdi_cli.cli.closing import plain_table, say
from cdi_cli.cli.output import plain
from cdi_cli.pipeline.impact import Impact, StreamRead
from cdi_cli.pipeline.impact_letters import LetterTally
from cdi_cli.pipeline.impact_tally import Tallies, Tally
from cdi_cli.plan.diff_sides import Side

LEDGER = {"same": "with this content", "other": "with other content", "not": "not known"}


def print_impact(found: Impact, candidate: Side, baseline: Side, console: Console) -> None:
    """Print the whole report."""
    say(console, plain(f"candidate: {candidate.plan.name} {candidate.plan.version} ({candidate.shown})"))
    say(console, plain(f"baseline:  {baseline.plan.name} {baseline.plan.version} ({baseline.shown})"))
    say(console, f"window:    {found.window.since} .. {found.window.until} (UTC, end excluded)")
    say(console, f"read:      {', '.join(map(_read_text, found.streams)) or 'nothing'}")
    if found.ledger:
        parts = [f"{found.ledger[key]:,} {words}" for key, words in LEDGER.items()]
        say(console, f"ledger:    of {sum(found.ledger.values()):,} events, {', '.join(parts)}")
    say(console, "")
    _print_tallies("Events as they were delivered", found.delivered, console)
    _print_tallies("The same records mapped by the candidate", found.mapped, console)
    if found.letters:
        passing = sum(tally.fates["passes"] for tally in found.letters)
        total = sum(sum(tally.fates.values()) for tally in found.letters)
        newest = " newest" if found.has_more_letters else ""
        say(console, f"Dead letters: {passing:,} of the {total:,}{newest} would pass now ({_percent(passing / total)})")
        console.print(_letters_table(found.letters))


def _read_text(line: StreamRead) -> str:
    of = f" of {line.total:,}" if line.total is not None else ""
    unreadable = f" ({line.unreadable:,} unreadable)" if line.unreadable else ""
    return f"{line.name} {line.read:,}{of}{unreadable}"


def _percent(share: float) -> str:
    """A share in percent; what is above nothing and below all never looks like it."""
    if 0 < share < 0.001:
        return "<0.1 %"
    return ">99.9 %" if 0.999 < share < 1 else f"{share * 100:.1f} %"


def _print_tallies(title: str, tallies: Tallies, console: Console) -> None:
    shown = f"{tallies.rejected:,} of {tallies.checked:,} would be rejected ({_percent(tallies.share)})"
    say(console, f"{title}: {shown if tallies.checked else 'there are none'}")
    if not tallies.checked:
        say(console, "")
        return
    console.print(_events_table(tallies))
    broken = [tally for tally in _sorted(tallies) if tally.rules]
    if broken:
        console.print(_rules_table(broken))
    for tally in broken:
        for rule in tally.rules.values():
            found = f", found {rule.found}" if rule.found and ", found " not in rule.message else ""
            say(console, plain(f"  {tally.event}: {rule.message}; first in {rule.seen_at}{found}"))
    say(console, "")


def _sorted(tallies: Tallies) -> list[Tally]:
    return sorted(tallies.by_event.values(), key=lambda tally: (-tally.share, tally.event))


def _events_table(tallies: Tallies) -> Table:
    table = plain_table()
    table.add_column("event", overflow="fold")
    for name in ("checked", "rejected", "share", "stripped", "warned"):
        table.add_column(name, justify="right", no_wrap=True)
    for tally in _sorted(tallies):
        numbers = (
            f"{tally.checked:,}",
            f"{tally.rejected:,}",
            _percent(tally.share),
            f"{tally.altered:,}",
            f"{tally.warned:,}",
        )
        table.add_row(Text(plain(tally.event)), *numbers)
    return table


def _rules_table(broken: list[Tally]) -> Table:
    table = plain_table()
    for name in ("event", "path", "rule"):
        table.add_column(name, overflow="fold")
    table.add_column("events", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    for tally in broken:
        for rule in sorted(tally.rules.values(), key=lambda each: -each.count):
            cells = [Text(plain(text)) for text in (tally.event, rule.path or "-", rule.rule)]
            table.add_row(*cells, f"{rule.count:,}", _percent(rule.count / tally.checked))
    return table


def _letters_table(letters: list[LetterTally]) -> Table:
    table = plain_table()
    for name in ("event", "path", "rule"):
        table.add_column(name, overflow="fold")
    for name in ("would pass", "rejected", "unknown", "example"):
        table.add_column(name, justify="right")
    for tally in letters:
        cells = [Text(plain(text)) for text in (tally.event, tally.path or "-", tally.rule)]
        fates = (tally.fates["passes"], tally.fates["rejected"], tally.fates["unknown"])
        table.add_row(*cells, *(f"{number:,}" for number in fates), str(tally.example))
    return table


def impact_json(found: Impact, candidate: Side, baseline: Side) -> dict[str, Any]:
    """The report as plain data; keys are stable, shares are 0 to 1."""
    return {
        "candidate": {"plan": candidate.plan.name, "version": candidate.plan.version, "folder": candidate.shown},
        "baseline": {"plan": baseline.plan.name, "version": baseline.plan.version, "folder": baseline.shown},
        "since": found.window.since,
        "until": found.window.until,
        "streams": {
            line.name: {"read": line.read, "total": line.total, "unreadable": line.unreadable} for line in found.streams
        },
        "ledger": {key: found.ledger[key] for key in LEDGER} if found.ledger else None,
        "delivered": _tallies_json(found.delivered),
        "mapped": _tallies_json(found.mapped),
        "dead_letters": [
            {
                "event": tally.event,
                "path": tally.path,
                "rule": tally.rule,
                "passes": tally.fates["passes"],
                "rejected": tally.fates["rejected"],
                "unknown": tally.fates["unknown"],
                "example": tally.example,
            }
            for tally in found.letters
        ],
        "has_more_dead_letters": found.has_more_letters,
        "problems": found.problems,
    }


def _tallies_json(tallies: Tallies) -> dict[str, Any]:
    return {
        "checked": tallies.checked,
        "rejected": tallies.rejected,
        "share": tallies.share,
        "events": [
            {
                "event": tally.event,
                "checked": tally.checked,
                "rejected": tally.rejected,
                "share": tally.share,
                "stripped": tally.altered,
                "warned": tally.warned,
                "rules": [
                    {
                        "path": rule.path,
                        "rule": rule.rule,
                        "events": rule.count,
                        "share": rule.count / tally.checked,
                        "message": rule.message,
                        "found": rule.found,
                        "seen_at": rule.seen_at,
                    }
                    for rule in tally.rules.values()
                ],
            }
            for tally in _sorted(tallies)
        ],
    }
