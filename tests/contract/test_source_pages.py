"""What every source promises about pages, cursors, windows and counts (`sources/_base.py`)."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest
from contract_bench import SourceBench, each_source, each_stream, each_walk

from cdi_cli.clock import Instant, Window, parse_instant, to_datetime
from cdi_cli.errors import ProtocolError
from cdi_cli.sources import Cursor

EMPTY = Window(Instant("1999-01-01T00:00:00.000Z"), Instant("1999-02-01T00:00:00.000Z"))


def times(source: SourceBench, stream: str, by: str) -> list[Instant]:
    """The simulator's times of a stream, sorted."""
    return sorted(row.at(by) for row in source.simulator.rows(stream))


def cuts(source: SourceBench, stream: str, by: str) -> list[Window]:
    """The whole window in five parts; it is cut at times that records have, one of them the time that most records have."""
    all_times = times(source, stream, by)
    crowded, _ = Counter(all_times).most_common(1)[0]
    edges = {all_times[len(all_times) * share // 4] for share in (1, 2, 3)} | {crowded}
    bounds = [source.simulator.window.since, *sorted(edges), source.simulator.window.until]
    return [Window(since, until) for since, until in pairwise(bounds) if since < until]


@each_walk
async def test_every_record_is_read_once(source: SourceBench, stream: str, by: str) -> None:
    """A window gives each of the simulator's records exactly once, as JSON objects in bytes, over several pages."""
    pages = await source.walk(stream, source.simulator.window, by=by)

    expected = sorted(row.id for row in source.simulator.rows(stream))
    assert sorted(source.ids(pages)) == expected
    assert len(pages) >= 4
    assert all(isinstance(record, bytes) for page in pages for record in page.records)
    assert all(isinstance(json.loads(record), dict) for page in pages for record in page.records)


@each_walk
async def test_records_come_in_the_order_of_their_time(source: SourceBench, stream: str, by: str) -> None:
    """Reading order goes by the time that the window goes by."""
    pages = await source.walk(stream, source.simulator.window, by=by)

    at = {row.id: row.at(by) for row in source.simulator.rows(stream)}
    found = [at[identifier] for identifier in source.ids(pages)]
    assert found == sorted(found)


@each_walk
async def test_only_the_last_page_says_that_it_is_the_last(source: SourceBench, stream: str, by: str) -> None:
    """`is_last` is true on the last page and on no other."""
    pages = await source.walk(stream, source.simulator.window, by=by)

    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]


@each_walk
async def test_from_every_saved_cursor_exactly_the_rest_is_read(source: SourceBench, stream: str, by: str) -> None:
    """A newly opened source goes on behind any page, also in the middle of records of one time, and repeats nothing."""
    window = source.simulator.window
    pages = await source.walk(stream, window, by=by)
    cursors = [Cursor(json.loads(json.dumps(page.cursor))) for page in pages]

    rests = [source.ids(await source.walk(stream, window, cursor, by=by)) for cursor in cursors]

    assert rests == [source.ids(pages[number + 1 :]) for number in range(len(pages))]


@each_walk
async def test_half_open_windows_partition_the_whole(source: SourceBench, stream: str, by: str) -> None:
    """Windows that touch read every record in one of them, the one that holds its time, in the same order as one walk."""
    windows = cuts(source, stream, by)
    at = {row.id: row.at(by) for row in source.simulator.rows(stream)}

    parts = [source.ids(await source.walk(stream, window, by=by)) for window in windows]

    assert len(windows) >= 4
    assert [identifier for part in parts for identifier in part] == source.ids(
        await source.walk(stream, source.simulator.window, by=by)
    )
    assert all(at[identifier] in window for window, part in zip(windows, parts, strict=True) for identifier in part)


@each_walk
async def test_an_empty_window_is_one_empty_last_page(source: SourceBench, stream: str, by: str) -> None:
    """Nothing to read is said by one empty page that is the last; so it is again from its cursor."""
    (page,) = await source.walk(stream, EMPTY, by=by)
    (again,) = await source.walk(stream, EMPTY, page.cursor, by=by)

    assert [(list(each.records), each.is_last) for each in (page, again)] == [([], True), ([], True)]


@each_stream
async def test_two_windows_can_be_read_at_the_same_time(source: SourceBench, stream: str) -> None:
    """Pages of two windows, asked for in turns of one open source, are the same as one after the other."""
    first, second, *_ = cuts(source, stream, "created")
    expected = [await source.walk(stream, window) for window in (first, second)]
    found: list[list[bytes]] = [[], []]

    async with source.opened(stream) as opened:
        walks = {number: opened.pages(stream, window, None) for number, window in enumerate((first, second))}
        while walks:
            for number, walk in list(walks.items()):
                page = await anext(walk, None)
                if page is None:
                    del walks[number]
                else:
                    found[number] += page.records

    assert [source.ids(records) for records in found] == [source.ids(pages) for pages in expected]


@each_stream
@pytest.mark.parametrize("text", ["", "{}", "null", "not a cursor", '{"at": 1}', "\ud800"])
async def test_a_cursor_that_is_not_ours_is_refused(source: SourceBench, stream: str, text: str) -> None:
    """A damaged cursor stops the reading with what to do; it is never taken for the start of the window."""
    async with source.opened(stream) as opened:
        with pytest.raises(ProtocolError) as caught:
            await anext(opened.pages(stream, source.simulator.window, Cursor(text)))

    assert caught.value.hint


@each_stream
async def test_counts_agree_with_what_is_read(source: SourceBench, stream: str) -> None:
    """A count, where a source can tell one, is the number of records created in that window, and parts add up."""
    if not source.spec.stream(stream).by_creation:
        pytest.skip("not windowed by creation")
    windows = cuts(source, stream, "created")
    at = times(source, stream, "created")

    async with source.opened(stream) as opened:
        counts = [await opened.count(stream, window) for window in [*windows, source.simulator.window, EMPTY]]

    if counts[-1] is None:
        assert set(counts) == {None}
    else:
        assert counts == [sum(time in window for time in at) for window in [*windows, source.simulator.window, EMPTY]]


@each_source
async def test_the_platform_tells_its_own_time(source: SourceBench) -> None:
    """`server_now` is the other side's clock, wherever that stands, as an instant, and never ahead of it."""
    with source.simulator.clock_shifted(timedelta(hours=-5)):
        async with source.opened() as opened:
            now = await opened.server_now()
        theirs = source.simulator.server_now()

    assert parse_instant(now) == now
    assert timedelta(0) <= to_datetime(theirs) - to_datetime(now) < timedelta(minutes=5)
