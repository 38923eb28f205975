"""`cdi ledger`: what was sent for one entity, how large the memory of that is, and making it smaller."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cdi_cli.cli.options import ConfigOption, JsonOption, PipelineOption


class Kind(StrEnum):
    """What `cdi ledger show` shows one of."""

    ORDER = "order"
    CUSTOMER = "customer"
    CART = "cart"
    PRODUCT = "product"
    EVENT = "event"


def show(
    kind: Annotated[Kind, typer.Argument(help="What to show")],
    name: Annotated[str, typer.Argument(help="Its id, number, SKU or e-mail address; of an event its message id")],
    config: ConfigOption = None,
    pipeline: PipelineOption = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the source; only what follows from an id")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what was sent for one order, customer, cart or product: where to, when, in which run, under which plan version.

    The source is asked for the record as it is now, to tell what it would make that was not sent, and why. Works beside a
    running sync. No property of an event is shown.

    Example: cdi ledger show order 123 --pipeline main
    """
    import asyncio
    from dataclasses import asdict

    from cdi_cli.cli import output
    from cdi_cli.cli.closing import say
    from cdi_cli.cli.ledger_report import view_lines
    from cdi_cli.cli.options import open_project
    from cdi_cli.cli.state_file import open_reader
    from cdi_cli.errors import ConfigError
    from cdi_cli.pipeline.ledger_view import show_entity, show_event

    project = open_project(config)
    pipelines = [project.pipeline_name(pipeline)] if pipeline is not None else list(project.settings.pipelines)
    with open_reader(config) as store:
        if store is None:
            raise ConfigError("there is no checkpoint file yet: nothing was sent", hint="run `cdi backfill` first")
        if kind is Kind.EVENT:
            views = show_event(project, store, pipelines, name)
        else:
            views = asyncio.run(show_entity(project, store, pipelines, kind.value, name, is_offline=offline))
    known = [view for view in views if not view.is_empty]
    if as_json:
        output.print_json([asdict(view) for view in known])
    for note in dict.fromkeys(note for view in views if view.is_empty for note in view.notes):
        say(output.talk(), f"note: {output.plain(note)}")
    if not known:
        hint = (
            "give its whole message id, as the destination shows it" if kind is Kind.EVENT else "give its id or its number"
        )
        raise ConfigError(f"nothing is known of this {kind.value}", hint=hint)
    if not as_json:
        for view in known:
            for line in view_lines(view):
                say(output.data(), output.plain(line))


def size(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show how large the memory of what was delivered is: entries, bytes, bytes per event.

    Example: cdi ledger size
    """
    from cdi_cli.cli import output
    from cdi_cli.cli.closing import say
    from cdi_cli.cli.ledger_report import size_json, size_lines
    from cdi_cli.cli.options import open_project
    from cdi_cli.cli.state_file import open_reader
    from cdi_cli.state._base import LedgerSize

    path = open_project(config).settings.state
    with open_reader(config) as store:
        found = store.ledger_size() if store is not None else LedgerSize(0, 0, 0)
    file_bytes = sum(each.stat().st_size for each in (path, path.with_name(f"{path.name}-wal")) if each.exists())
    if as_json:
        output.print_json(size_json(found, file_bytes))
        return
    for line in size_lines(found, file_bytes):
        say(output.data(), line)


def compact(
    config: ConfigOption = None,
    max_duration: Annotated[str, typer.Option("--max-duration", help="Stop in order after so long")] = "60s",
    as_json: JsonOption = False,
) -> None:
    """Put small rows of the ledger together. `cdi sync` does a little of this itself; nothing that was sent is forgotten.

    Example: cdi ledger compact --max-duration 5m
    """
    from cdi_cli.cli import output
    from cdi_cli.cli.closing import say
    from cdi_cli.cli.ledger_report import size_json, size_lines
    from cdi_cli.cli.options import open_project
    from cdi_cli.config.durations import parse_option
    from cdi_cli.errors import ConfigError
    from cdi_cli.state import open_store

    path = open_project(config).settings.state
    seconds = parse_option(max_duration, "--max-duration", "write for example `--max-duration 5m`")
    if not path.exists():
        raise ConfigError("there is no checkpoint file yet: nothing was sent", hint="run `cdi backfill` first")
    with open_store(path) as store:
        saved = store.compact(seconds_max=seconds)
        found = store.ledger_size()
    file_bytes = path.stat().st_size
    if as_json:
        output.print_json({"rows_saved": saved, **size_json(found, file_bytes)})
        return
    say(output.data(), f"rows saved:      {saved:,}")
    for line in size_lines(found, file_bytes):
        say(output.data(), line)
