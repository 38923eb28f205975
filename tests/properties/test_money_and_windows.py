"""Money is exact, instants are canonical, windows are half-open."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.clock import Window, instant_from_datetime, parse_instant, shift, to_datetime
from cdi_cli.commerce import Money, add, negate, scale, subtract
from cdi_cli.pipeline.slices import halve

AMOUNTS = st.builds(Money, st.integers(-(10**12), 10**12), st.just("EUR"), st.integers(0, 7))
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)).map(lambda one: one.replace(tzinfo=UTC))


@given(st.lists(AMOUNTS, min_size=1, max_size=8))
def test_sums_are_exact(amounts: list[Money]) -> None:
    """A sum of any precisions is the sum of the decimals, to the last digit."""
    assert add(*amounts).decimal() == sum((amount.decimal() for amount in amounts), Decimal(0))


@given(AMOUNTS)
def test_the_json_number_is_the_amount(amount: Money) -> None:
    """What a JSON reader parses is the decimal amount itself."""
    assert json.loads(json.dumps(amount.number()), parse_float=Decimal, parse_int=Decimal) == amount.decimal()


@given(AMOUNTS, AMOUNTS)
def test_a_difference_undoes_a_sum(first: Money, other: Money) -> None:
    """`(a + b) - b` is `a`."""
    assert subtract(add(first, other), other).decimal() == first.decimal()
    assert add(first, negate(first)).minor == 0


def test_currencies_never_mix() -> None:
    """Adding yen to euros is an error, not a number."""
    with pytest.raises(ValueError, match="cannot add JPY to EUR"):
        add(Money(1, "EUR"), Money(1, "JPY", 0))


def test_an_amount_too_large_for_json_is_refused() -> None:
    """Beyond 15 digits a float would print another amount."""
    with pytest.raises(ValueError, match="16 digits"):
        Money(10**15, "EUR").number()


def test_zero_and_three_decimal_currencies() -> None:
    """Yen have no minor unit, dinars have three digits."""
    assert Money(4200, "JPY", 0).number() == 4200
    assert Money(4205, "KWD", 3).number() == 4.205


def test_scaling_rounds_half_to_even() -> None:
    """Rates are applied in the amount's own precision."""
    assert [scale(Money(minor, "EUR"), Decimal("0.5")).minor for minor in (1, 3, 5)] == [0, 2, 2]


@given(MOMENTS, st.integers(-840, 840))
def test_an_instant_does_not_depend_on_its_zone(moment: datetime, offset_minutes: int) -> None:
    """The same moment in any zone is the same text, and reading the text gives the moment back."""
    elsewhere = moment.astimezone(timezone(timedelta(minutes=offset_minutes)))

    instant = parse_instant(elsewhere.isoformat())

    assert instant == instant_from_datetime(moment)
    assert len(instant) == 24
    assert moment - to_datetime(instant) < timedelta(milliseconds=1)


@given(MOMENTS, MOMENTS)
def test_instants_sort_like_time(first: datetime, other: datetime) -> None:
    """Comparing texts is comparing moments."""
    ordered = sorted(map(instant_from_datetime, (first, other)))

    assert ordered == [instant_from_datetime(one) for one in sorted((first, other))]


@pytest.mark.parametrize("text", ["", "2026-01-01", "2026-01-01T00:00:00", "yesterday", "2026-13-01T00:00:00.000Z"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    """A date, a naive date-time or a word is never taken for a moment."""
    with pytest.raises(ValueError):  # noqa: PT011 - several messages of the standard library
        parse_instant(text)


@given(MOMENTS, st.timedeltas(timedelta(minutes=2), timedelta(days=4000)))
def test_halves_of_a_window_are_the_window(since: datetime, span: timedelta) -> None:
    """Cutting loses no moment and doubles none."""
    start = instant_from_datetime(since)
    window = Window(start, shift(start, span))

    halves = halve(window)

    assert halves is None or (
        halves[0].since == window.since and halves[0].until == halves[1].since and halves[1].until == window.until
    )


def test_a_window_excludes_its_end() -> None:
    """Half-open: neighbouring windows share no moment."""
    window = Window(parse_instant("2026-01-01T00:00:00.000Z"), parse_instant("2026-01-02T00:00:00.000Z"))

    assert window.since in window
    assert window.until not in window


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    """An empty or backward window is a mistake of its maker."""
    with pytest.raises(ValueError, match="must end after it starts"):
        Window(parse_instant("2026-01-02T00:00:00.000Z"), parse_instant("2026-01-01T00:00:00.000Z"))
