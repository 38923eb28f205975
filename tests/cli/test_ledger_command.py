"""`cdi ledger`: what was sent for one entity or event, what was not and why, and how large the memory of it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import canary
import pytest
from cli_project import IMPATIENT, CliProject

from cdi_cli.sandbox import SandboxThread
from cdi_cli.sandbox.commercetools.mutate import refund
from cdi_cli.sandbox.faults import Fault
from cdi_cli.state import open_store


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliProject]:
    """A project after a backfill of everything; for tests that only look."""
    folder = tmp_path_factory.mktemp("ledger")
    with SandboxThread(canary.options(orders=40)) as sandbox, CliProject(folder, sandbox) as made:
        made.summary()
        yield made


def shown(project: CliProject, *arguments: str) -> dict[str, Any]:
    """The one view that `cdi ledger show --json` gives."""
    run = project.run("ledger", "show", *arguments, "--json")
    assert run.code == 0, run.err
    (view,) = run.json()
    found: dict[str, Any] = view
    return found


def states(view: dict[str, Any]) -> dict[str, list[str | None]]:
    """Event name -> "sent", or why not, in order."""
    found: dict[str, list[str | None]] = {}
    for line in view["lines"]:
        found.setdefault(line["event"], []).append("sent" if line["state"] == "sent" else line["why"])
    return found


def test_an_order_shows_exactly_what_the_destination_got(project: CliProject) -> None:
    """By number: the same message ids as arrived, each with the run, its start and the plan version."""
    (run,) = project.run("runs", "--json").json()
    view = shown(project, "order", "CANARY-1")

    arrived = {
        message["messageId"] for message in project.sandbox.segment.applied if project.order["id"] in message["messageId"]
    }
    assert {line["event_id"] for line in view["lines"] if line["state"] == "sent"} == arrived
    assert arrived
    assert (view["id"], view["number"], view["is_from_source"]) == (project.order["id"], "CANARY-1", True)
    assert view["created_at"] == canary.MOMENT
    for line in view["lines"]:
        assert (line["destination"], line["run"], line["is_current"]) == ("segment", 1, True)
        assert line["run_started_at"] == run["started_at"]
        assert line["plan_version"]


def test_it_reads_well(project: CliProject) -> None:
    """One line a delivery, its id below; neither a property nor the person's data."""
    run = project.run("ledger", "show", "order", project.order["id"])

    lines = run.out.splitlines()
    assert (run.code, run.err) == (0, "")
    assert lines[0] == f"order {project.order['id']} (CANARY-1), created {canary.MOMENT}"
    assert lines[1] == "main -> segment"
    assert lines[2].startswith("  Order Completed: sent by run 1, begun 20")
    assert lines[2].endswith(", content as now")
    assert lines[3] == f"    cdi:sandbox:shop:order:{project.order['id']}:order-completed"


@pytest.mark.parametrize("name", [canary.CUSTOMER_ID, canary.PERSON["e-mail"], canary.PERSON["e-mail"].upper()])
def test_a_customer_is_shown_by_id_or_email(project: CliProject, name: str) -> None:
    """Both give the account's events; the address is not repeated."""
    view = shown(project, "customer", name)

    assert view["id"] == canary.CUSTOMER_ID
    assert "identify" in states(view)
    assert {line["state"] for line in view["lines"]} == {"sent"}


def test_without_the_source_the_id_alone_tells(project: CliProject) -> None:
    """`--offline` shows what follows from the id, and says so; a number is then worth nothing."""
    online = shown(project, "order", project.order["id"])
    view = shown(project, "order", project.order["id"], "--offline")
    number = project.run("ledger", "show", "order", "CANARY-1", "--offline")

    assert states(view)["Order Completed"] == states(online)["Order Completed"] == ["sent"]
    assert any("not asked" in note for note in view["notes"])
    assert any("id alone" in note for note in view["notes"])
    assert number.code == 2
    assert "nothing is known of this order" in number.err


def test_a_source_that_does_not_answer_is_said(project: CliProject) -> None:
    """The ledger is then asked by the id alone, and the note tells why."""
    project.sandbox.faults.add(Fault(kind="status", match="/commercetools/", status=503, times=1000))
    try:
        run = project.run("ledger", "show", "order", project.order["id"], command=IMPATIENT)
    finally:
        project.sandbox.faults.clear()

    assert run.code == 0
    assert "Order Completed: sent by run 1" in run.out
    assert "note: the source `shop` could not be asked" in run.out


def test_one_event_by_its_message_id(project: CliProject) -> None:
    """Any id that arrived is found, profiles' too; one that never did is not."""
    once = f"cdi:sandbox:shop:order:{project.order['id']}:order-completed"
    profile = next(
        message["messageId"]
        for message in project.sandbox.segment.applied
        if message["type"] == "identify" and message["userId"] == canary.CUSTOMER_ID
    )

    for message_id in (once, profile):
        (line,) = shown(project, "event", message_id)["lines"]
        assert (line["state"], line["event_id"], line["run"]) == ("sent", message_id, 1)
    stranger = project.run("ledger", "show", "event", f"{once}x")
    assert stranger.code == 2
    assert "nothing is known of this event" in stranger.err


def test_it_works_beside_a_running_sync(project: CliProject) -> None:
    """The lock of the checkpoint file is not needed."""
    with open_store(project.state):
        view = shown(project, "order", "CANARY-1")
        size = project.run("ledger", "size", "--json")

    assert states(view)["Order Completed"] == ["sent"]
    assert size.code == 0


