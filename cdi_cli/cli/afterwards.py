"""What follows a run besides its own output: the metrics file and the webhook. Neither changes how the command ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cdi_cli.cli import output
from cdi_cli.cli.closing import say
from cdi_cli.cli.errors import print_error
from cdi_cli.clock import SYSTEM_CLOCK
from cdi_cli.errors import CdiError
from cdi_cli.pipeline.figures import RunFigures
from cdi_cli.pipeline.metrics import write_metrics
from cdi_cli.pipeline.notify import memory_beside, notify

if TYPE_CHECKING:
    from cdi_cli.pipeline.project import Project
    from cdi_cli.state._base import Store


def tell(project: Project, store: Store, runs: Sequence[RunFigures], metrics_file: str | None = None) -> None:
    """Write the metrics file and tell the webhook, where the settings (or `--metrics-file`) name them."""
    settings = project.settings
    path = Path(metrics_file) if metrics_file is not None else settings.metrics_file
    talk = output.talk()
    try:
        if path is not None:
            ways = [(name, each) for name, chosen in settings.pipelines.items() for each in chosen.destinations]
            write_metrics(path, store, ways, runs, SYSTEM_CLOCK.instant())
    except CdiError as error:
        print_error(error, talk)
    try:
        if settings.notify is not None and runs:
            webhook = settings.notify.webhook.resolve()
            for warning in asyncio.run(notify(webhook, memory_beside(settings.state), runs)):
                say(talk, output.plain(f"warning: {warning}"))
    except CdiError as error:
        print_error(error, talk)
