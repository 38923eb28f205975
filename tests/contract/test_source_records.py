"""What every source promises about records: entities, unreadable ones, and what must never be kept (`sources/_base.py`)."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contract_bench import ENTITIES, SAYINGS, SourceBench, each_source, each_stream

from cdi_cli.commerce import Product
from cdi_cli.errors import ConfigError
from cdi_cli.plan.load import load_plan
from cdi_cli.sources import Departed, Joined, Nothing, Reading, Source, SourceContext, Unreadable

GROUP = 100
CODE = re.compile(r"[a-z][a-z0-9_]*")
CANARY = "canary-must-not-be-kept"
FREE_FIELD = "record.custom.fields.tier"


async def read_in_groups(opened: Source, stream: str, records: list[bytes]) -> list[list[Reading]]:
    """The readings of all records, a hundred at a time as the pipeline does it."""
    readings: list[list[Reading]] = []
    for start in range(0, len(records), GROUP):
        readings += await opened.read(stream, records[start : start + GROUP])
    return readings


def without(record: bytes, position: int) -> bytes:
    """A record that was cut in the middle."""
    return record[: len(record) * position // 4]


def texts_of(value: Any) -> Iterator[str]:
    """Every text in a record that could be somebody's data: not names of fields, not words that every record has."""
    if isinstance(value, dict):
        for below in value.values():
            yield from texts_of(below)
    elif isinstance(value, list):
        for below in value:
            yield from texts_of(below)
    elif isinstance(value, str) and len(value) >= 6:
        yield value


def planted(record: bytes, denied: frozenset[str]) -> bytes:
    """The record with a canary in every denied field, at the top, nested and in a list, and as text and as object."""
    decoded = json.loads(record)
    fields: dict[str, Any] = dict.fromkeys(denied, CANARY)
    objects: dict[str, Any] = {name: {"value": [CANARY]} for name in denied}
    decoded |= objects | {"harmless": {"deep": [{"deeper": fields}, fields]}}
    for name, value in list(decoded.items()):
        if isinstance(value, dict):
            decoded[name] = fields | value if name not in denied else value
    return json.dumps(decoded).encode()


@each_stream
async def test_there_is_one_list_of_readings_per_record_in_order(source: SourceBench, stream: str) -> None:
    """`read` gives a list for each record, in order; what is in it came of that record and fits the stream's family."""
    records = await source.records(stream)
    async with source.opened() as opened:
        readings = await read_in_groups(opened, stream, records)

    kind = ENTITIES[source.spec.stream(stream).family]
    entities = 0
    assert len(readings) == len(records)
    for record, found in zip(records, readings, strict=True):
        assert found
        for reading in found:
            assert isinstance(reading, kind | Nothing | Departed), reading
            if isinstance(reading, Nothing):
                assert CODE.fullmatch(reading.reason)
            else:
                entities += 1
                assert source.simulator.belongs(stream, json.loads(record), reading)
    assert entities > 5


@each_stream
async def test_an_entity_made_of_another_record_comes_with_that_record(source: SourceBench, stream: str) -> None:
    """Each entity is of the record that was read, or the reading names, one by one, the records that entities are of."""
    records = await source.records(stream)
    async with source.opened() as opened:
        readings = await read_in_groups(opened, stream, records)

    entities = 0
    for record, found in zip(records, readings, strict=True):
        origins = found.records if isinstance(found, Joined) else [record] * len(found)
        assert len(origins) == len(found)
        for origin, reading in zip(origins, found, strict=True):
            if isinstance(reading, Departed):
                entities += 1
                assert not isinstance(found, Joined)
            elif isinstance(reading, tuple(ENTITIES.values())):
                entities += 1
                row = json.loads(origin)
                if isinstance(reading, Product):  # a record holds several, and each has an id of its own
                    assert source.simulator.belongs(stream, row, reading)
                else:
                    assert reading.id == source.simulator.id_of(row)
    assert entities > 5


