"""Durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.config.durations import SECONDS_MAX, duration_text, parse_duration


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86_400), ("45", 45), (45, 45)])
def test_a_number_and_a_unit(text: str | int, seconds: int) -> None:
    """Seconds, minutes, hours and days; a bare number is seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "5 weeks", "-5m", "1.5h", True, None, "5m 3s"])
def test_anything_else_is_refused_with_examples(text: object) -> None:
    """The error says how a duration is written."""
    with pytest.raises(ValueError, match="is not a duration; write for example 90s, 5m, 2h or 1d"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (45, "45s"), (90, "90s"), (240, "4m"), (7200, "2h"), (172_800, "2d")]
)
def test_seconds_are_written_in_the_largest_unit_that_fits(seconds: int, text: str) -> None:
    """No fraction, no sum of units."""
    assert duration_text(seconds) == text


@given(st.integers(0, SECONDS_MAX))
def test_what_is_written_is_read_again(seconds: int) -> None:
    """Writing and reading a duration loses nothing."""
    assert parse_duration(duration_text(seconds)) == seconds


@pytest.mark.parametrize("text", ["36501d", "9999999999d", "9999999999"])
def test_more_than_a_hundred_years_is_refused(text: str) -> None:
    """What would lead out of the calendar is told when it is read, not when it is used."""
    with pytest.raises(ValueError, match="too long for a duration: 36500d at most"):
        parse_duration(text)
