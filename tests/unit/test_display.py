"""What the display says while a run works."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cdi_cli.cli.display import display, duration, seconds_left
from cdi_cli.pipeline.progress import Progress


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 0 s"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_spans_are_said_as_people_say_them(seconds: float, text: str) -> None:
    """Short spans have a decimal, long ones two units."""
    assert duration(seconds) == text


def test_time_left_counts_what_is_read_and_what_is_not() -> None:
    """Half of the records read, three quarters of their events settled in 30 s: 50 s are left."""
    progress = Progress()
    progress.expected = {"orders": 2000}
    progress.pulled["orders"] = 1000
    progress.issued["orders"] = 2000
    progress.settled["orders", "delivered"] = 1500

    assert seconds_left(progress, 30.0) == pytest.approx(50.0)


def test_no_time_is_told_without_a_count() -> None:
    """A source that cannot count gets no made-up figure."""
    progress = Progress()
    progress.expected = {"orders": None}
    progress.pulled["orders"] = progress.issued["orders"] = 10
    progress.settled["orders", "delivered"] = 5

    assert seconds_left(progress, 1.0) is None


def test_a_pipe_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal there are no bars and no escape codes, only a line now and then."""
    monkeypatch.setattr("cdi_cli.cli.display.LINE_SECONDS", 0.01)
    progress, out = Progress(), io.StringIO()
    progress.stream, progress.expected = "orders", {"orders": 100}
    progress.pulled["orders"] = 40

    with display(progress, Console(file=out)):
        import time

        time.sleep(0.1)

    lines = out.getvalue().splitlines()
    assert lines
    assert all(line.startswith("orders: 40 of 100 records, 0 events") for line in lines)
    assert "\x1b" not in out.getvalue()
