"""`cdi dlq list` and `cdi dlq show`: what could not be delivered, why, and what to do; personal data only when asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import canary
import pytest
from cli_project import CliProject

from cdi_cli.sandbox import SandboxThread


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliProject]:
    """A project after a backfill that left one unreadable order, the canary's, behind; for tests that only look."""
    with left_behind(tmp_path_factory.mktemp("dlq")) as made:
        yield made


@contextmanager
def left_behind(folder: Path) -> Iterator[CliProject]:
    """The same in a folder of one's own, for tests that go on with it."""
    with SandboxThread(canary.options(orders=20)) as sandbox, CliProject(folder, sandbox, source="page_size: 100") as made:
        sandbox.shop.update("orders", made.order["id"], {"totalPrice": {**made.order["totalPrice"], "centAmount": "12.34"}})
        assert made.backfill().code == 1
        yield made


def settled(text: str) -> str:
    """The text without times and blanks at line ends."""
    text = re.sub(r"plan:   \d+\.\d+\.\d+", "plan:   V", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "THEN", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "YYYY-MM-DD HH:MM", text)
    return re.sub(r" +$", "", text, flags=re.MULTILINE)


def test_the_list(project: CliProject) -> None:
    """Totals by reason, then the letters, newest first; the hint goes to standard error."""
    run = project.run("dlq", "list")

    assert run.code == 0
    assert settled(run.out) == LIST
    assert run.err == "hint: `cdi dlq show 1` explains one\n"


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
next:   the record differs from the platform's documented shape; look at it with --payload
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
        *("id", "at", "pipeline", "source", "destination", "stream", "entity_id", "event", "event_id", "reason", "detail"),
        *("violations", "plan_version", "run"),
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
    ],
)
def test_nothing_matches(project: CliProject, arguments: list[str], words: str) -> None:
    """Filters that match nothing say so; exit code 0."""
    run = project.run("dlq", "list", *arguments)

    assert (run.code, run.out) == (0, words)


def test_it_stays_until_the_record_is_mended(tmp_path: Path) -> None:
    """A record that is still broken is a dead letter of each run that reads it; mended, it is sent."""
    with left_behind(tmp_path) as project:
        project.summary(code=1)
        letters = project.run("dlq", "list", "--json").json()
        assert [(one["id"], one["run"], one["entity_id"]) for one in letters] == [
            (2, 2, project.order["id"]),
            (1, 1, project.order["id"]),
        ]

        project.sandbox.shop.update("orders", project.order["id"], {"totalPrice": project.order["totalPrice"]})

        assert project.summary()["events"]["Order Completed"] == 1


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
