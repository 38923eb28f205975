"""`cdi erase`: a person is forgotten here, nothing more is sent, and what the destinations must be asked is printed."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import canary
import pytest
from cli_project import IMPATIENT, CliProject, Run

from cdi_cli.events.identity import guest_id
from cdi_cli.sandbox import SandboxThread
from cdi_cli.sandbox.commercetools.mutate import delete_customer
from cdi_cli.sandbox.faults import Fault

EMAIL = canary.PERSON["e-mail"]


@contextmanager
def broken_order(folder: Path, **options: Any) -> Iterator[CliProject]:
    """A project after a backfill in which the canary person's second order could not be read, and lies in the queue."""
    with SandboxThread(canary.options(orders=30, **options)) as sandbox, CliProject(folder, sandbox) as made:
        price = {**made.order["totalPrice"], "centAmount": "12.34"}
        sandbox.shop.add(
            "orders",
            {**made.order, "id": "0000ca0c-0000-4000-8000-00000000ca0c", "orderNumber": "CANARY-2", "totalPrice": price},
        )
        made.summary(code=1)
        yield made


def by_email(project: CliProject, *arguments: str, email: str = EMAIL) -> Run:
    """`cdi erase --email -`, the address on standard input."""
    process = project.start("erase", "--email", "-", *arguments, stdin=subprocess.PIPE)
    out, err = process.communicate(f"{email}\n".encode(), timeout=60)
    run = Run(process.returncode, out.decode(), err.decode(), 0.0)
    project.runs.append(run)
    return run


def payloads(project: CliProject) -> list[bytes]:
    """What dead letters keep, as it stands in the file."""
    with closing(sqlite3.connect(project.state)) as db:
        rows = db.execute("SELECT record, event FROM dead_letters").fetchall()
    return [cell for row in rows for cell in row if cell is not None]


def file_bytes(project: CliProject) -> bytes:
    """Everything in the checkpoint file and its companions."""
    return b"".join(path.read_bytes() for path in sorted(project.state.parent.iterdir()) if path.is_file())


def test_a_person_is_erased_by_email(tmp_path: Path) -> None:
    """Dead letters and ledger entries go, the requests are printed, and the address is repeated nowhere."""
    with broken_order(tmp_path) as project:
        (letter,) = project.run("dlq", "list", "--json").json()
        before = project.run("ledger", "size", "--json").json()["entries"]
        sent = [
            message["messageId"]
            for message in project.sandbox.segment.applied
            if message.get("userId") == canary.CUSTOMER_ID
        ]

        run = by_email(project, "--yes", "--json", email=f" {EMAIL.upper()} ")

        (done,) = run.json()
        assert run.code == 0
        assert (done["customers"], done["orders"], done["dead_letters"]) == (1, 1, 1)
        assert letter["entity_id"] == "0000ca0c-0000-4000-8000-00000000ca0c"
        assert done["ledger_entries"] == len(sent) >= 2
        assert project.run("dlq", "list", "--json").json() == []
        assert project.run("ledger", "size", "--json").json()["entries"] == before - len(sent)
        (asked,) = done["requests"]
        users, guests = asked["requests"]
        assert users["body"] == {
            "regulationType": "SUPPRESS_WITH_DELETE",
            "subjectType": "USER_ID",
            "subjectIds": [canary.CUSTOMER_ID],
        }
        assert guest_id(EMAIL) in guests["body"]["subjectIds"]
        assert users["url"].endswith("/regulations")
        assert "Public API token" in users["needs"]


def test_nothing_of_the_person_is_left_in_the_file(tmp_path: Path) -> None:
    """Neither what the dead letters kept, as it stood there compressed, nor name or address, in any file beside it."""
    with broken_order(tmp_path) as project:
        kept = payloads(project)
        assert kept
        assert all(cell in file_bytes(project) for cell in kept)

        assert by_email(project, "--yes").code == 0

        left = file_bytes(project)
        for cell in kept:
            assert cell not in left
            assert not any(cell[start : start + 24] in left for start in range(0, len(cell) - 24, 200))
        for value in canary.PERSON.values():
            assert value.encode() not in left


