"""Projects with dead letters behind them: what the tests of `cdi dlq` run on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import canary
from cli_project import CliProject
from plan_tools import copy_default_plan

from cdi_cli.sandbox import SandboxThread

TOTAL = "    minimum: 0\n    from: order.total\n"
COMPLETED = "events/order_completed.yaml"


@contextmanager
def left_behind(folder: Path) -> Iterator[CliProject]:
    """A project after a backfill that left one unreadable order, the canary's, behind."""
    with SandboxThread(canary.options(orders=20)) as sandbox, CliProject(folder, sandbox, source="page_size: 100") as made:
        sandbox.shop.update("orders", made.order["id"], {"totalPrice": {**made.order["totalPrice"], "centAmount": "12.34"}})
        assert made.backfill().code == 1
        yield made


@contextmanager
def too_strict(folder: Path, minimum: int = 10_000_000) -> Iterator[CliProject]:
    """A project whose own plan, in `plan/`, took no order of less than so much (cents play no part) in its backfill."""
    with (
        SandboxThread(canary.options(orders=30)) as sandbox,
        CliProject(folder, sandbox, top="plan: plan", pipeline="breaker: {rejected_share_max: 1}") as made,
    ):
        copy_default_plan(made.place)
        set_minimum(made, minimum)
        assert made.backfill().code == 1
        yield made


def set_minimum(project: CliProject, minimum: int) -> None:
    """Change the least total that the project's plan takes of a completed order."""
    path = project.place / "plan" / COMPLETED
    text = path.read_text(encoding="utf-8")
    changed = re.sub(r"    minimum: \d+\n    from: order\.total\n", TOTAL.replace("0", str(minimum), 1), text)
    assert changed.count("from: order.total\n") == 1
    path.write_text(changed, encoding="utf-8")


def settled(text: str) -> str:
    """A text without times, versions of the plan, and blanks at line ends."""
    text = re.sub(r"(plan: {3,4})\d+\.\d+\.\d+", r"\1V", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "THEN", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "YYYY-MM-DD HH:MM", text)
    return re.sub(r" +$", "", text, flags=re.MULTILINE)


def sent_events(project: CliProject) -> list[tuple[str, str]]:
    """(event, message id) of everything that the destination took, in order."""
    taken = project.sandbox.segment.applied
    return [(message.get("event", message["type"]), message["messageId"]) for message in taken]
