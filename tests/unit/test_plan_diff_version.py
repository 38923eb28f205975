"""Which version a change demands, and whether a version makes the bump."""

from __future__ import annotations

import pytest

from cdi_cli.plan.diff_change import Change, Level
from cdi_cli.plan.diff_version import Bump, demanded_bump, is_bump_made, next_version
from cdi_cli.plan.problems import Place
from cdi_cli.plan.versions import Version


def change(level: Level, *, is_suspected: bool = False) -> Change:
    """A change of a level."""
    return Change("kind", level, "", "", (), None, None, Place("plan.yaml"), is_suspected)


@pytest.mark.parametrize(
    ("levels", "before", "expected"),
    [
        ([], "1.0.0", Bump.NONE),
        (["cosmetic"], "1.0.0", Bump.PATCH),
        (["cosmetic", "compatible"], "1.0.0", Bump.MINOR),
        (["breaking", "cosmetic"], "1.0.0", Bump.MAJOR),
        (["breaking"], "0.3.0", Bump.MINOR),
        (["compatible"], "0.3.0", Bump.PATCH),
        (["cosmetic"], "0.3.0", Bump.PATCH),
    ],
)
def test_the_worst_change_decides(levels: list[Level], before: str, expected: Bump) -> None:
    """Breaking demands major, compatible minor, cosmetic patch; one less while the major version is 0."""
    assert demanded_bump(map(change, levels), Version(before)) is expected


def test_a_suspicion_can_be_taken_lightly() -> None:
    """With `is_lenient` a suspected change demands a minor version, one that surely breaks still a major one."""
    suspected = change("breaking", is_suspected=True)

    assert demanded_bump([suspected], Version("1.0.0")) is Bump.MAJOR
    assert demanded_bump([suspected], Version("1.0.0"), is_lenient=True) is Bump.MINOR
    assert demanded_bump([suspected, change("breaking")], Version("1.0.0"), is_lenient=True) is Bump.MAJOR


@pytest.mark.parametrize(
    ("before", "after", "demanded", "is_made"),
    [
        ("1.2.3", "2.0.0", Bump.MAJOR, True),
        ("1.2.3", "1.9.9", Bump.MAJOR, False),
        ("1.2.3", "1.3.0", Bump.MINOR, True),
        ("1.2.3", "2.0.0", Bump.MINOR, True),
        ("1.2.3", "1.2.4", Bump.MINOR, False),
        ("1.2.3", "1.2.4", Bump.PATCH, True),
        ("1.2.3", "1.2.3", Bump.PATCH, False),
        ("1.2.3", "1.2.3+build", Bump.PATCH, False),
        ("1.2.3", "1.2.3", Bump.NONE, True),
        ("1.2.3", "1.2.4", Bump.NONE, True),
        ("1.2.3", "1.2.2", Bump.NONE, False),
        ("2.0.0", "1.0.0", Bump.PATCH, False),
        ("1.2.3", "2.0.0-rc.1", Bump.MAJOR, True),
        ("2.0.0-rc.1", "2.0.0-rc.2", Bump.MAJOR, True),
        ("2.0.0-rc.2", "2.0.0", Bump.MAJOR, True),
        ("2.0.0-rc.2", "2.0.0-rc.2", Bump.PATCH, False),
        ("0.3.0", "0.4.0", Bump.MINOR, True),
        ("0.3.0", "1.0.0", Bump.MINOR, True),
    ],
)
def test_a_version_makes_the_bump(before: str, after: str, demanded: Bump, is_made: bool) -> None:
    """The numbers up to the demanded one must have grown; after a pre-release any later version will do."""
    assert is_bump_made(Version(before), Version(after), demanded) is is_made


@pytest.mark.parametrize("before", ["1.2.3", "0.3.1", "2.0.0-rc.1", "1.2.3+build.7"])
@pytest.mark.parametrize("demanded", Bump)
def test_the_version_that_is_proposed_makes_the_bump(before: str, demanded: Bump) -> None:
    """`next_version` is always enough."""
    assert is_bump_made(Version(before), Version(next_version(Version(before), demanded)), demanded)
