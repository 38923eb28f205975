"""The demo: simulators in a child process, the real command in this one, and a look at what arrived."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from cdi_cli.cli import output
from cdi_cli.cli.backfill_run import Options
from cdi_cli.cli.backfill_run import run as run_backfill
from cdi_cli.cli.closing import say
from cdi_cli.clock import Instant
from cdi_cli.errors import ConfigError, ExitCode
from cdi_cli.http import HttpClient
from cdi_cli.pipeline.project import load_project
from cdi_cli.sandbox import SandboxOptions, SandboxProcess, cdi_environment, cdi_yaml, source_names, spec_of

NOW = Instant("2026-11-01T00:00:00.000Z")
"""The simulated shop's last day: fixed, so that a second demo meets the same orders."""
SINCE = "2024-10-01"
RATE = 5000.0
"""Segment's own pace is 500 events/s by default; nobody wants to wait for a simulator."""
STATE = Path(".cdi") / "state.db"
HEADER = "# Written by `cdi demo`, and anew by each.\n"
"""What a demo knows its own settings by: those of others, and their checkpoint, are not touched."""
SLICE = 5_000
ADDED = frozenset({"receivedAt", "sentAt", "originalTimestamp", "integrations", "library", "channel"})
DEFAULT_SOURCE = "commercetools"
SAMPLES = ("identify", "Order Completed", "Order Refunded")


def default_folder(source: str) -> Path:
    """Where the demo of a platform is put: each has a checkpoint of its own."""
    return Path("demo" if source == DEFAULT_SOURCE else f"demo-{source}")


def run(orders: int, source: str, folder: Path | None, *, is_fresh: bool) -> ExitCode:
    """Run the demo in `folder`; returns the backfill's exit code, raises ConfigError for a platform without simulator."""
    if source not in source_names():
        raise ConfigError(f"there is no simulated `{source}`", hint=f"`--source` takes {' or '.join(source_names())}")
    talk = output.talk()
    folder = folder or default_folder(source)
    config, state = folder / "cdi.yaml", folder / STATE
    _claim(folder, config, state)
    if is_fresh:
        for path in state.parent.glob(f"{state.name}*") if state.parent.is_dir() else ():
            path.unlink()
    is_again = state.exists()
    options = SandboxOptions(sources=(source,), orders=orders, now=NOW)
    say(talk, f"starting a simulated {spec_of(source).title} ({orders:,} orders) and a simulated Segment ...")
    with SandboxProcess(options) as sandbox:
        config.write_text(HEADER + cdi_yaml(sandbox.url, options), encoding="utf-8")
        os.environ.update(cdi_environment(options))
        say(talk, f"$ cdi backfill --config {config} --since {SINCE} --rate {RATE:g}")
        code = run_backfill(load_project(config), Options(pipeline="main", since=SINCE, rate=RATE))
        applied = asyncio.run(_applied(sandbox.url))
        _show(applied, folder, source, is_again=is_again)
    return code


def _claim(folder: Path, config: Path, state: Path) -> None:
    """Make the folder; raise ConfigError where that cannot be, and for one that holds someone's own project."""
    hint = "name another folder with `--folder`"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_ours = config.read_text(encoding="utf-8").startswith(HEADER) if config.exists() else not state.exists()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its cdi.yaml is not text"
        raise ConfigError(f"the demo cannot be put into {folder}: {reason}", hint=hint) from None
    if not is_ours:
        raise ConfigError(f"{folder} holds a project that no demo made", hint=hint)


async def _applied(url: str) -> list[dict[str, Any]]:
    """The messages that the simulated Segment applied, asked over HTTP."""
    client = HttpClient()
    applied: list[dict[str, Any]] = []
    try:
        while True:
            params = [("offset", str(len(applied))), ("limit", str(SLICE))]
            response = await client.request("GET", f"{url}/_sandbox/segment/applied", what="sandbox", params=params)
            lines = response.body.splitlines()
            applied += map(msgspec.json.decode, lines)
            if len(lines) < SLICE:
                return applied
    finally:
        await client.close()


def _show(applied: Sequence[dict[str, Any]], folder: Path, source: str, *, is_again: bool) -> None:
    data, talk = output.data(), output.talk()
    if applied:
        say(data, "")
        say(data, "three of the events, as the simulated Segment applied them:")
        for name in SAMPLES:
            message = next((one for one in applied if name in (one.get("event"), one["type"])), None)
            if message is not None:
                data.print_json(msgspec.json.encode(_short(message)).decode(), indent=2)
    ids = {message["messageId"] for message in applied}
    say(data, f"the simulated Segment applied {len(applied):,} messages, {len(ids):,} distinct ids")
    say(data, f"completed orders less refunds, as it saw them: {revenue(applied)}")
    say(talk, "")
    if is_again:
        say(talk, "this demo ran before: what was delivered then was recognised and not sent again")
    cdi, where = output.command(), "" if source == DEFAULT_SOURCE else f" --source {source}"
    where += "" if folder == default_folder(source) else f" --folder {folder}"
    init = "init shop" if source == DEFAULT_SOURCE else f"init shop --source {source}"
    tips = {
        f"demo{where}": "again: nothing is sent twice",
        f"demo{where} --orders 50000 --fresh": "kill -9 it, then run it without --fresh: it resumes",
        init: f"a project of your own; this one's settings: {folder / 'cdi.yaml'}",
    }
    say(talk, "try next:")
    wide = max(map(len, tips))
    is_beside = len(f"  {cdi}    ") + wide + max(map(len, tips.values())) <= talk.width
    for arguments, what in tips.items():
        say(talk, f"  {cdi} {arguments:{wide}}   {what}" if is_beside else f"  {cdi} {arguments}\n      {what}")


def revenue(applied: Sequence[dict[str, Any]]) -> str:
    """Completed orders' totals less refunds, by currency, exact."""
    totals: dict[str, Decimal] = {}
    for message in applied:
        properties = message.get("properties", {})
        sign = {"Order Completed": 1, "Order Refunded": -1}.get(message.get("event", ""), 0)
        if sign and "currency" in properties:
            amount = properties["total"] if sign > 0 else properties["refund_amount"]
            currency = properties["currency"]
            totals[currency] = totals.get(currency, Decimal(0)) + sign * Decimal(str(amount))
    return ", ".join(f"{amount:,} {currency}" for currency, amount in sorted(totals.items())) or "none"


def _short(message: dict[str, Any]) -> dict[str, Any]:
    """The message without what the batch and Segment added, its products cut to one: enough to see."""
    shown = {name: part for name, part in message.items() if name not in ADDED}
    shown["context"] = {name: part for name, part in message["context"].items() if name not in ADDED}
    properties = message.get("properties", {})
    if len(properties.get("products", ())) > 1:
        shown["properties"] = {**properties, "products": properties["products"][:1]}
    return shown