@each_stream
async def test_records_can_be_read_without_an_account(
    source: SourceBench, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a source can be opened offline, it needs no secret and no connection, and reads what needs no look-up."""
    if source.spec.open_offline is None:
        pytest.skip("this source cannot be opened offline")
    records = (await source.records(stream))[:20]
    async with source.opened() as opened:
        online = await opened.read(stream, records)
    for name in source.simulator.environment:
        monkeypatch.delenv(name)

    def refused(_self: socket.socket, address: Any) -> None:
        raise AssertionError(f"an offline source may not connect to {address}")

    monkeypatch.setattr(socket.socket, "connect", refused)
    offline = source.spec.open_offline(None, SourceContext(), {})
    try:
        readings = await offline.read(stream, records)
    finally:
        await offline.close()

    assert len(readings) == len(records)
    for record, found, expected in zip(records, readings, online, strict=True):
        if not isinstance(expected, Joined):
            assert [type(reading) for reading in found] == [type(reading) for reading in expected]
        for reading in found:
            if isinstance(reading, SAYINGS):
                assert source.simulator.belongs(stream, json.loads(record), reading)


@each_stream
async def test_the_same_records_read_the_same_again(source: SourceBench, stream: str) -> None:
    """Another source, opened later, makes equal entities of the same bytes."""
    records = (await source.records(stream))[-60:]
    async with source.opened() as first, source.opened() as second:
        expected = await first.read(stream, records)
        found = await second.read(stream, records)

    assert found == expected


@each_stream
async def test_no_records_are_read_as_none(source: SourceBench, stream: str) -> None:
    """An empty group is no readings."""
    async with source.opened() as opened:
        assert await opened.read(stream, []) == []


@each_stream
@pytest.mark.parametrize("damage", ["wrong type", "cut", "not JSON", "not UTF-8", "not an object", "too deep"])
async def test_a_record_that_cannot_be_read_fails_alone(source: SourceBench, stream: str, damage: str) -> None:
    """It becomes `Unreadable` with a stable reason and none of its texts; its neighbours read as they would without it."""
    first, bad, last = (await source.records(stream))[:3]
    typed = json.loads(bad)
    source.simulator.break_type(stream, typed)
    broken = {
        "wrong type": json.dumps(typed).encode(),
        "cut": without(bad, 3),
        "not JSON": b"<html>no</html>",
        "not UTF-8": bad.replace(b'":"', b'":"\xff\xfe'),
        "not an object": b"[1, 2]",
        "too deep": bad[:-1] + b',"deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    }[damage]
    async with source.opened() as opened:
        before, *others = await opened.read(stream, [first, broken, last])
        alone = await opened.read(stream, [first, last])

    (unreadable,) = others[0]
    assert isinstance(unreadable, Unreadable)
    assert [before, others[1]] == alone
    assert CODE.fullmatch(unreadable.reason)
    assert unreadable.detail
    leaked = [text for text in texts_of(json.loads(bad)) if text in unreadable.detail]
    assert leaked == []
    if damage == "wrong type":
        assert unreadable.record_id == source.simulator.id_of(typed)


@each_stream
async def test_new_fields_of_the_platform_change_nothing(source: SourceBench, stream: str) -> None:
    """A record with fields that nobody knows yet reads as it would without them."""
    records = (await source.records(stream))[-20:]
    grown = [json.dumps(json.loads(record) | {"brandNew": {"a": [1, None, "x"]}}).encode() for record in records]
    async with source.opened() as opened:
        expected = await opened.read(stream, records)
        found = await opened.read(stream, grown)

    assert found == expected


@each_stream
async def test_scrubbing_removes_every_denied_field_and_nothing_else(source: SourceBench, stream: str) -> None:
    """At any depth, what must never be kept is gone, and the rest of the record is as it was."""
    record = (await source.records(stream))[0]
    assert source.spec.denied_fields
    async with source.opened() as opened:
        clean = opened.scrub(stream, record)
        scrubbed = opened.scrub(stream, planted(record, source.spec.denied_fields))
    assert clean is not None
    assert scrubbed is not None

    assert CANARY.encode() not in scrubbed
    kept = json.loads(scrubbed)
    assert kept.pop("harmless") == {"deep": [{"deeper": {}}, {}]}
    assert kept == json.loads(clean)
    original = json.loads(record)
    assert {name for name in original if name not in source.spec.denied_fields} == set(json.loads(clean))


@each_stream
@pytest.mark.parametrize("record", [b"", b"{", b"<html>", b'{"password": "canary', b"[" * 100_000])
async def test_what_cannot_be_scrubbed_is_not_kept(source: SourceBench, stream: str, record: bytes) -> None:
    """None stands for a record in which nothing could be found to remove."""
    async with source.opened() as opened:
        assert opened.scrub(stream, record) is None


@each_stream
async def test_denied_fields_do_not_reach_an_entity(source: SourceBench, stream: str) -> None:
    """Whatever a record holds in denied fields, no entity and no detail of a failure shows it."""
    records = [planted(record, source.spec.denied_fields) for record in (await source.records(stream))[:30]]
    async with source.opened() as opened:
        readings = await opened.read(stream, records)

    assert any(isinstance(reading, SAYINGS) for found in readings for reading in found)
    assert CANARY not in repr(readings)


@each_source
async def test_denied_fields_cannot_be_mapped(source: SourceBench, tmp_path: Path) -> None:
    """A plan that maps a denied field of the raw record does not load; one that maps its neighbour does."""
    (tmp_path / "events").mkdir()
    (tmp_path / "plan.yaml").write_text("name: contract\nversion: 1.0.0\n", encoding="utf-8")
    event = tmp_path / "events" / "signed_up.yaml"
    text = (
        "event: Signed Up\ntrigger: customer.created\ndescription: d\n"
        "properties:\n  tier: {type: string, description: d, from: %s}\n"
    )
    event.write_text(text % FREE_FIELD, encoding="utf-8")
    assert load_plan(tmp_path, denied_fields=source.spec.denied_fields).events

    for name in sorted(source.spec.denied_fields):
        for path in (f"record.{name}", f"record.custom.{name}.inner"):
            event.write_text(text % path, encoding="utf-8")
            with pytest.raises(ConfigError) as caught:
                load_plan(tmp_path, denied_fields=source.spec.denied_fields)
            problems = getattr(caught.value, "problems", ())
            assert [f"the record field `{name}` must never be mapped"] == [problem.message for problem in problems]
