"""Before a run sends: does the destination know the names that the plan may send there?

A product that drops unknown names answers as if all were well, so this is found out first (`destinations.Preflight`). What
is found stops the run before its first event; a destination whose settings have `preflight: warn` is only warned of. That
the product could not be asked stops nothing.

Runs that a scheduler starts every few minutes ask again once in an hour, or when plan or settings changed: what passed is
kept beside the checkpoint file, `state.db.preflight.json`, `{"PIPELINE/DESTINATION": ["DIGEST", "INSTANT"]}`. A backfill
always asks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from cdi_cli.checks import Check
from cdi_cli.clock import SYSTEM_CLOCK, Clock, shift
from cdi_cli.destinations import Planned, Preflight
from cdi_cli.errors import CdiError, ConfigError
from cdi_cli.pipeline.opening import Opened
from cdi_cli.pipeline.planned import planned_for
from cdi_cli.pipeline.project import Project
from cdi_cli.sources import SourceSpec

KEPT_FOR = timedelta(hours=1)
Passed = dict[str, tuple[str, str]]


class PreflightError(ConfigError):
    """A destination would drop what the plan sends; `details` says what, a line each."""

    def __init__(self, destination: str, found: Sequence[Check], *, can_warn: bool) -> None:
        hint = "`cdi check` says what to do about each"
        super().__init__(
            f"`{destination}` would drop part of what the tracking plan sends there; nothing was sent",
            hint=f"{hint}, or let them go with `preflight: warn` in the settings of the destination" if can_warn else hint,
        )
        self.details = tuple(check.detail for check in found)


@dataclass(frozen=True, slots=True)
class _Memory:
    """What passed, and when; losing it costs a question."""

    path: Path
    clock: Clock

    def has(self, key: str, digest: str) -> bool:
        known, at = self._read().get(key, ("", ""))
        now = self.clock.instant()
        return known == digest and shift(now, -KEPT_FOR) < at <= now

    def keep(self, key: str, digest: str) -> None:
        passed = self._read() | {key: (digest, self.clock.instant())}
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(passed))
            new.replace(self.path)
        except OSError:
            return

    def _read(self) -> Passed:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Passed)
        except (OSError, ValueError):
            return {}


async def require_names(
    project: Project,
    opened: Opened,
    *,
    is_backfill: bool = False,
    is_push: bool = False,
    warn: Callable[[str], None] = lambda _text: None,
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Raise PreflightError where the destination would drop what may be sent; `warn` is told what stops nothing."""
    destination, name = opened.destination, opened.destination_name
    if not isinstance(destination, Preflight):
        return
    settings = project.settings.destinations[name]
    families = families_of(opened.source_spec, opened.streams)
    planned = planned_for(opened.plan, (name, settings.type), opened.rules, opened.lifecycle, families, is_push=is_push)
    state = project.settings.state
    memory = _Memory(state.with_name(f"{state.name}.preflight.json"), clock)
    key = f"{opened.pipeline}/{name}{'/push' if is_push else ''}"
    digest = _digest(planned, settings.settings.model_dump(mode="json"))
    if not is_backfill and memory.has(key, digest):
        return
    try:
        found = [check for check in await destination.preflight(planned) if not check.is_ok]
    except CdiError as error:
        warn(f"warning: what {name} knows of the tracking plan's names could not be asked: {error.message}")
        return
    if found and is_strict(settings.settings):
        raise PreflightError(name, found, can_warn=hasattr(settings.settings, "preflight"))
    for check in found:
        warn(f"warning: {name} drops it: {check.detail}")
    memory.keep(key, digest)


async def names_checks(destination: Preflight, planned: Sequence[Planned], settings: object) -> list[Check]:
    """The same for `cdi check`: a check for each finding, which is a note where it would stop nothing."""
    found = await destination.preflight(planned)
    if is_strict(settings):
        return found
    return [
        check if check.is_ok else Check(check.name, True, f"{check.detail} (`preflight: warn`)", check.hint)
        for check in found
    ]


def families_of(spec: SourceSpec, streams: Sequence[str]) -> set[str]:
    """The families of the records of some streams."""
    return {stream.family for stream in spec.streams if stream.name in streams}


def is_strict(settings: object) -> bool:
    """Whether a destination of these settings stops a run for what it would drop."""
    return getattr(settings, "preflight", "stop") != "warn"


def _digest(planned: Sequence[Planned], settings: Mapping[str, Any]) -> str:
    return sha256(msgspec.json.encode([planned, settings], order="deterministic")).hexdigest()
