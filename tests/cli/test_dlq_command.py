"""`cdi dlq list` and `cdi dlq show`: what could not be delivered, why, and what to do; personal data only when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import canary
import pytest
from cli_project import CliProject
from dlq_project import left_behind, settled

from cdi_cli.sandbox import SandboxThread


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliProject]:
    """A project after a backfill that left one unreadable order, the canary's, behind; for tests that only look."""
    with left_behind(tmp_path_factory.mktemp("dlq")) as made:
        yield made


def test_the_list(project: CliProject) -> None:
    """Totals by reason, then the letters, newest first; the hint goes to standard error."""
    run = project.run("dlq", "list")

    assert run.code == 0
    assert settled(run.out) == LIST
    assert run.err == "hint: `cdi dlq explain 1` explains one\n"


LIST = """\
stream  event  reason             count
───────────────────────────────────────
orders  -      unreadable_record      1
id  when (UTC)        event          why
────────────────────────────────────────────────────────────────────────────────
 1  YYYY-MM-DD HH:MM  orders record  Expected `int`, got `str` - at
                                     `$.totalPrice.centAmount`
"""


def test_one_explained(project: CliProject) -> None:
    """Where it came from and was to go, what is wrong with it, and what to do; no personal data."""
    run = project.run("dlq", "show", "1")

    assert (run.code, run.err) == (0, "")
    assert settled(run.out) == SHOWN


SHOWN = """\
dead letter 1, THEN, run 1
from:   shop orders, record 0000ca0b-0000-4000-8000-00000000ca0b
to:     segment (pipeline main)
event:  none was made
reason: unreadable_record: Expected `int`, got `str` - at `$.totalPrice.centAmount`
plan:   V
next:   the record differs from the platform's documented shape; look at it with `cdi dlq show --payload`
`cdi dlq show 1 --payload` prints the event and the record (personal data)
"""


def test_the_payload_is_shown_on_request(project: CliProject) -> None:
    """`--payload` prints record and event, which is the only way to see personal data."""
    run = project.run("dlq", "show", "1", "--payload")

    assert canary.PERSON["e-mail"] in run.out
    assert '"centAmount": "12.34"' in run.out
    project.runs.remove(run)  # personal data was asked for


def test_as_json(project: CliProject) -> None:
    """`--json` has stable keys, and the payload only on request."""
    (letter,) = project.run("dlq", "list", "--json").json()
    shown = project.run("dlq", "show", "1", "--json").json()
    whole = project.run("dlq", "show", "1", "--json", "--payload")

    assert letter == shown
    assert list(shown) == [
        *("id", "at", "first_at", "times", "pipeline", "source", "destination", "stream", "entity_id", "event", "event_id"),
        *("stage", "reason", "detail", "violations", "plan_version", "run"),
    ]
    assert whole.json()["record"]["orderNumber"] == "CANARY-1"
    assert whole.json()["message"] is None
    project.runs.remove(whole)  # personal data was asked for


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--reason", "plan_violation"], "no dead letters match\n"),
        (["--event", "Order Completed"], "no dead letters match\n"),
        (["--reason", "x\x1b[2J"], "no dead letters match\n"),
        (["--stream", "customers"], "no dead letters match\n"),
        (["--destination", "mparticle"], "no dead letters match\n"),
        (["--pipeline", "other"], "no dead letters match\n"),
        (["--entity", "0000ca0b"], "no dead letters match\n"),
        (["--until", "yesterday"], "no dead letters match\n"),
        (["--since", "2999-01-01"], "no dead letters match\n"),
        (["--run", "2"], "no dead letters match\n"),
        (["1", "--run", "2"], "no dead letters match\n"),
    ],
)
def test_nothing_matches(project: CliProject, arguments: list[str], words: str) -> None:
    """Filters that match nothing say so; exit code 0."""
    run = project.run("dlq", "list", *arguments)

    assert (run.code, run.out) == (0, words)


@pytest.mark.parametrize(
    "arguments",
    [
        ["1"],
        ["--reason", "unreadable_record"],
        ["--stream", "orders", "--destination", "segment", "--pipeline", "main"],
        ["--entity", "0000ca0b-0000-4000-8000-00000000ca0b"],
        ["--since", "yesterday", "--until", "2999-01-01"],
        ["--run", "1"],
    ],
)
def test_it_matches(project: CliProject, arguments: list[str]) -> None:
    """Each filter finds what it names."""
    (letter,) = project.run("dlq", "list", *arguments, "--json").json()

    assert letter["id"] == 1


