"""Telling people through a webhook: when a way begins to fail, while it goes on failing, when it recovers, new dead letters.

A run that goes as the one before it did is no news. The body is Slack's, with the same said again for programs:

    {"text": "cdi: main -> segment fails: ...", "cdi": {"event": "failure", "pipeline": "main", ...}}

What was told is remembered in a small file beside the checkpoint file, not inside it: an attempt that ends before it is a
run (a password has expired) must be told too, and only once. Losing that file costs one message too many.
Nothing here changes how a run ends: what goes wrong is returned as warnings.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from cdi_cli.clock import Instant, parse_instant, to_datetime
from cdi_cli.errors import CdiError, RefusedError, TransientError
from cdi_cli.http import HttpClient, HttpLimits, RetryPolicy
from cdi_cli.pipeline.figures import RunFigures
from cdi_cli.secrets import REDACTOR, Secret

LOG = logging.getLogger("cdi.notify")
FAILURE_REPEAT_SECONDS = 24 * 3600
LETTERS_REPEAT_SECONDS = 3600
SECONDS_MAX = 10.0
"""For one message, attempts and all."""
TEXT_CHARACTERS_MAX = 2_000
MEMORY_BYTES_MAX = 1_000_000

_UNITS = {60: "min", 3_600: "hours", 86_400: "days"}
Happening = Literal["failure", "recovery", "dead_letters"]


@dataclass(frozen=True, slots=True)
class Message:
    """What is told: a sentence for people, and the same as plain data; neither holds secrets or personal data."""

    happening: Happening
    text: str
    data: Mapping[str, Any]

    def body(self) -> bytes:
        """The request's body. `&`, `<` and `>` are escaped in `text`, as Slack's text format demands."""
        text = self.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return json.dumps({"text": text, "cdi": dict(self.data)}, ensure_ascii=False).encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Standing:
    """What people know about one way: since when it fails, when that and its dead letters were told, letters untold yet."""

    failing_since: Instant | None = None
    failure_told_at: Instant | None = None
    letters_told_at: Instant | None = None
    letters_untold: int = 0


def should_tell(before: Standing, run: RunFigures) -> tuple[Message | None, Standing, Standing]:
    """What to tell about a run, and the standing after it: the first if that was told (or is nothing), the second if not.

    A failure is told when it begins and once in 24 hours while it lasts; a recovery when the failure was told; new dead
    letters at once, then once an hour with their sum. A run that somebody stopped, or that found another one at work, says
    nothing.
    """
    after = replace(before, letters_untold=before.letters_untold + run.rejected)
    if run.is_failure:
        after = replace(after, failing_since=before.failing_since or run.ended_at)
        if _is_due(before.failure_told_at, run.ended_at, FAILURE_REPEAT_SECONDS):
            return _failure(run, after), replace(after, failure_told_at=run.ended_at), after
        return None, after, after
    if run.is_good and before.failing_since is not None:
        well = replace(after, failing_since=None, failure_told_at=None)
        if before.failure_told_at is None:
            after = well  # nobody heard of the failure: nobody needs to hear of its end
        else:
            told = replace(well, letters_told_at=run.ended_at, letters_untold=0) if after.letters_untold else well
            return _recovery(run, after), told, after
    if run.is_good and after.letters_untold and _is_due(before.letters_told_at, run.ended_at, LETTERS_REPEAT_SECONDS):
        return _letters(run, after), replace(after, letters_told_at=run.ended_at, letters_untold=0), after
    return None, after, after


def _is_due(told_at: Instant | None, now: Instant, repeat_seconds: float) -> bool:
    """Whether it was never told, or long enough ago; a clock that was set back does not silence it for ever."""
    if told_at is None:
        return True
    passed = (to_datetime(now) - to_datetime(told_at)).total_seconds()
    return passed >= repeat_seconds or passed < -repeat_seconds


def _failure(run: RunFigures, standing: Standing) -> Message:
    since = standing.failing_since or run.ended_at
    still = "" if since == run.ended_at else f" since {since}"
    why = f": {run.message}" if run.message else ""
    return _message("failure", run, standing, f"{run.kind} fails{still} (exit code {run.exit_code}){why}")


def _recovery(run: RunFigures, standing: Standing) -> Message:
    since = standing.failing_since or run.ended_at
    seconds = max((to_datetime(run.ended_at) - to_datetime(since)).total_seconds(), 60)
    letters = f", {standing.letters_untold:,} new dead letters" if standing.letters_untold else ""
    return _message("recovery", run, standing, f"{run.kind} works again after {_rough(seconds)}{letters}")


def _letters(run: RunFigures, standing: Standing) -> Message:
    one = standing.letters_untold == 1
    sentence = f"{standing.letters_untold:,} new dead letter{'' if one else 's'}, see `cdi dlq list`"
    return _message("dead_letters", run, standing, sentence)


def _rough(seconds: float) -> str:
    """A span as a person says it: in minutes below two hours, in hours below two days, else in days."""
    unit = 60 if seconds < 7_200 else 3_600 if seconds < 172_800 else 86_400
    return f"{int(seconds // unit)} {_UNITS[unit]}"


def _message(happening: Happening, run: RunFigures, standing: Standing, sentence: str) -> Message:
    text = REDACTOR(f"cdi: {run.pipeline} -> {run.destination}: {sentence}")
    data = {
        "event": happening,
        "pipeline": run.pipeline,
        "destination": run.destination,
        "kind": run.kind,
        "run": run.run_id,
        "at": run.ended_at,
        "exit_code": run.exit_code,
        "failing_since": standing.failing_since,
        "dead_letters": standing.letters_untold,
        "message": REDACTOR(run.message)[:TEXT_CHARACTERS_MAX] if run.message else None,
    }
    return Message(happening, text[:TEXT_CHARACTERS_MAX], data)


async def send(webhook: Secret, message: Message) -> None:
    """Post a message; the address itself is a secret. Raises CdiError when it did not arrive within ten seconds in all."""
    retry = RetryPolicy(attempts=2, total_seconds=SECONDS_MAX, wait_max_seconds=1.0, retry_after_max_seconds=2.0)
    client = HttpClient(limits=HttpLimits(total_seconds=SECONDS_MAX, decoded_bytes_max=64 * 1024), retry=retry)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            response = await client.request(
                "POST",
                webhook,
                what="notification",
                headers={"content-type": "application/json; charset=utf-8"},
                content=message.body(),
            )
    except TimeoutError:
        raise TransientError(f"notification: no answer within {SECONDS_MAX:.0f} s") from None
    finally:
        await client.close()
    if not 200 <= response.status < 300:
        raise RefusedError(
            f"notification: the webhook answered {response.status}",
            status=response.status,
            hint="check the address that `notify: {webhook: ...}` refers to",
        )


async def notify(webhook: Secret, memory: Path, runs: Iterable[RunFigures]) -> list[str]:
    """Tell what is news about these runs; returns a warning for each thing that went wrong, and never raises for one.

    `memory` is the file of what was told (`memory_beside`). A message that did not arrive is tried again after the next run.
    """
    warnings: list[str] = []
    known = _read(memory)
    changed = dict(known)
    deadline = asyncio.get_running_loop().time() + SECONDS_MAX
    for run in runs:
        way = f"{run.kind} {run.pipeline} -> {run.destination}"
        before = changed.get(way, Standing())
        message, told, untold = should_tell(before, run)
        if told != before:  # a run that was locked out leaves alone what the other one may be writing
            changed[way] = told
        if message is None:
            continue
        try:
            async with asyncio.timeout_at(deadline):
                await send(webhook, message)
        except (CdiError, TimeoutError) as error:
            why = error.message if isinstance(error, CdiError) else f"no answer within {SECONDS_MAX:.0f} s"
            warnings.append(REDACTOR(f"nobody was told that {message.text.removeprefix('cdi: ')} ({why})"))
            LOG.warning("notification failed", extra={"event": message.happening, "error": why})
            changed[way] = untold
        else:
            LOG.info("notification sent", extra={"event": message.happening})
    if changed != known:
        warnings += _write(memory, changed)
    return warnings


def memory_beside(state: Path) -> Path:
    """Where it is remembered what was told: beside the checkpoint file."""
    return state.with_name(f"{state.name}.told.json")


def _read(memory: Path) -> dict[str, Standing]:
    """What was told; nothing where the file is missing or not ours: then a message may come once more."""
    try:
        with memory.open("rb") as file:
            found = json.loads(file.read(MEMORY_BYTES_MAX))
        return {str(way): _standing(values) for way, values in found.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _standing(values: Mapping[str, Any]) -> Standing:
    known = {field.name: values.get(field.name) for field in fields(Standing)}
    untold = known.pop("letters_untold")
    instants = {name: parse_instant(text) if text is not None else None for name, text in known.items()}
    return Standing(**instants, letters_untold=untold if isinstance(untold, int) else 0)


def _write(memory: Path, standings: Mapping[str, Standing]) -> list[str]:
    """Replace the file in one step; a warning when that fails."""
    scratch = memory.with_name(f".{memory.name}-{os.getpid()}.tmp")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps({way: asdict(one) for way, one in standings.items()}, indent=1), encoding="utf-8")
        scratch.chmod(0o600)
        scratch.replace(memory)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        return [f"what was told cannot be remembered: {error.strerror} ({memory})"]
    return []
