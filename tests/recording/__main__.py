"""`make record SOURCE=<name>`: record a connector's cassettes anew, from a real account or (`--sandbox`) from the sandbox.

Everything is recorded to a temporary folder and scanned there. Only when nothing is found that must not be in a cassette are
the old cassettes replaced, all at once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from cdi_cli.clock import Instant
from cdi_cli.errors import CdiError
from recording import Account, Recording, recording_of
from recording.cassette import CASSETTES, cassette
from recording.scan import leaks

_SHOWN_MAX = 20


class RecordingError(Exception):
    """Nothing was recorded; the text says why and what to do."""


def record(name: str, folder: Path, *, from_sandbox: bool) -> list[Path]:
    """Record all scenarios of a connector into a folder; raises RecordingError when one fails or something leaks."""
    try:
        recording = recording_of(name)
    except LookupError as error:
        raise RecordingError(str(error)) from None
    with recording.sandbox() if from_sandbox else _real(recording) as account:
        os.environ.update(account.environment)
        try:
            files = [asyncio.run(_scenario(recording, scenario, account, folder)) for scenario in recording.scenarios]
        except CdiError as error:
            raise RecordingError(f"{error.message} ({error.where}); {error.hint}") from None
    secrets = [*recording.secrets, *account.environment.values(), *_credentials(recording)]
    found = [f"{path.name}: {leak}" for path in files for leak in leaks(path.read_text(encoding="utf-8"), secrets)]
    if found:
        more = f"\n  (and {len(found) - _SHOWN_MAX} more)" if len(found) > _SHOWN_MAX else ""
        raise RecordingError("the recording holds what must not be kept:\n  " + "\n  ".join(found[:_SHOWN_MAX]) + more)
    return files


def _real(recording: Recording) -> AbstractContextManager[Account]:
    missing = [f"{name}: {what}" for name, what in recording.variables.items() if not os.environ.get(name)]
    if missing:
        raise RecordingError(
            "set these variables of a real account:\n  " + "\n  ".join(missing) + "\n(or record the sandbox: ARGS=--sandbox)"
        )
    try:
        account = recording.real(os.environ)
    except LookupError as error:
        raise RecordingError(str(error)) from None
    return nullcontext(account)


def _credentials(recording: Recording) -> list[str]:
    """The values of a real account that are long enough to be looked for."""
    return [value for name in recording.variables if len(value := os.environ.get(name, "")) >= 8 and "URL" not in name]


async def _scenario(recording: Recording, name: str, account: Account, folder: Path) -> Path:
    scenario = recording.scenarios[name]
    since = await scenario.since(account) if scenario.since else Instant("")
    path = folder / f"{name}.yaml"
    fresh = Account(account.settings, account.environment, account.scrubber.fresh())
    with cassette(path, fresh.scrubber, is_recording=True):
        await scenario.run(fresh, since)
    return path


def main() -> int:
    """Record, replace the cassettes, and say what was done."""
    parser = argparse.ArgumentParser(prog="make record", description=__doc__)
    parser.add_argument("name", help="the connector")
    parser.add_argument("--sandbox", action="store_true", help="record the sandbox instead of a real account")
    given = parser.parse_args()
    with contextlib.suppress(LookupError):
        print(f"recording {given.name}{' (sandbox)' if given.sandbox else ''}: {recording_of(given.name).effect}")
    with tempfile.TemporaryDirectory() as scratch:
        try:
            files = record(given.name, Path(scratch), from_sandbox=given.sandbox)
        except RecordingError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        target = CASSETTES / given.name
        target.mkdir(parents=True, exist_ok=True)
        for old in target.glob("*.yaml"):
            old.unlink()
        for file in files:
            text = file.read_text(encoding="utf-8")
            (target / file.name).write_text(text, encoding="utf-8")
            print(f"{target.name}/{file.name}: {text.count('- request:')} requests, {len(text):,} characters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
