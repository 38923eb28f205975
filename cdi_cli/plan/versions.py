"""Versions of a plan: semantic versions (semver.org), compared by precedence; build metadata does not count."""

from __future__ import annotations

import re
from functools import total_ordering

PATTERN = (
    r"^(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})"
    r"(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$"
)
_VERSION = re.compile(PATTERN.removesuffix("$"))


@total_ordering
class Version:
    """A semantic version taken apart; raises ValueError for text that is none.

    `major`, `minor`, `patch`; `pre_release` is what stands after the hyphen ("" for a release).
    """

    __slots__ = ("_rank", "major", "minor", "patch", "pre_release", "text")

    def __init__(self, text: str) -> None:
        found = _VERSION.fullmatch(text)
        if found is None:
            raise ValueError(f"`{text}` is not a semantic version")
        self.text = text
        self.major, self.minor, self.patch = (int(found.group(number)) for number in (1, 2, 3))
        self.pre_release = (found.group(4) or "")[1:]
        # A release comes after its pre-releases; numbers come before words and count as numbers (semver.org, rule 11).
        parts = [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in self.pre_release.split(".") if part]
        self._rank = (self.major, self.minor, self.patch, not parts, parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._rank == other._rank

    def __lt__(self, other: Version) -> bool:
        return self._rank < other._rank

    def __hash__(self) -> int:
        return hash((self.major, self.minor, self.patch, self.pre_release))

    def __str__(self) -> str:
        return self.text


def is_version(text: str) -> bool:
    """Whether the text is a semantic version."""
    return _VERSION.fullmatch(text) is not None