def test_nothing_is_sent_about_an_erased_person(tmp_path: Path) -> None:
    """The source still has account and orders, and changes them: nothing is sent nor kept, not even what cannot be read."""
    with broken_order(tmp_path) as project:
        assert project.run("erase", "--id", canary.CUSTOMER_ID, "--yes").code == 0
        before = len(project.sandbox.segment.applied)
        project.sandbox.shop.update("customers", canary.CUSTOMER_ID, {"locale": "it-IT"})
        project.sandbox.shop.update("orders", project.order["id"], {"locale": "it-IT"})
        project.sandbox.clock.advance(120)

        synced = project.run("sync", "--json")
        again = project.backfill("--restart")

        people = [message.get("userId") for message in project.sandbox.segment.applied[before:]]
        assert (synced.code, again.code) == (0, 0), synced.err
        assert '"erased"' in synced.out
        assert canary.CUSTOMER_ID not in people
        assert project.run("dlq", "list", "--json").json() == []
        shown = project.run("ledger", "show", "order", "CANARY-1")
        assert "Order Completed: not sent: the person was erased" in shown.out


def test_a_guest_is_erased_by_email(tmp_path: Path) -> None:
    """Orders without an account are found by their address, in small letters too; their anonymous ids are asked for."""
    with SandboxThread(canary.options(orders=20)) as sandbox, CliProject(tmp_path, sandbox) as project:
        guest = {"id": "0000ca0d-0000-4000-8000-00000000ca0d", "customerId": None, "anonymousId": "session-4711"}
        order = {name: value for name, value in (project.order | guest).items() if value is not None}
        other = "guest.person@mail.example.org"
        address = {"city": "Berlin", "country": "DE", "email": other}
        sandbox.shop.add("orders", order | {"customerEmail": other, "shippingAddress": address, "billingAddress": address})
        project.summary()

        (done,) = by_email(project, "--yes", "--json", email=other.title()).json()

        assert (done["customers"], done["orders"], done["carts"]) == (0, 1, 0)
        assert done["ledger_entries"] >= 1
        (asked,) = done["requests"]
        assert asked["person"]["user_ids"] == []
        assert set(asked["person"]["anonymous_ids"]) == {"session-4711", guest_id(other)}
        assert "no user id is known" in asked["note"]
        assert project.run("ledger", "show", "order", "CANARY-1", "--json").json()


def test_the_account_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """An order of another account that names the address is found, but that account is not asked to be deleted."""
    with SandboxThread(canary.options(orders=20)) as sandbox, CliProject(tmp_path, sandbox) as project:
        stranger = sandbox.shop.documents("customers")[0]["id"]
        sandbox.shop.add("orders", {**project.order, "id": "0000ca0e-0000-4000-8000-00000000ca0e", "customerId": stranger})
        project.summary()

        (done,) = by_email(project, "--yes", "--json").json()

        assert done["orders"] == 2
        assert done["requests"][0]["person"]["user_ids"] == [canary.CUSTOMER_ID]
        assert any("1 of the orders and carts" in note for note in done["notes"])
        assert stranger not in json.dumps(done)


def test_a_dry_run_only_tells(tmp_path: Path) -> None:
    """The numbers are those of the real thing, and nothing changes."""
    with broken_order(tmp_path) as project:
        before = (project.run("dlq", "list", "--json").out, project.run("ledger", "size", "--json").json()["entries"])

        dry = project.run("erase", "--id", canary.CUSTOMER_ID, "--dry-run", "--json").json()
        after = (project.run("dlq", "list", "--json").out, project.run("ledger", "size", "--json").json()["entries"])
        real = project.run("erase", "--id", canary.CUSTOMER_ID, "--yes", "--json").json()

        assert before == after
        assert [one | {"is_dry": False} for one in dry] == real
        assert dry[0]["ledger_entries"] >= 2


