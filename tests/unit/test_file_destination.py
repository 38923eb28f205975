"""The file destination: names, modes, what a line holds, what is found again."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from contract_events import event, identify
from file_tools import id_list, ids, lines, messages, names, opened
from pydantic import ValidationError

from cdi_cli.clock import Instant
from cdi_cli.destinations import ACCEPTED, DestinationContext, Rejected, load
from cdi_cli.destinations.file import FileSettings
from cdi_cli.destinations.file import parts as parts_module
from cdi_cli.destinations.file.encode import group_of, line_of
from cdi_cli.errors import StoppedError

STEM = r"\d{8}T\d{6}Z-[0-9a-f]{8}"


@pytest.mark.parametrize("format_", ["jsonl", "jsonl.gz"])
async def test_a_run_is_one_file(tmp_path: Path, format_: str) -> None:
    """Batch after batch goes to one file, in order, which has its name when the run ends; nothing else is left."""
    events = [event(number) for number in range(5)]
    async with opened(tmp_path / "out", format=format_) as destination:
        assert await destination.send(lines(*events[:3])) == [ACCEPTED] * 3
        assert await destination.send(lines(*events[3:])) == [ACCEPTED] * 2
        (part,) = [name for name in names(tmp_path / "out") if not name.startswith(".")]

    (name,) = names(tmp_path / "out")
    assert re.fullmatch(rf"{STEM}\.{format_}", name)
    assert part == f"{name}.part"
    assert ids(tmp_path / "out") == id_list(events)


async def test_two_runs_are_two_files(tmp_path: Path) -> None:
    """Nothing is ever added to a file of an earlier run."""
    for number in range(2):
        async with opened(tmp_path / "out") as destination:
            await destination.send(lines(event(number)))

    assert len(names(tmp_path / "out")) == 2
    assert sorted(ids(tmp_path / "out")) == id_list([event(0), event(1)])


async def test_files_are_for_this_user_alone(tmp_path: Path) -> None:
    """Files are 0600 and folders that are made 0700, whatever the umask."""
    before = os.umask(0)
    try:
        async with opened(tmp_path / "out", per="day") as destination:
            await destination.send(lines(event(1)))
            modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    finally:
        os.umask(before)

    assert modes == {0o600}
    folders = [tmp_path / "out", *(path for path in (tmp_path / "out").iterdir() if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


async def test_nothing_is_touched_before_something_is_written(tmp_path: Path) -> None:
    """Opening, checking, encoding and closing, which is all that a dry run does, leave nothing behind."""
    async with opened(tmp_path / "out") as destination:
        assert isinstance(destination.encode(event(1)), bytes)
        (check,) = await destination.check()

    assert (check.is_ok, "will be made" in check.detail) == (True, True)
    assert list(tmp_path.iterdir()) == []


async def test_one_file_for_each_day(tmp_path: Path) -> None:
    """`per: day` goes by business time, in UTC."""
    days = ["2026-01-31T23:59:59.999Z", "2026-02-01T00:00:00.000Z", "2026-01-31T00:00:00.000Z"]
    events = [event(number, at=Instant(day)) for number, day in enumerate(days)]
    async with opened(tmp_path, per="day") as destination:
        assert await destination.send(lines(*events)) == [ACCEPTED] * 3

    assert [name.partition("/")[0] for name in names(tmp_path)] == ["2026-01-31", "2026-02-01"]
    assert ids(tmp_path / "2026-01-31") == id_list([events[0], events[2]])


async def test_one_file_for_each_event(tmp_path: Path) -> None:
    """`per: event` names sub-folders as events are named in ids."""
    async with opened(tmp_path, per="event") as destination:
        await destination.send(lines(event(1), identify(2), event(3, name="Order Refunded")))

    assert [name.partition("/")[0] for name in names(tmp_path)] == ["identify", "order-completed", "order-refunded"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "/", "a\x00b", "é" * 300, "-", "__", " ", "CON", "x/../y"])
def test_no_event_name_leads_out_of_the_folder(name: str) -> None:
    """Whatever an event is called, its sub-folder is one plain name of at most 100 bytes."""
    (line,) = lines(event(1, name=name))

    group = group_of(line, "event")

    assert group
    assert group == Path(group).name
    assert not group.startswith(".")
    assert len(group.encode()) <= 100
    assert "\x00" not in group


async def test_more_files_than_may_be_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files used longest ago are closed and opened again when something is added to them."""
    monkeypatch.setattr(parts_module, "OPEN_MAX", 2)
    days = [Instant(f"2026-01-{day:02d}T00:00:00.000Z") for day in range(1, 8)]
    batches = [[event(round_ * 10 + number, at=day) for number, day in enumerate(days)] for round_ in range(3)]
    async with opened(tmp_path, per="day", format="jsonl.gz") as destination:
        for batch in batches:
            assert await destination.send(lines(*batch)) == [ACCEPTED] * len(days)

    assert len(names(tmp_path)) == len(days)
    assert sorted(ids(tmp_path)) == sorted(each.id for batch in batches for each in batch)