@pytest.mark.parametrize("command", ["show", "explain", "recheck", "replay --dry-run"])
def test_every_command_takes_the_filters(project: CliProject, command: str) -> None:
    """What `list` lists is what the others work on."""
    found = project.run("dlq", *command.split(), "--entity", project.order["id"], "--since", "1d", "--json").json()
    other = project.run("dlq", *command.split(), "--entity", "another", "--json").json()

    letters = found[0].get("letters", found)
    assert [one["id"] for one in letters] == [1]
    assert other == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "7"], "error: there is no dead letter 7\n"),
        (["show", "1", "7"], "error: there is no dead letter 7\n"),
        (["explain", "7"], "error: there is no dead letter 7\n"),
        (["recheck", "7"], "error: there is no dead letter 7\n"),
        (["replay", "7"], "error: there is no dead letter 7\n"),
        (["drop", "7", "--yes"], "error: there is no dead letter 7\n"),
        (["show"], "error: no dead letter is named\n"),
        (["explain"], "error: no dead letter is named\n"),
        (["list", "--since", "soon"], "error: --since `soon` is not a date\n"),
        (["replay", "--wait", "soon"], "error: --wait: `soon` is not a duration; write for example 90s, 5m, 2h or 1d\n"),
    ],
)
def test_what_does_not_exist_is_named(project: CliProject, arguments: list[str], message: str) -> None:
    """A number that is none, or a date that is none, is a mistake of the command line: exit code 2."""
    run = project.run("dlq", *arguments)

    assert (run.code, run.out) == (2, "")
    assert run.err.startswith(message)


def test_several_are_shown_apart(project: CliProject) -> None:
    """A filter may name several; as JSON they are a list, however many there are."""
    shown = project.run("dlq", "show", "--stream", "orders", "--json").json()

    assert [one["id"] for one in shown] == [1]


def test_before_the_first_run_there_are_none(tmp_path: Path) -> None:
    """Without a checkpoint file every command says so and makes none."""
    with SandboxThread(canary.options(orders=20)) as sandbox, CliProject(tmp_path, sandbox) as made:
        for command in ("list", "recheck", "replay"):
            run = made.run("dlq", command)
            assert (run.code, run.out) == (0, "no dead letters\n"), command
        assert made.run("dlq", "drop", "--all", "--yes").out == "no dead letters match\n"
        assert not made.state.exists()


def test_it_stays_until_the_record_is_mended(tmp_path: Path) -> None:
    """A record that is still broken keeps its one dead letter, and each backfill tells of it; mended, it is sent."""
    with left_behind(tmp_path) as project:
        project.summary(code=1)
        (letter,) = project.run("dlq", "list", "--json").json()
        assert (letter["id"], letter["entity_id"]) == (1, project.order["id"])

        project.sandbox.shop.update("orders", project.order["id"], {"totalPrice": project.order["totalPrice"]})

        assert project.summary()["events"]["Order Completed"] == 1
        assert project.run("dlq", "list").out == "no dead letters\n"


def test_an_event_that_breaks_the_plan(tmp_path: Path) -> None:
    """A violation of the plan is explained with the property, the rule and a sentence."""
    with SandboxThread(canary.options(orders=20)) as sandbox, CliProject(tmp_path, sandbox) as made:
        price = {**made.order["totalPrice"], "centAmount": -500}
        sandbox.shop.update("orders", made.order["id"], {"totalPrice": price, "taxedPrice": None})

        summary = made.summary(code=1)

        (letter, *_) = made.run("dlq", "list", "--event", "Order Completed", "--json").json()
        assert summary["streams"]["orders"]["rejected"] >= 1
        assert letter["reason"] == "plan_violation"
        assert [(one["path"], one["rule"]) for one in letter["violations"]] == [("total", "minimum")]
        shown = made.run("dlq", "show", str(letter["id"])).out
        assert "        total: " in shown
        assert "(rule: minimum)" in shown
        assert "next:   correct the record in the shop, or the event's rule in the tracking plan\n" in shown