def test_it_reads_well(tmp_path: Path) -> None:
    """What was found, what went, and a request that can be copied."""
    with broken_order(tmp_path) as project:
        lines = project.run("erase", "--id", canary.CUSTOMER_ID, "--yes").out.splitlines()

        assert lines[0] == "source shop: 1 customer, 1 order, 0 carts found there"
        assert lines[1] == "erased: nothing is sent about this person any more"
        assert lines[2].startswith("removed: 1 dead letter, ")
        assert "to ask of segment (pipeline main):" in lines
        assert "    POST https://api.segmentapis.com/regulations" in lines
        assert json.loads(lines[lines.index("    POST https://api.segmentapis.com/regulations") + 1])["subjectIds"] == [
            canary.CUSTOMER_ID
        ]


def test_a_second_time_finds_nothing_more(tmp_path: Path) -> None:
    """Erasing twice does no harm, and the requests are printed again."""
    with broken_order(tmp_path) as project:
        project.run("erase", "--id", canary.CUSTOMER_ID, "--yes")
        (again,) = project.run("erase", "--id", canary.CUSTOMER_ID, "--yes", "--json").json()

        assert (again["dead_letters"], again["ledger_entries"]) == (0, 0)
        assert again["requests"][0]["requests"]


def test_a_source_that_does_not_answer_does_not_stop_it(tmp_path: Path) -> None:
    """What follows from the id is done, the rest is named, and the exit code asks for another run."""
    with broken_order(tmp_path) as project:
        project.sandbox.faults.add(Fault(kind="status", match="/commercetools/", status=503, times=1000))
        run = project.run("erase", "--id", canary.CUSTOMER_ID, "--yes", "--json", command=IMPATIENT)
        project.sandbox.faults.clear()

        (done,) = run.json()
        assert run.code == 3
        assert (done["is_complete"], done["dead_letters"]) == (False, 1)
        assert done["ledger_entries"] >= 1
        assert "run the same command again" in run.err
        again = project.run("erase", "--id", canary.CUSTOMER_ID, "--yes", "--json")
        assert again.code == 0
        assert again.json()[0]["ledger_entries"] >= 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nobody was named"),
        (("--id", " "), "nobody was named"),
        (("--email", "not-an-address"), "is no e-mail address"),
        (("--id", "x"), "nobody is there to confirm it"),
        (("--done", "3"), "goes with `--departed`"),
        (("--departed", "--id", "x"), "names everybody already"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    """Nothing is asked of the source and nothing is made; exit code 2."""
    with SandboxThread(canary.options(orders=5)) as sandbox, CliProject(tmp_path, sandbox) as project:
        run = project.run("erase", *arguments)

        assert (run.code, run.out) == (2, "")
        assert words in run.err
        assert "not-an-address" not in run.err
        assert sandbox.requests == []
        assert not project.state.exists()


def test_customers_deleted_in_the_source_are_listed_until_done(tmp_path: Path) -> None:
    """The stream `deletions` tells them; their requests are printed; closing forgets who it was."""
    with (
        SandboxThread(canary.options(orders=20, messages=True)) as sandbox,
        CliProject(tmp_path, sandbox, pipeline="streams: [deletions, customers, orders]") as project,
    ):
        project.summary()
        sandbox.clock.advance(5)
        delete_customer(sandbox.shop, canary.CUSTOMER_ID)
        sandbox.clock.advance(120)
        assert project.run("sync").code == 0

        listed = project.run("erase", "--departed", "--json").json()
        text = project.run("erase", "--departed")
        closed = project.run("erase", "--departed", "--done", str(listed["departed"][0]["number"]), "--json").json()
        left = project.run("erase", "--departed", "--json").json()

        (one,) = listed["departed"]
        assert (one["customer_id"], one["source"]) == (canary.CUSTOMER_ID, "shop")
        assert listed["requests"][0]["requests"][0]["body"]["subjectIds"] == [canary.CUSTOMER_ID]
        assert f"customer {canary.CUSTOMER_ID} of shop, deleted " in text.out
        assert f"--departed --done {one['number']}" in text.err
        assert (closed["closed"], left["departed"], left["requests"]) == (1, [], [])
        assert closed["ledger_entries"] >= 1
        assert canary.CUSTOMER_ID.encode() not in file_bytes(project)
