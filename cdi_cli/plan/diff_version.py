"""Which version a change demands: breaking a major bump, compatible a minor one, cosmetic a patch.

While the major version is 0 nothing is promised yet (semver.org, rule 4): breaking then demands a minor bump, all else a
patch. After a pre-release any later version will do (rule 9).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from cdi_cli.plan.diff_change import Change, Level
from cdi_cli.plan.versions import Version


class Bump(IntEnum):
    """How far a version must move."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    @property
    def word(self) -> str:
        """The bump in a sentence: "major"."""
        return self.name.lower()


_DEMANDS: dict[Level, Bump] = {"breaking": Bump.MAJOR, "compatible": Bump.MINOR, "cosmetic": Bump.PATCH}


def demanded_bump(changes: Iterable[Change], before: Version, *, is_lenient: bool = False) -> Bump:
    """The bump that changes demand of a plan whose version was `before`; more changes never demand less.

    `is_lenient`: a breaking change that is only suspected demands no more than a compatible one.
    """
    levels = {"compatible" if is_lenient and change.is_suspected else change.level for change in changes}
    bump = max((_DEMANDS[level] for level in levels), default=Bump.NONE)
    if before.major == 0 and bump > Bump.PATCH:
        return Bump(bump - 1)
    return bump


def is_bump_made(before: Version, after: Version, demanded: Bump) -> bool:
    """Whether the version moved as far as demanded; one that went backwards never did."""
    if demanded is Bump.NONE:
        return after >= before
    if before.pre_release:
        return after > before
    digits = {Bump.MAJOR: 1, Bump.MINOR: 2, Bump.PATCH: 3}[demanded]
    return _core(after)[:digits] > _core(before)[:digits]


def next_version(before: Version, demanded: Bump) -> str:
    """The nearest release that makes the bump."""
    major, minor, patch = _core(before)
    if before.pre_release or demanded is Bump.NONE:
        return f"{major}.{minor}.{patch}"
    if demanded is Bump.MAJOR:
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if demanded is Bump.MINOR else f"{major}.{minor}.{patch + 1}"


def _core(version: Version) -> tuple[int, int, int]:
    return version.major, version.minor, version.patch
