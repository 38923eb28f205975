"""`python zygote.py`: runs the real command line in forked children, one JSON document a line in and out.

    {"do": "start", "arguments": [...], "folder": ..., "environment": {...}, "offset_seconds": n, "kill_at": n or null,
     "kill_at_answer": n or null, "sabotage": name or "", "out": path, "err": path}   -> {"pid": n}
    {"do": "wait", "pid": n}            -> {"status": n}    as `waitpid` gives it

A child starts in a tenth of the time of a fresh interpreter. Its wall clock is moved by `offset_seconds`, its retries do not
wait, and with `kill_at` it sends itself SIGKILL at that point: points are the moments before and after each HTTP exchange
and each transaction of the checkpoint file. `kill_at_answer` counts only batches that a destination has answered. The
product has no hook for any of this; it is all put on from outside.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

ATTEMPTS_MAX = 6
MODULES = ("httpx", "jsonschema_rs", "stamina")
DESTINATIONS = ("/segment/", "/mparticle/", "/insider/")


class Killer:
    """Counts the points that are passed and ends the process, hard, at the wanted one."""

    def __init__(self, at: int) -> None:
        self._left = at

    def __call__(self) -> None:
        """Pass a point."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def move_clock(offset_seconds: float) -> None:
    """The one clock that everything in the process reads by default."""
    from cdi_cli.clock import SYSTEM_CLOCK

    offset = timedelta(seconds=offset_seconds)
    object.__setattr__(SYSTEM_CLOCK, "now", lambda: datetime.now(UTC) + offset)


def look_at_once() -> None:
    """What may have arrived at Insider is looked for without the minutes that it is given to be found."""
    from cdi_cli.destinations.insider import DESTINATION

    object.__setattr__(DESTINATION, "confirm_after_seconds", 0.0)


def put_points(point: Callable[[], None], at_answer: Callable[[], None]) -> None:
    """Pass a point around each HTTP exchange and each transaction, and one when a destination has answered a batch."""
    from cdi_cli._http_transport import Transport
    from cdi_cli.state.store import SqliteStore

    attempt, settle = Transport.attempt, SqliteStore.settle

    async def attempted(self: Any, method: str, url: str, **named: Any) -> Any:
        point()
        answer = await attempt(self, method, url, **named)
        point()
        if any(name in url for name in DESTINATIONS):
            at_answer()
        return answer

    def settled(self: Any, run_id: int, settlements: Any) -> None:
        point()
        settle(self, run_id, settlements)
        point()

    Transport.attempt = attempted  # type: ignore[method-assign]
    SqliteStore.settle = settled  # type: ignore[method-assign]


def sabotage(name: str) -> None:
    """Break the product on purpose, to see whether the oracle notices: "no ledger" forgets all that was delivered,
    "lost batches" takes for delivered what was never sent."""
    from cdi_cli.pipeline.deliver import Deliverer
    from cdi_cli.state.store import SqliteStore

    if name == "no ledger":
        SqliteStore.delivered = lambda *_: {}  # type: ignore[method-assign]
    elif name == "lost batches":

        async def lost(self: Any, batch: Any, found: Any) -> None:
            from cdi_cli.destinations import ACCEPTED

            found += [(item, ACCEPTED) for item in batch]

        Deliverer._attempt = lost  # type: ignore[method-assign]


def child(job: dict[str, Any]) -> int:
    """Become the command; returns its exit code."""
    import stamina

    for number, name in ((1, "out"), (2, "err")):
        target = os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(target, number)
        os.close(target)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(job["folder"])
    os.environ.update(job["environment"])
    move_clock(job["offset_seconds"])
    look_at_once()
    stamina.set_testing(True, attempts=ATTEMPTS_MAX, cap=True)
    sabotage(job["sabotage"])
    if job["kill_at"] or job["kill_at_answer"]:
        put_points(Killer(job["kill_at"] or 0), Killer(job["kill_at_answer"] or 0))
    from cdi_cli.__main__ import main

    sys.argv = ["cdi", *job["arguments"]]
    try:
        main()
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def start(job: dict[str, Any]) -> int:
    """Fork a child; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        code = child(job)
    except BaseException:  # noqa: BLE001 - whatever it was, it must not come back into the parent's loop
        traceback.print_exc()
    finally:
        os._exit(code)


def own_modules() -> list[str]:
    """Every module of the product: a child imports nothing by itself, so that a life runs one version to its end."""
    import cdi_cli

    found = [module.name for module in pkgutil.walk_packages(cdi_cli.__path__, "cdi_cli.")]
    return [name for name in found if not name.startswith("cdi_cli.sandbox")]


def main() -> None:
    """Serve until standard input ends."""
    for name in (*MODULES, *own_modules()):
        import_module(name)
    gc.freeze()
    for line in sys.stdin.buffer:
        job = json.loads(line)
        answer = {"pid": start(job)} if job["do"] == "start" else {"status": os.waitpid(job["pid"], 0)[1]}
        os.write(1, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
