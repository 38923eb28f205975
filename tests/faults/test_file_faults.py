"""Files when the disk or the process fails: nothing that counts as delivered is lost, no reader sees half a line."""

from __future__ import annotations

import asyncio
import errno
import gzip
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contract_events import event
from doubles import FakeSource
from file_tools import id_list, ids, lines, names, opened
from jobs import backfill, run, shop
from kills import HookedStore, Killer, fork
from oracle import expected_events

from cdi_cli.clock import Instant
from cdi_cli.destinations import ACCEPTED, DestinationContext, PartialDeliveryError
from cdi_cli.destinations.file import FileSettings
from cdi_cli.destinations.file import parts as parts_module
from cdi_cli.destinations.file.destination import FileDestination
from cdi_cli.errors import LostAnswerError, TransientError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and flock")
FORMATS = ["jsonl", "jsonl.gz"]


def leave_behind(folder: Path, format_: str, *events: Any) -> Path:
    """What a run that is killed leaves: a `.part` with whole batches, and its lock, which nobody holds."""
    folder.mkdir(mode=0o700, exist_ok=True)
    data = b"".join(line + b"\n" for line in lines(*events))
    path = folder / f"20260131T120000Z-0badcafe.{format_}.part"
    path.write_bytes(gzip.compress(data) if format_ == "jsonl.gz" else data)
    (folder / ".cdi-0badcafe.lock").touch()
    return path


def spoil(path: Path, tail: bytes) -> None:
    """Add what never was finished."""
    with path.open("ab") as stream:
        stream.write(tail)


TAILS: dict[str, dict[str, bytes]] = {
    "jsonl": {
        "nothing": b"",
        "half a line": lines(event(9))[0][:-20],
        "a line without its end": lines(event(9))[0],
        "zeros": b"\x00" * 4096,
        "zeros before a line": b"\x00" * 64 + b"\n" + lines(event(9))[0] + b"\n",
        "old blocks": b'of something else"}\n',
    },
    "jsonl.gz": {
        "nothing": b"",
        "half a member": gzip.compress(lines(event(9))[0] + b"\n")[:-9],
        "a head alone": b"\x1f\x8b\x08",
        "zeros": b"\x00" * 4096,
        "a member with a wrong sum": gzip.compress(lines(event(9))[0] + b"\n")[:-8] + b"\x00" * 8,
    },
}


@pytest.mark.parametrize(("format_", "tail"), [(format_, tail) for format_ in FORMATS for tail in TAILS[format_]])
async def test_what_a_killed_run_left_is_finished(tmp_path: Path, format_: str, tail: str) -> None:
    """The next run that writes cuts what never was whole, keeps what was, and looks only there for what was on its way."""
    path = leave_behind(tmp_path, format_, event(1), event(2))
    spoil(path, TAILS[format_][tail])

    async with opened(tmp_path, format=format_) as destination:
        checks = await destination.check()
        found = await destination.confirm([event(1), event(2), event(9)])
        await destination.send(lines(event(3)))

    assert any("1 `*.part`" in check.detail for check in checks)
    assert found == [True, True, False]
    assert sorted(ids(tmp_path)) == id_list([event(1), event(2), event(3)])
    assert len(names(tmp_path)) == 2


async def test_what_holds_nothing_whole_goes(tmp_path: Path) -> None:
    """A file that was begun and never written to is not kept, with or without its lock."""
    leave_behind(tmp_path, "jsonl")
    (tmp_path / ".cdi-0badcafe.lock").unlink()
    (tmp_path / ".cdi-0123abcd.lock").touch()
    async with opened(tmp_path) as destination:
        await destination.send(lines(event(1)))

    assert ids(tmp_path) == [event(1).id]
    assert len(names(tmp_path)) == 1


async def test_the_files_of_a_run_that_is_alive_are_left_alone(tmp_path: Path) -> None:
    """Two runs that write to one folder side by side do not touch each other's files."""
    async with opened(tmp_path) as first:
        await first.send(lines(event(1)))
        async with opened(tmp_path) as second:
            await second.send(lines(event(2)))
            assert await second.confirm([event(1)]) == [True]
        assert len([name for name in names(tmp_path) if name.endswith(".part")]) == 1
        await first.send(lines(event(3)))

    assert sorted(ids(tmp_path)) == id_list([event(1), event(2), event(3)])


async def test_a_stranger_is_no_file_of_ours(tmp_path: Path) -> None:
    """Files with other names, and links with ours, are neither finished nor read."""
    (tmp_path / "notes.jsonl.part").write_text("mine", encoding="utf-8")
    (tmp_path / "secret").write_bytes(lines(event(1))[0] + b"\n")
    (tmp_path / "20260131T120000Z-0badcafe.jsonl.part").symlink_to(tmp_path / "secret")
    before = names(tmp_path)
    async with opened(tmp_path) as destination:
        assert await destination.confirm([event(1)]) == [False]

    assert names(tmp_path) == before


class Disk:
    """A disk that fails: `write` after so many bytes of a call, `fsync` and `ftruncate` while they are switched off."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None
        self.broken: set[str] = set()
        self._real = {name: getattr(os, name) for name in ("write", "fsync", "ftruncate")}
        monkeypatch.setattr(parts_module.os, "write", self._write)
        for name in ("fsync", "ftruncate"):
            monkeypatch.setattr(parts_module.os, name, self._unless_broken(name))

    def _write(self, descriptor: int, data: Any) -> int:
        if self.room is None:
            return int(self._real["write"](descriptor, data))
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = int(self._real["write"](descriptor, data[: self.room]))
        self.room -= written
        return written

    def _unless_broken(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if name in self.broken:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return self._real[name](*arguments)

        return call


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk that can be made to fail."""
    return Disk(monkeypatch)


