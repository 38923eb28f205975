"""Dates as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cdi_cli.cli.when import parse_when, parse_zone
from cdi_cli.errors import ConfigError

NOW = datetime(2026, 3, 29, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "zone", "instant", "is_assumed"),
    [
        ("2026-01-31", "UTC", "2026-01-31T00:00:00.000Z", True),
        ("2026-01-31", "Europe/Berlin", "2026-01-30T23:00:00.000Z", True),
        ("2026-01-31T08:00:00+01:00", "America/New_York", "2026-01-31T07:00:00.000Z", False),
        ("2026-01-31T08:00:00Z", "Europe/Berlin", "2026-01-31T08:00:00.000Z", False),
        ("2026-01-31T08:00", "Europe/Berlin", "2026-01-31T07:00:00.000Z", True),
        ("now", "Europe/Berlin", "2026-03-29T10:30:00.000Z", False),
        ("12h", "Europe/Berlin", "2026-03-28T22:30:00.000Z", False),
        ("90 m ago", "UTC", "2026-03-29T09:00:00.000Z", False),
        ("today", "Europe/Berlin", "2026-03-28T23:00:00.000Z", True),
        ("yesterday", "Europe/Berlin", "2026-03-27T23:00:00.000Z", True),
        ("1d", "UTC", "2026-03-28T00:00:00.000Z", True),
        ("2w", "UTC", "2026-03-15T00:00:00.000Z", True),
        ("1mo", "UTC", "2026-02-28T00:00:00.000Z", True),
        ("2y", "UTC", "2024-03-29T00:00:00.000Z", True),
    ],
)
def test_a_moment_is_understood(text: str, zone: str, instant: str, is_assumed: bool) -> None:
    """Days begin at midnight of the named zone, also on the day the clocks change; hours count from now."""
    when = parse_when(text, now=NOW, zone=parse_zone(zone), option="--since")

    assert (when.instant, when.is_zone_assumed) == (instant, is_assumed)


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01", "31.01.2026", "9999999d", "-3d", "2026-01-31T25:00Z", "0001-01-01"]
)
def test_what_is_no_moment_is_refused_with_the_option(text: str) -> None:
    """The message names the option and what was typed, the hint the forms that are understood."""
    with pytest.raises(ConfigError, match="--since") as caught:
        parse_when(text, now=NOW, zone=parse_zone("Asia/Tokyo"), option="--since")

    assert caught.value.hint


def test_an_unknown_zone_is_refused() -> None:
    """A misspelt zone is not UTC."""
    with pytest.raises(ConfigError, match="Europe/Berln"):
        parse_zone("Europe/Berln")
