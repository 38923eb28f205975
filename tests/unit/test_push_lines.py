"""Files of lines as a source: every line once, from any cursor, in bounded memory, whatever the file holds."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.clock import Instant, Window
from cdi_cli.errors import ConfigError, StoppedError
from cdi_cli.pipeline import push_lines
from cdi_cli.pipeline.push_lines import LINE_BYTES_MAX, Line, LineSource, open_events, scrub_line
from cdi_cli.sources import Cursor, Page

WINDOW = Window(Instant("2026-01-01T00:00:00.000Z"), Instant("2026-01-02T00:00:00.000Z"))


async def read(path: Path, cursor: str | None = None) -> list[Page]:
    """All pages from a cursor on."""
    with open_events(str(path), path.parent) as file:
        return [page async for page in LineSource(file).pages("push", WINDOW, Cursor(cursor) if cursor else None)]


def rows(pages: list[Page]) -> list[tuple[int, bytes]]:
    """The lines of pages with their numbers."""
    return [(line.number, bytes(line)) for page in pages for line in page.records if isinstance(line, Line)]


def made(tmp_path: Path, data: bytes, name: str = "events.jsonl") -> Path:
    """A file of these bytes, gzipped if it is named so."""
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.gz"])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"a\nb\n", [(1, b"a"), (2, b"b")]),
        (b"a\nb", [(1, b"a"), (2, b"b")]),
        (b"\n\na\r\n  \nb\r\n", [(3, b"a"), (5, b"b")]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", [(1, b"a"), (2, b"\xef\xbb\xbfb")]),
        (b"\n\n", []),
    ],
)
async def test_lines_and_their_numbers(tmp_path: Path, name: str, data: bytes, expected: list[tuple[int, bytes]]) -> None:
    """Empty lines are counted and not read; line ends of any kind, a mark at the start, and no last line end are fine."""
    pages = await read(made(tmp_path, data, name))

    assert rows(pages) == expected
    assert [page.is_last for page in pages][-1:] == [True]


@given(texts=st.lists(st.text("ab ", max_size=4), max_size=12), is_gzip=st.booleans(), page_lines=st.integers(1, 4))
async def test_every_cursor_goes_on_where_its_page_ended(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], is_gzip: bool, page_lines: int
) -> None:
    """What is read before a cursor and what is read from it on is the whole file, no line twice."""
    path = made(
        tmp_path_factory.mktemp("lines"), "\n".join(texts).encode(), "events.jsonl.gz" if is_gzip else "events.jsonl"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(push_lines, "PAGE_LINES", page_lines)
        whole = await read(path)
        for number, page in enumerate(whole, start=1):
            assert rows(whole[:number]) + rows(await read(path, page.cursor)) == rows(whole)

    assert [line for _, line in rows(whole)] == [text.strip().encode() for text in texts if text.strip()]
    assert [page.is_last for page in whole] == [False] * (len(whole) - 1) + [True]


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.gz"])
async def test_a_line_that_is_too_long_is_not_held(tmp_path: Path, name: str) -> None:
    """It is passed over, with its length and a digest that tells it from others; the next one is read."""
    long, longer = b"x" * (LINE_BYTES_MAX + 1), b"y" * (3 * LINE_BYTES_MAX)
    fits = b"z" * LINE_BYTES_MAX
    (page,) = await read(made(tmp_path, b"a\n" + long + b"\n" + fits + b"\n" + longer + b"\nb\n" + long, name))

    found: list[Any] = list(page.records)
    assert [(line.number, line.length) for line in found] == [
        (1, 0),
        (2, len(long) + 1),
        (3, 0),
        (4, len(longer) + 1),
        (5, 0),
        (6, len(long)),
    ]
    assert [bytes(line) for line in found] == [b"a", b"", fits, b"", b"b", b""]
    assert found[1].digest != found[3].digest


async def test_a_page_is_bounded_by_bytes(tmp_path: Path) -> None:
    """Large lines make small pages."""
    line = b"x" * 900_000 + b"\n"
    pages = await read(made(tmp_path, line * 12))

    assert max(sum(map(len, page.records)) for page in pages) < push_lines.PAGE_BYTES + LINE_BYTES_MAX
    assert len(pages) > 2


async def test_a_damaged_archive_gives_what_is_whole(tmp_path: Path) -> None:
    """The lines before the damage come, then an error that says so; the page before it is not the last."""
    path = made(tmp_path, b"".join(f"{number} {'x' * number}\n".encode() for number in range(3000)), "events.jsonl.gz")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    pages: list[Page] = []

    async def gather() -> None:
        with open_events(str(path), tmp_path) as file:
            async for page in LineSource(file).pages("push", WINDOW, None):
                pages.append(page)

    with pytest.raises(StoppedError, match="damaged after line") as caught:
        await gather()

    assert caught.value.hint
    assert len(rows(pages)) > 100
    assert not any(page.is_last for page in pages)


async def test_a_file_that_changes_meanwhile_is_not_read_to_its_end(tmp_path: Path) -> None:
    """Somebody is still writing it: nobody knows what it will be."""
    path = made(tmp_path, b"a\n")
    with open_events(str(path), tmp_path) as file:
        with path.open("ab") as stream:
            stream.write(b"b\n")
        with pytest.raises(StoppedError, match="changed while it was read"):
            [page async for page in LineSource(file).pages("push", WINDOW, None)]


async def test_the_same_bytes_are_the_same_file(tmp_path: Path) -> None:
    """Whatever it is called; other bytes are another one."""
    digests = []
    for name, data in (("a.jsonl", b"a\n"), ("b.txt", b"a\n"), ("c.jsonl", b"a\n\n")):
        with open_events(str(made(tmp_path, data, name)), tmp_path) as file:
            digests.append(file.digest)

    assert digests[0] == digests[1] != digests[2]


def test_what_cannot_be_opened_is_a_wrong_command_line(tmp_path: Path) -> None:
    """A missing file, a folder, and one that is named as if it were compressed."""
    (tmp_path / "plain.jsonl.gz").write_bytes(b"{}\n")
    for path, message in (("missing.jsonl", "cannot be read"), (".", "cannot be read"), ("plain.jsonl.gz", "no gzip")):
        with pytest.raises(ConfigError, match=message) as caught, open_events(str(tmp_path / path), tmp_path):
            pass
        assert caught.value.hint


async def test_standard_input_is_read_like_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept without a name while it is read, has the digest that a file has, and is gone afterwards."""
    data = gzip.compress(b"a\nb\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    path = made(tmp_path, b"a\nb\n", "events.jsonl.gz")
    path.write_bytes(data)
    with open_events("-", tmp_path / "kept") as file:
        pages = [page async for page in LineSource(file).pages("push", WINDOW, None)]
        assert list((tmp_path / "kept").iterdir()) == []
    with open_events(str(path), tmp_path) as same:
        assert (file.digest, file.name) == (same.digest, "standard input")

    assert rows(pages) == [(1, b"a"), (2, b"b")]


def test_the_key_of_a_source_is_not_kept() -> None:
    """A write key that stands in a raw body goes; what names one and cannot be read is not kept at all."""
    line = json.dumps({"writeKey": "s3cret", "type": "page", "properties": {"writeKey": "a page's own"}}).encode()

    kept = scrub_line(line)

    assert kept is not None
    assert json.loads(kept) == {"type": "page", "properties": {"writeKey": "a page's own"}}
    assert scrub_line(b'{"writeKey": "s3cret"') is None
    assert scrub_line(b'["writeKey"]') is None
    assert scrub_line(b"{}") == b"{}"
    assert scrub_line(Line(b"", 1, 2_000_000)) is None
