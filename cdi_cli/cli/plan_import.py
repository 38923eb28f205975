"""`cdi plan import`: a tracking plan of another system as a plan folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cdi_cli.cli.plan_export import AllowLossesOption, tell_losses

if TYPE_CHECKING:
    from cdi_cli.plan.import_document import ImportedPlan


def import_(
    file: Annotated[Path, typer.Argument(help="The document, as JSON", show_default=False)],
    origin: Annotated[Literal["segment", "mparticle"], typer.Option("--from", help="Which system the document is from")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the plan", show_default=False)],
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--mapping",
            help="Plan folder to take triggers, `from:` and PII classes from; default the one that ships with cdi",
            show_default=False,
        ),
    ] = None,
    allow_losses: AllowLossesOption = False,
) -> None:
    """Make a plan folder of a tracking plan of another system; an existing folder is never touched.

    segment takes a Protocols tracking plan (rules of the Public API, or a plan saved by Typewriter), mparticle a data plan
    or one version of it. Where values come from is known to neither: it is taken from another plan by the names of events
    and properties. An event for which that does not suffice is checked, but not made by cdi (`trigger: none`).

    What a plan cannot say is listed on standard error. Exit code 0: no rule got lost; 1: the folder is written, and rules
    got lost; 2: nothing was written.

    Example: cdi plan import protocols.json --from segment --out tracking_plan
    """
    from cdi_cli.cli import output
    from cdi_cli.plan import load_plan
    from cdi_cli.plan.export_losses import Losses
    from cdi_cli.plan.import_document import read_document
    from cdi_cli.plan.import_files import refuse_existing, write_plan
    from cdi_cli.plan.import_mapping import take_mapping
    from cdi_cli.plan.import_mparticle import from_mparticle
    from cdi_cli.plan.import_segment import from_segment

    refuse_existing(out)
    donor = load_plan(mapping)
    losses = Losses()
    convert = from_segment if origin == "segment" else from_mparticle
    imported = convert(read_document(file), losses)
    take_mapping(imported, donor)
    plan = None
    try:
        plan = write_plan(imported, out, losses, origin="Imported by `cdi plan import`")
    finally:
        tell_losses(losses.all(), "the document", "a plan")
    made = sum(event.is_produced for event in plan.events)
    _tell_todo(imported)
    output.print_text(
        f"wrote {out}: plan `{plan.name}` {plan.version}, {len(plan.events)} events, {made} of them made by cdi"
    )
    if losses.rules() and not allow_losses:
        raise typer.Exit(1)


def _tell_todo(imported: ImportedPlan) -> None:
    """Tell which events lack a mapping although the other plan has them."""
    from cdi_cli.cli import output

    console = output.talk()
    for event in imported.events:
        if event.todo:
            lacking = ", ".join(f"`{path}`" for path in event.todo[:5])
            more = f" and {len(event.todo) - 5} more" if len(event.todo) > 5 else ""
            text = f"note: `{event.name}` is not made by cdi yet: it lacks a `from:` for {lacking}{more}"
            console.print(output.plain(text), soft_wrap=True)
