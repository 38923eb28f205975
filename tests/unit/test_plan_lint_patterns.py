"""Patterns: which ones a backtracking engine chokes on, and which ones match nothing at all."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.plan.lint_pattern import is_catastrophic, matches_nothing, widths

CATASTROPHIC = [
    r"^(a+)+$",
    r"(a*)*b",
    r"^([a-z]+_?)*$",
    r"(a|aa)+$",
    r"^(a?a?)*$",
    r"^(\w+\s?)*$",
    r"^(\d{1,20}){1,20}$",
    r"(.*a){12}",
    r"^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*@x$",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
]
HARMLESS = [
    r"^[A-Z]{3}$",
    r"^[a-z]+(_[a-z]+)*$",
    r"^\d{4}-\d{2}(-\d{2})?$",
    r"(foo|for)*",
    r"^\s*\S+(\s+\S+)*\s*$",
    r"^(([^@\s]+(\.[^@\s.]+)*)|(\".+\"))@x$".replace(r"[^@\s]+(", r"[^@\s.]+("),
    r"^https?://[^/]+(/[^/]*)*$",
    "",
]


@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_a_catastrophic_pattern_is_told(pattern: str) -> None:
    """Patterns known to explode are found."""
    assert is_catastrophic(pattern)


@pytest.mark.parametrize("pattern", HARMLESS)
def test_a_harmless_pattern_is_left_alone(pattern: str) -> None:
    """Loops that can be left in one way only are fine, however they look."""
    assert not is_catastrophic(pattern)


@pytest.mark.parametrize("pattern", ["a^", "$a", r"[^\s\S]", "(a^b)", "x(?:$y)", "(a^|$b)", "^a+$b"])
def test_a_pattern_that_matches_nothing_is_told(pattern: str) -> None:
    """Something before the start, after the end or of an empty class cannot be."""
    assert matches_nothing(pattern)


@pytest.mark.parametrize("pattern", ["^$", "a$|b", "(a^b)?", "^abc$", "(^a|b)c", r"\p{L}+", "[", "(?=a)b"])
def test_a_pattern_that_may_match_is_left_alone(pattern: str) -> None:
    """What can match, or cannot be judged, is not called impossible."""
    assert not matches_nothing(pattern)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("^[A-Z]{2,3}$", (2, 3)), ("^a", (1, None)), ("ab+", (2, None)), ("^a*$", (0, None)), (r"\p{L}", None)],
)
def test_widths(pattern: str, expected: tuple[int, int | None] | None) -> None:
    """The shortest match counts for any pattern, the longest only for one that is tied to both ends."""
    assert widths(pattern) == expected


@pytest.mark.parametrize("pattern", ["(" * 500 + "a" + ")" * 500, "(" + "|".join(["[a-z]+x"] * 29) + ")*", "a{60000}" * 50])
def test_a_hostile_pattern_is_judged_in_bounded_time(pattern: str) -> None:
    """Patterns made to keep the judge busy end soon."""
    started = time.process_time()

    is_catastrophic(pattern)

    assert time.process_time() - started < 2


ATOMS = st.sampled_from(["a", "b", "[ab]", r"\d", ".", "(?:ab)"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{})*".format, inner),
        st.builds("(?:{})+".format, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("(?:{}){{1,2}}".format, inner),
    ),
    max_leaves=6,
)


@given(PATTERNS, st.text("ab1", max_size=6))
def test_what_matches_is_within_the_widths(pattern: str, text: str) -> None:
    """A text that a pattern matches whole has a length within its widths, and the pattern can match."""
    if re.fullmatch(pattern, text):
        found = widths(f"^{pattern}$")
        assert found is not None
        least, most = found
        assert least <= len(text)
        assert most is None or len(text) <= most
        assert not matches_nothing(pattern)


@given(st.text(max_size=40))
def test_judging_never_raises(pattern: str) -> None:
    """Any text is judged without an exception."""
    assert is_catastrophic(pattern) in (True, False)
    assert matches_nothing(pattern) in (True, False)
    widths(pattern)
