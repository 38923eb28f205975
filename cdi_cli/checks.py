"""One line of `cdi check`, the same for settings, plan, sources and destinations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """What was tested, whether it is well, what was found, and what to do if it is not."""

    name: str
    is_ok: bool
    detail: str
    hint: str | None = None
