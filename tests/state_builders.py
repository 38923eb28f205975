"""What the tests of the checkpoint store share: small jobs, entries, letters, and a settlement that touches every table."""

from __future__ import annotations

import os
import signal
import sqlite3
import warnings
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from cdi_cli.clock import Instant, Window
from cdi_cli.sources import Cursor
from cdi_cli.state._base import DeadLetter, JobSpec, LedgerEntry, Partition, Settlement
from cdi_cli.state.store import SqliteStore

WINDOW = Window(Instant("2026-01-01T00:00:00.000Z"), Instant("2026-02-01T00:00:00.000Z"))
ENTRIES_A_STEP = 3


def spec(pipeline: str = "shop", destination: str = "segment", **other: object) -> JobSpec:
    """A job's specification."""
    values: dict[str, object] = {
        "pipeline": pipeline,
        "source": "commercetools",
        "destination": destination,
        "streams": ("orders", "customers"),
        "window": WINDOW,
        "asked": "--since 2026-01-01 --until 2026-02-01",
        "fingerprint": "f00d",
        "plan_version": "3",
        "server_started_at": Instant("2026-02-02T10:00:00.000Z"),
    }
    return JobSpec(**{**values, **other})  # type: ignore[arg-type]


def partitions(count: int = 2) -> list[Partition]:
    """Partitions of the streams "orders" and "customers" in turn."""
    return [Partition(number, ("orders", "customers")[number % 2], WINDOW, expected=100) for number in range(count)]


def entry(number: int, *, family: str = "order", content: int = 0, created_at: str | None = None) -> LedgerEntry:
    """The ledger entry of a numbered event, filed at a time that its number decides."""
    key = blake2b(b"%d" % number, digest_size=16).digest()
    at = (
        created_at
        or f"2026-01-{number % 28 + 1:02d}T{number % 24:02d}:{number % 60:02d}:{number % 59:02d}.{number % 997:03d}Z"
    )
    return LedgerEntry(family, Instant(at), key, content.to_bytes(8, "big"))


def letter(number: int = 0, **other: object) -> DeadLetter:
    """A dead letter with all its fields."""
    values: dict[str, object] = {
        "stream": "orders",
        "reason": "plan_violation",
        "detail": "revenue is missing",
        "entity_id": f"order-{number}",
        "event_name": "Order Completed",
        "event_id": f"cdi:w:ct:order:order-{number}:order-completed",
        "violations": (("revenue", "required", "revenue is missing"),),
        "record": b'{"id":"order-%d"}' % number,
        "event": b'{"type":"track"}',
        "place": blake2b(b"letter-%d" % number, digest_size=16).digest(),
        "digest": number.to_bytes(8, "big"),
    }
    return DeadLetter(**{**values, **other})  # type: ignore[arg-type]


def step(number: int, *, is_done: bool = False) -> Settlement:
    """The settlement numbered `number`: three delivered events, one dead letter, counters, and the cursor `c<number>`."""
    return Settlement(
        0,
        cursor=Cursor(f"c{number}"),
        is_done=is_done,
        pulled=4,
        delivered=tuple(entry(ENTRIES_A_STEP * number + place) for place in range(ENTRIES_A_STEP)),
        dead=(letter(number),),
        counts={
            ("orders", "Order Completed", "delivered", ""): ENTRIES_A_STEP,
            ("orders", "Order Completed", "rejected", "plan_violation"): 1,
        },
    )


def steps_settled(store: SqliteStore) -> int:
    """How many steps the store holds; asserts that all tables agree and that each step is there whole."""
    job = store.find_job("shop", "segment")
    if job is None:
        return 0
    cursor = store.partitions(job.id)[0].cursor
    settled = 0 if cursor is None else int(cursor[1:]) + 1
    wanted = [entry(number) for number in range(ENTRIES_A_STEP * (settled + 2))]
    known = store.delivered("commercetools", "segment", "order", {one.key: one.created_at for one in wanted})

    assert known == {one.key: one.content for one in wanted[: ENTRIES_A_STEP * settled]}
    assert sum(store.counts(job_id=job.id).values()) == (ENTRIES_A_STEP + 1) * settled
    assert store.pulled(job_id=job.id) == ({"orders": 4 * settled} if settled else {})
    letters = [one.letter for one in store.dead_letters(limit=10_000)]
    assert letters == [letter(number) for number in reversed(range(settled))]
    tallies = [store.tally(run.id) for run, _ in store.runs(1000)]
    assert (sum(one for one, _ in tallies), sum(one for _, one in tallies)) == (ENTRIES_A_STEP * settled, settled)
    return settled


def write_connection(store: SqliteStore) -> sqlite3.Connection:
    """The connection that a store writes with, for planting faults."""
    assert store._writer is not None
    return store._writer._db


def fork() -> int:
    """`os.fork`, without its warning about idle threads that earlier tests may have left."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def in_child(work: Callable[[], None]) -> int:
    """Run `work` in a forked child; returns its exit code, or minus the signal that ended it. 99: it raised."""
    pid = fork()
    if pid == 0:
        code = 99
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def kill_at(db: sqlite3.Connection, count: list[int], at: int) -> None:
    """Kill this process when the statement with number `at` (over all connections sharing `count`) is about to run."""

    def see(_statement: str) -> None:
        if count[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)
        count[0] += 1

    db.set_trace_callback(see)


def files_of(path: Path) -> dict[str, bytes]:
    """The bytes of the main file and its log, by suffix."""
    return {suffix: Path(f"{path}{suffix}").read_bytes() for suffix in ("", "-wal") if Path(f"{path}{suffix}").exists()}


def write_files(path: Path, files: dict[str, bytes]) -> Path:
    """Put such files at another path, as a crash of the machine would leave them; returns the path."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for suffix, content in files.items():
        Path(f"{path}{suffix}").write_bytes(content)
        Path(f"{path}{suffix}").chmod(0o600)
    return path
