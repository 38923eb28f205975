"""Files: events as JSON lines in a folder, for dry runs of what a product would get, for archives, and to load elsewhere.

    exports/20260131T120000Z-3f9a2c01.jsonl          per: run     one file for each run
    exports/2026-01-31/20260201T...-3f9a2c01.jsonl   per: day     one for each run and day of business time (UTC)
    exports/order-completed/2026...-3f9a2c01.jsonl   per: event   one for each run and event

A line is a Segment-spec message, which `cdi push` can send on. A file is named `.part` until its run ends: whoever reads
`*.jsonl` or `*.jsonl.gz` never sees half a line. An event counts as delivered once its line is on the disk (`fsync`).

**No line is written twice by a run that is resumed**: what was on its way when a run was killed is looked for in the files
of the folder first. Where files were moved away meanwhile it cannot be found, and is written again: readers that must not
count it twice keep one line for each `messageId`.
"""

from __future__ import annotations

from collections.abc import Callable

from cdi_cli.destinations._base import (
    Destination,
    DestinationContext,
    DestinationSpec,
    Draft,
    Drafter,
    Rejected,
)
from cdi_cli.destinations.file.settings import FileSettings
from cdi_cli.events import Event

__all__ = ["DESTINATION", "FileSettings"]


def _open(settings: FileSettings, context: DestinationContext) -> Destination:
    from cdi_cli.destinations.file.destination import FileDestination

    return FileDestination(settings, context)


def _judge(_settings: FileSettings | None) -> Callable[[Event], Rejected | None]:
    from cdi_cli.destinations.file.encode import line_of

    def refused(event: Event) -> Rejected | None:
        line = line_of(event)
        return line if isinstance(line, Rejected) else None

    return refused


def _draft(settings: FileSettings, _context: DestinationContext) -> Drafter:
    from cdi_cli.destinations.file.encode import group_of, line_of

    def draft(event: Event) -> list[Draft] | Rejected:
        line = line_of(event)
        if isinstance(line, Rejected):
            return line
        return [Draft("WRITE", str(settings.folder / group_of(line, settings.per) / f"*.{settings.format}"), line)]

    return draft


DESTINATION = DestinationSpec(
    name="file",
    title="Files (JSON lines)",
    settings=FileSettings,
    open=_open,
    is_idempotent=False,
    judge=_judge,
    draft=_draft,
)
"""A file knows no repeats: the same event written twice is two lines."""