def test_nobody_knows_it(project: CliProject) -> None:
    """An id of nothing ends with 2, with what to do."""
    run = project.run("ledger", "show", "cart", "11111111-1111-4111-8111-111111111111")

    assert (run.code, run.out) == (2, "")
    assert "knows no cart of that id or number" in run.err


def test_the_size_is_told_in_bytes_per_event(project: CliProject) -> None:
    """The entries are the events that arrived; compacting keeps them all."""
    before = project.run("ledger", "size", "--json").json()
    compacted = project.run("ledger", "compact", "--json").json()
    text = project.run("ledger", "size").out

    assert before["entries"] == len(project.sandbox.segment.applied)
    assert 24 <= before["bytes_per_event"] < 200
    assert compacted["entries"] == before["entries"]
    assert compacted["rows"] == before["rows"] - compacted["rows_saved"]
    assert f"events:          {before['entries']:,} in {compacted['rows']:,} rows" in text
    assert states(shown(project, "order", "CANARY-1"))["Order Completed"] == ["sent"]


def test_what_is_new_in_the_source_is_not_sent_yet(tmp_path: Path) -> None:
    """A refund and a changed total after the backfill: they are named as what the next run sends."""
    with SandboxThread(canary.options(orders=40)) as sandbox, CliProject(tmp_path, sandbox) as made:
        made.summary()
        order = next(
            each for each in sandbox.shop.documents("orders") if "paymentInfo" in each and each["orderState"] != "Cancelled"
        )
        refund(sandbox.shop, order["id"], amount=100)
        sandbox.shop.update("orders", order["id"], {"locale": "fr-FR", "orderNumber": "NEW-1"})

        found = states(shown(made, "order", "NEW-1"))

    assert found["Order Completed"] == ["sent"]
    assert "not_sent_yet" in found["Order Refunded"]
    assert found["Order Updated"] == ["not_sent_yet"]


def test_history_outside_the_window_was_not_asked_for(tmp_path: Path) -> None:
    """An order from before the backfill's window is not sent, and the reason is named."""
    with SandboxThread(canary.options(orders=40)) as sandbox, CliProject(tmp_path, sandbox) as made:
        made.run("backfill", "--since", "2026-08-01T00:00:00Z", "--rate", "100000")

        view = shown(made, "order", "CANARY-1")
        text = made.run("ledger", "show", "order", "CANARY-1").out

    assert states(view)["Order Completed"] == ["before_first_sight"]
    assert "not sent: it happened before the first backfill or sync looked" in text


def test_consent_that_was_not_given_is_the_reason(tmp_path: Path) -> None:
    """The category that is missing is named."""
    with (
        SandboxThread(canary.options(orders=20)) as sandbox,
        CliProject(tmp_path, sandbox, pipeline="require_consent: [Advertising]") as made,
    ):
        sandbox.shop.update("orders", made.order["id"], {"custom": None})
        made.backfill()

        view = shown(made, "order", "CANARY-1")
        text = made.run("ledger", "show", "order", "CANARY-1").out

    assert states(view)["Order Completed"] == ["consent:Advertising"]
    assert "Order Completed: not sent: consent for Advertising was not given" in text


def test_a_dead_letter_is_named_by_its_number(tmp_path: Path) -> None:
    """What breaks the plan lies in the queue, and the line leads there."""
    with SandboxThread(canary.options(orders=20)) as sandbox, CliProject(tmp_path, sandbox) as made:
        price = {**made.order["totalPrice"], "centAmount": -500}
        sandbox.shop.update("orders", made.order["id"], {"totalPrice": price, "taxedPrice": None})
        made.summary(code=1)
        letters = made.run("dlq", "list", "--event", "Order Completed", "--json").json()

        (line,) = [line for line in shown(made, "order", "CANARY-1")["lines"] if line["event"] == "Order Completed"]

    assert (line["state"], line["why"]) == ("not_sent", "in_dead_letters")
    assert line["dead_letter"] in [letter["id"] for letter in letters]


SECOND = """\
  second:
    type: segment
    endpoint: {url}/segment
    write_key: "${{CDI_SANDBOX_WRITE_KEY}}"
"""


def test_each_destination_is_told_apart(tmp_path: Path) -> None:
    """What one of two destinations got is shown for that one; the other's events wait. No destination's secret is needed."""
    with SandboxThread(canary.options(orders=20)) as sandbox, CliProject(tmp_path, sandbox) as made:
        text = made.settings.read_text(encoding="utf-8")
        text = text.replace("destinations: [segment]", "destinations: [segment, second]")
        text = text.replace("pipelines:\n", SECOND.format(url=sandbox.url) + "pipelines:\n", 1)
        made.settings.write_text(text, encoding="utf-8")
        made.summary("--destination", "segment")

        run = made.run("ledger", "show", "order", "CANARY-1", "--json", env={"CDI_SANDBOX_WRITE_KEY": None})

        (view,) = run.json()
        first = [line["state"] for line in view["lines"] if line["destination"] == "segment"]
        second = [(line["state"], line["why"]) for line in view["lines"] if line["destination"] == "second"]
        assert set(first) == {"sent"}
        assert second == [("not_sent", "not_sent_yet")] * len(first)


def test_without_a_checkpoint_file_nothing_was_sent(tmp_path: Path) -> None:
    """The commands say so, and make none."""
    with SandboxThread(canary.options(orders=10)) as sandbox, CliProject(tmp_path, sandbox) as made:
        show = made.run("ledger", "show", "order", "CANARY-1")
        compact = made.run("ledger", "compact")
        size = made.run("ledger", "size", "--json")

        assert (show.code, compact.code, size.code) == (2, 2, 0)
        assert "nothing was sent" in show.err
        assert size.json()["entries"] == 0
        assert not made.state.exists()