@pytest.mark.parametrize("format_", FORMATS)
async def test_a_full_disk_leaves_whole_batches(tmp_path: Path, disk: Disk, format_: str) -> None:
    """What did not fit is cut off again and said not to be there; when there is room the run goes on in the same file."""
    async with opened(tmp_path, format=format_) as destination:
        await destination.send(lines(event(1)))
        disk.room = 50
        with pytest.raises(TransientError, match="No space left") as caught:
            await destination.send(lines(event(2), event(3)))
        disk.room = None
        assert await destination.confirm([event(2)]) == [False]
        assert await destination.send(lines(event(2))) == [ACCEPTED]

    assert not isinstance(caught.value, LostAnswerError)
    assert caught.value.hint
    assert ids(tmp_path) == id_list([event(1), event(2)])


async def test_a_failing_disk_says_that_nobody_knows(tmp_path: Path, disk: Disk) -> None:
    """Where a batch can neither be made safe nor be taken back, the next run finds out what is there."""
    async with opened(tmp_path) as destination:
        await destination.send(lines(event(1)))
        disk.broken = {"fsync", "ftruncate"}
        with pytest.raises(LostAnswerError):
            await destination.send(lines(event(2)))
        disk.broken = set()
    async with opened(tmp_path) as destination:
        found = await destination.confirm([event(1), event(2)])

    assert found[0] is True
    assert found[1] is (event(2).id in ids(tmp_path))


async def test_a_batch_of_several_files_keeps_what_was_written(tmp_path: Path, disk: Disk) -> None:
    """When the second file of a batch cannot be written, the events of the first have their outcome."""
    first, second = event(1), event(2, at=Instant("2026-02-01T00:00:00.000Z"))
    async with opened(tmp_path, per="day") as destination:
        disk.room = len(lines(first)[0]) + 1
        with pytest.raises(PartialDeliveryError) as caught:
            await destination.send(lines(first, second))
        disk.room = None

    assert caught.value.outcomes == [ACCEPTED, None]
    assert ids(tmp_path) == [first.id]


class Watched(FileDestination):
    """Passes a point before and after each batch is written, and before files are named."""

    point: Killer

    def _write(self, events: Any) -> Any:
        self.point()
        try:
            return super()._write(events)
        finally:
            self.point()

    async def close(self) -> None:
        """Close between two points."""
        self.point()
        await super().close()


def work(state: Path, folder: Path, format_: str, point: Killer) -> int:
    """A backfill of the small shop into files, in a child that is killed somewhere."""
    destination = Watched(FileSettings(folder=folder, format=format_, per="event"), DestinationContext())  # type: ignore[arg-type]
    destination.point = point
    real = parts_module._write

    def write(descriptor: int, data: bytes) -> None:
        real(descriptor, data[: len(data) // 2])
        point()  # half a batch is in the file
        real(descriptor, data[len(data) // 2 :])

    parts_module._write = write
    source = FakeSource(shop(300), page_size=20)
    options: dict[str, Any] = {"wrap": lambda store: HookedStore(store, point), "is_idempotent": False}

    async def job() -> int:
        try:
            report, error = await backfill(state, source, destination, **options)  # type: ignore[arg-type]
        finally:
            await destination.close()
        return 0 if error is None and not report.books.errors else 1

    return asyncio.run(job())


@pytest.mark.parametrize("format_", FORMATS)
def test_killed_anywhere_each_event_is_one_line(tmp_path: Path, format_: str) -> None:
    """At a sample of points, half-written batches among them: after the next run every event has exactly one line."""
    _, points = fork(lambda point: work(tmp_path / "whole" / "state.db", tmp_path / "whole-out", format_, point), None)
    wanted = sorted(ids(tmp_path / "whole-out"))
    assert len(wanted) == len(set(wanted)) == len(expected_events(shop(300)))
    assert points > 50
    killed = 0
    for at in sorted({1, 2, 3, points - 1, *range(4, points, max(1, points // 7))}):
        state, folder = tmp_path / f"at-{at}" / "state.db", tmp_path / f"out-{at}"
        status, _ = fork(lambda point, s=state, f=folder: work(s, f, format_, point), at)  # type: ignore[misc]
        if not os.WIFSIGNALED(status):
            continue  # how many outcomes share a transaction depends on timing: this run had fewer points
        killed += 1
        status, _ = fork(lambda point, s=state, f=folder: work(s, f, format_, point), None)  # type: ignore[misc]
        assert os.waitstatus_to_exitcode(status) == 0
        left = [name for name in names(folder) if name.endswith(".part")]
        if left:  # all had been settled before the kill, so that the second run had nothing to write
            assert sorted(_finished(folder)) == wanted, at
        else:
            assert sorted(ids(folder)) == wanted, at
    assert killed > 7


def _finished(folder: Path) -> list[str]:
    """The ids once a further run has written something."""

    async def once_more() -> None:
        async with opened(folder) as destination:
            await destination.send(lines(event(999_999)))

    asyncio.run(once_more())
    return [one for one in ids(folder) if one != event(999_999).id]


def test_a_whole_backfill_into_a_folder(tmp_path: Path) -> None:
    """Every event that the shop makes is a line, and a second run writes no file."""
    orders = shop(120)
    for _ in range(2):
        destination = FileDestination(FileSettings(folder=tmp_path / "out"), DestinationContext())
        report, error = run(tmp_path / "state.db", FakeSource(orders), destination, is_idempotent=False)  # type: ignore[arg-type]
        asyncio.run(destination.close())
        assert error is None
        assert not report.books.errors

    assert sorted(ids(tmp_path / "out")) == sorted(one.id for one in expected_events(orders))
    assert len(names(tmp_path / "out")) == 1
