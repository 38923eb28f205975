"""`cdi preview`: one record on its way to one destination, without sending anything."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cdi_cli.cli.options import ConfigOption, JsonOption, PipelineOption


class Kind(StrEnum):
    """What `cdi preview` can look at."""

    ORDER = "order"
    CUSTOMER = "customer"
    CART = "cart"
    PRODUCT = "product"


def preview(
    kind: Annotated[Kind, typer.Argument(help="What to look at")],
    name: Annotated[str | None, typer.Argument(help="Its id, number, SKU or e-mail address", show_default=False)] = None,
    destination: Annotated[
        str | None, typer.Option("--destination", "-d", help="Where to; needed when there are several", show_default=False)
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            "--offline",
            metavar="FILE",
            help="Do not ask the source: a record as it sends it, or a line of fixtures",
            show_default=False,
        ),
    ] = None,
    event: Annotated[
        list[str] | None, typer.Option("--event", "-e", help="Only this event; may be repeated", show_default=False)
    ] = None,
    backfill: Annotated[bool, typer.Option("--backfill", help="As a backfill would send it, not a sync")] = False,
    body: Annotated[bool, typer.Option("--body", help="Print only the request bodies, as JSON lines")] = False,
    full: Annotated[bool, typer.Option("--full", help="Show everything, however long")] = False,
    show_data: Annotated[bool, typer.Option("--show-data", help="Show personal data, too")] = False,
    config: ConfigOption = None,
    pipeline: PipelineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what one order, customer, cart or product would be sent as: record, entity, events, request, field by field.

    Of each field it tells which values of the record it is made of, and of what is not sent why: consent, routing, the plan,
    the destination's own rules, or that it was sent before, and in which run. Personal data is shown by its kind only. Asks
    the source, reads the checkpoint file if there is one, and sends and changes nothing.

    Example: cdi preview order 123 --destination insider
    """
    import asyncio

    from cdi_cli.cli import output
    from cdi_cli.cli.options import open_project
    from cdi_cli.cli.preview_json import bodies, preview_json
    from cdi_cli.cli.preview_record import read_record
    from cdi_cli.cli.preview_report import Style, print_previews
    from cdi_cli.cli.state_file import open_reader
    from cdi_cli.errors import ConfigError
    from cdi_cli.pipeline.preview import GivenRecord, choose_way, only_events
    from cdi_cli.pipeline.preview import preview as look

    if (name is None) == (record is None):
        raise ConfigError(
            f"which {kind.value}?" if name is None else "a name and `--record` exclude each other",
            hint=f"`cdi preview {kind.value} ID`, with its id, number, SKU or e-mail, or `--record FILE`",
        )
    wanted: str | GivenRecord = name if name is not None else read_record(record) if record is not None else ""
    project = open_project(config)
    way = choose_way(project, pipeline, destination)
    with open_reader(config) as store:
        found = asyncio.run(look(project, store, way, kind.value, wanted, is_backfill=backfill))
    only_events(found, event or ())
    if body:
        for line in bodies(found, has_data=show_data):
            output.print_text(line)
    elif as_json:
        output.print_json([preview_json(each, has_data=show_data) for each in found])
    else:
        print_previews(found, output.data(), Style(has_data=show_data, is_full=full))
