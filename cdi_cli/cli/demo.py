"""`cdi demo`: a real backfill from simulated platforms, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    orders: Annotated[int, typer.Option("--orders", min=1, max=200_000, help="Orders in the simulated shop")] = 5000,
    source: Annotated[str, typer.Option("--source", help="Platform of the simulated shop")] = "commercetools",
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", help="Where settings and checkpoint are put; default demo or demo-SOURCE", show_default=False
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what an earlier demo delivered")] = False,
) -> None:
    """Backfill a simulated shop into a simulated Segment, over HTTP, and show what happened.

    Example: cdi demo --orders 20000
    """
    from cdi_cli.cli.demo_run import run

    raise typer.Exit(run(orders, source, folder, is_fresh=fresh))