@pytest.mark.parametrize(
    ("changes", "has", "lacks"),
    [
        ({}, {"event": "Order Completed", "userId": "customer-1"}, {"anonymousId", "name", "traits"}),
        ({"type": "identify", "name": "identify"}, {"userId": "customer-1"}, {"event", "properties", "name"}),
        ({"type": "page", "name": "Home"}, {"name": "Home"}, {"event", "traits"}),
        ({"type": "screen", "name": "screen"}, {}, {"name", "event"}),
        ({"type": "group", "name": "group", "context": {"groupId": "g1"}}, {"groupId": "g1"}, {"properties", "event"}),
        ({"type": "alias", "name": "alias", "anonymous_id": "old"}, {"previousId": "old"}, {"anonymousId", "event"}),
    ],
)
async def test_a_line_is_a_message_of_segments_spec(
    tmp_path: Path, changes: dict[str, Any], has: dict[str, Any], lacks: set[str]
) -> None:
    """Each of the six types has its own keys."""
    async with opened(tmp_path) as destination:
        await destination.send(lines(sent := event(1, **changes)))

    (message,) = messages(tmp_path)
    assert list(message)[:3] == ["type", "messageId", "timestamp"]
    assert (message["type"], message["messageId"], message["timestamp"]) == (sent.type, sent.id, sent.at)
    assert has.items() <= message.items()
    assert not lacks & set(message)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "other"}, "file_type_unknown"),
        ({"id": ""}, "file_no_message_id"),
        ({"at": Instant("yesterday")}, "file_no_timestamp"),
        ({"user_id": "half \ud800"}, "file_not_unicode"),
        ({"context": {"odd": object()}}, "file_not_json"),
        ({"padding": 1_000_000}, "file_event_too_large"),
    ],
)
def test_what_cannot_be_a_line_is_rejected(changes: dict[str, Any], reason: str) -> None:
    """With a reason, and without a word of the event."""
    found = line_of(event(1, **changes))

    assert isinstance(found, Rejected)
    assert found.reason == reason


@pytest.mark.parametrize("format_", ["jsonl", "jsonl.gz"])
async def test_what_was_written_is_found(tmp_path: Path, format_: str) -> None:
    """In files of this run and of others, whatever is in an id; what was not written is not."""
    odd = [event(number, id=name) for number, name in enumerate(['quote " and \\', "snow ☃", "x" * 99])]
    async with opened(tmp_path, format=format_) as destination:
        await destination.send(lines(*odd[:2]))
    async with opened(tmp_path, format=format_, per="day") as destination:
        await destination.send(lines(odd[2]))
        found = await destination.confirm([event(9), odd[1], odd[2], odd[0]])

    assert found == [False, True, True, True]


async def test_an_id_inside_properties_is_not_an_event(tmp_path: Path) -> None:
    """Only a line's own `messageId` counts."""
    hidden = event(2)
    async with opened(tmp_path) as destination:
        await destination.send(lines(event(1, properties={"messageId": hidden.id, "text": f'"messageId":"{hidden.id}"'})))
        assert await destination.confirm([hidden]) == [False]


async def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    """They could put their own files in place of ours; the check says so, too."""
    tmp_path.chmod(0o770)
    async with opened(tmp_path) as destination:
        (check,) = await destination.check()
        with pytest.raises(StoppedError, match="others can write"):
            await destination.send(lines(event(1)))

    assert not check.is_ok
    assert names(tmp_path) == []


async def test_a_link_in_place_of_a_sub_folder_is_not_written_through(tmp_path: Path) -> None:
    """A sub-folder that leads to somebody else's is judged as that one."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "out").mkdir(mode=0o700)
    (tmp_path / "out" / "2026-01-31").symlink_to(tmp_path / "open")
    async with opened(tmp_path / "out", per="day") as destination:
        with pytest.raises(StoppedError, match="others can write"):
            await destination.send(lines(event(1)))

    assert list((tmp_path / "open").iterdir()) == []


def test_settings_know_formats_and_groups() -> None:
    """Anything else is a mistake."""
    for wrong in ({"format": "csv"}, {"per": "month"}, {"events_per_second": 0}, {}):
        with pytest.raises(ValidationError):
            FileSettings.model_validate({"folder": "x", **wrong} if wrong else {})


def test_a_preview_shows_file_and_line() -> None:
    """The draft names where the line would go, and is the line itself."""
    spec = load("file")
    assert spec.draft is not None

    (draft,) = spec.draft(FileSettings(folder=Path("/data/out"), per="day"), DestinationContext())(event(1))  # type: ignore[misc]

    assert (draft.method, draft.url) == ("WRITE", "/data/out/2026-01-31/*.jsonl")
    assert [draft.body] == lines(event(1))
