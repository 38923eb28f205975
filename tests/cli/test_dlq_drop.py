"""`cdi dlq drop`: only what is named, only when it is meant, counted by reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from dlq_project import left_behind, too_strict


def test_it_is_counted_and_gone(tmp_path: Path) -> None:
    """What is dropped is told by reason and cannot be listed any more; the rest stays."""
    with too_strict(tmp_path) as project:
        letters = project.run("dlq", "list", "--limit", "1000", "--json").json()
        number = str(letters[0]["id"])

        one = project.run("dlq", "drop", number, "--yes")
        more = project.run("dlq", "drop", "--reason", "plan_violation", "--limit", "2", "--yes", "--json")
        rest = project.run("dlq", "list", "--limit", "1000", "--json").json()

        assert one.code == 0
        assert "orders  Order Completed  plan_violation      1\n" in one.out
        assert one.out.endswith("dropped 1 dead letter\n")
        assert more.json() == {
            "dropped": 2,
            "reasons": [{"stream": "orders", "event": "Order Completed", "reason": "plan_violation", "count": 2}],
        }
        assert rest == letters[3:]
        everything = project.run("dlq", "drop", "--all", "--yes")
        assert everything.out.endswith(f"dropped {len(rest)} dead letters\n")
        assert project.run("dlq", "list").out == "no dead letters\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: no dead letter is named\n  hint: give numbers or a filter, or `--all` to drop every dead letter\n"),
        (
            ["--yes"],
            "error: no dead letter is named\n  hint: give numbers or a filter, or `--all` to drop every dead letter\n",
        ),
        (["--all"], "error: 1 dead letter would be dropped for good\n  hint: add `--yes` to do so\n"),
        (["1"], "error: 1 dead letter would be dropped for good\n  hint: add `--yes` to do so\n"),
    ],
)
def test_it_must_be_meant(tmp_path: Path, arguments: list[str], message: str) -> None:
    """Without a filter, or without a yes where nobody can be asked, nothing is dropped; exit code 2."""
    with left_behind(tmp_path) as project:
        run = project.run("dlq", "drop", *arguments)

        assert (run.code, run.err) == (2, message)
        assert len(project.run("dlq", "list", "--json").json()) == 1


def test_a_dropped_record_that_still_fails_comes_back(tmp_path: Path) -> None:
    """Dropping forgives nothing: the next run that reads the record leaves a new dead letter."""
    with left_behind(tmp_path) as project:
        assert project.run("dlq", "drop", "1", "--yes").code == 0

        project.summary("--restart", code=1)

        (letter,) = project.run("dlq", "list", "--json").json()
        assert (letter["id"] > 1, letter["times"]) == (True, 1)
