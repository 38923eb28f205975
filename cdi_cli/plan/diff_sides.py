"""The sides of a comparison: a plan folder, or one as it was at a git revision, and how its places are shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cdi_cli.plan.diff_git import revision_folder
from cdi_cli.plan.findings import shown_file
from cdi_cli.plan.load import load_plan
from cdi_cli.plan.model import Plan
from cdi_cli.plan.problems import Place, PlanError


@dataclass(frozen=True, slots=True)
class Side:
    """A plan that was loaded from `folder`; `shown` is how people call that folder (`HEAD~1:tracking_plan`)."""

    plan: Plan
    folder: Path
    shown: str
    is_revision: bool = False

    def file(self, place: Place) -> str:
        """The file of a place, as people call it."""
        return _shown(place.file, self.folder, self.shown)

    def where(self, place: Place) -> str:
        """A place as `file:line`."""
        return f"{self.file(place)}:{place.line}"


@contextmanager
def open_side(
    named: str, folder: Path, *, is_revision: bool = False, denied_fields: frozenset[str] = frozenset()
) -> Iterator[Side]:
    """The plan that `named` means: a folder, or else (and always with `is_revision`) a git revision of the plan in `folder`.

    Raises PlanError for a plan with mistakes, ConfigError where there is neither a folder nor a revision of that name.
    """
    if not is_revision and Path(named).is_dir():
        place = Path(named)
        yield Side(load_plan(place, denied_fields=denied_fields), place, shown_file(named))
        return
    with revision_folder(named, folder) as (place, inside):
        shown = f"{named}:{inside}" if inside else f"{named}:."
        try:
            plan = load_plan(place, denied_fields=denied_fields)
        except PlanError as error:
            problems = (replace(each, file=_shown(each.file, place, shown)) for each in error.problems)
            raise PlanError(shown, tuple(problems)) from None
        yield Side(plan, place, shown, is_revision=True)


def _shown(file: str, folder: Path, shown: str) -> str:
    try:
        return f"{shown}/{Path(file).relative_to(folder).as_posix()}"
    except ValueError:
        return shown_file(file)
