"""`cdi backfill` as its user meets it: what is printed, what arrives, and what a second run does."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import canary
import pytest
from cli_project import COMMAND, CliProject
from shop_oracle import reconcile

from cdi_cli.sandbox import SandboxThread

INSTALLED = (str(Path(sys.executable).with_name("cdi")),)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[CliProject]:
    """A project beside a shop of 61 orders."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as made:
        yield made


def settled(text: str, project: CliProject) -> str:
    """The text without what differs from run to run: the window's end, times, the folder, blanks at line ends."""
    text = re.sub(r"\.\. \d{4}-\d\d-\d\dT[\d:.]+Z", ".. NOW", text)
    text = re.sub(r"plan \d+\.\d+\.\d+", "plan V", text)
    text = re.sub(r"took [\d.]+ s: [\d,]+ events/s", "took T: R events/s", text)
    text = re.sub(r" +$", "", text, flags=re.MULTILINE)
    return text.replace(str(project.place), "PLACE")


CLOSING = """\
Backfill done: pipeline main -> segment, run 1
window: 2020-01-01T00:00:00.000Z .. NOW (UTC, end excluded)

stream     pulled  events  delivered  filtered  rejected  duplicate  pending
────────────────────────────────────────────────────────────────────────────
customers      25      50         50         0         0          0        0
carts          13      13         10         3         0          0        0
orders         61     127        127         0         0          0        0

total          99     190        187         3         0          0        0

stream  outcome   reason           count
────────────────────────────────────────
carts   filtered  nothing_to_send      3

delivered: Order Completed 61, Order Fulfilled 56, Signed Up 25, identify 25, Checkout Started 10, \
Order Cancelled 4, Order Refunded 4, group 2
books close: 190 events = 187 delivered + 3 filtered + 0 rejected + 0 duplicate + 0 pending
took T: R events/s, 6 pages read, 12 batches sent, 0 retries
"""
TALK = """\
backfilling main -> segment: 2020-01-01T00:00:00.000Z .. NOW, plan V
checkpoint: PLACE/.cdi/state.db
"""


@pytest.mark.parametrize("command", [COMMAND, INSTALLED], ids=["module", "installed"])
def test_the_whole_output(project: CliProject, command: tuple[str, ...]) -> None:
    """The closing table is the only data on standard output, the talk is on standard error, exit code 0."""
    run = project.backfill(command=command)

    assert (run.code, settled(run.out, project), settled(run.err, project)) == (0, CLOSING, TALK)
    assert project.files() == {"cdi.yaml", ".cdi/state.db", ".cdi/state.db.lock"}


def test_everything_arrives_and_the_money_agrees(project: CliProject) -> None:
    """Each customer, order and refund of the shop arrives once; revenue and refunds agree to the last digit by currency."""
    summary = project.summary()

    reconcile(project.sandbox)
    assert summary["streams"]["orders"]["pulled"] == project.sandbox.shop.count("orders")
    assert summary["streams"]["customers"]["pulled"] == project.sandbox.shop.count("customers")
    assert summary["streams"]["carts"]["pulled"] == project.sandbox.shop.count("carts")
    assert sum(summary["events"].values()) == project.sandbox.segment.applied_count
    assert project.sandbox.segment.duplicates == []


def test_several_currencies_are_kept_apart(tmp_path: Path) -> None:
    """In a shop of 300 orders, currencies without and with three decimals agree as well."""
    with (
        SandboxThread(canary.options(orders=300, seed=7)) as sandbox,
        CliProject(tmp_path, sandbox, source="page_size: 100", destination="batch_events: 250") as project,
    ):
        project.summary()

        reconcile(sandbox)
        currencies = {order["totalPrice"]["currencyCode"] for order in sandbox.shop.documents("orders")}
        assert {"JPY", "KWD", "EUR"} <= currencies


def test_the_summary_has_a_stable_form(project: CliProject) -> None:
    """`--json` prints one object with documented keys, and nothing else on standard output."""
    summary = project.summary()

    assert list(summary) == [
        *("pipeline", "destination", "job", "run", "status", "since", "until", "is_resumed", "remaining_partitions"),
        *("streams", "reasons", "events", "warnings", "books", "problems"),
        *("elapsed_seconds", "pages", "batches", "retries", "waited_seconds"),
    ]
    assert (summary["status"], summary["is_resumed"], summary["remaining_partitions"]) == ("done", False, 0)
    for line in summary["streams"].values():
        assert line["events"] == sum(line[name] for name in ("delivered", "filtered", "rejected", "duplicate", "pending"))
    assert summary["reasons"] == [{"stream": "carts", "outcome": "filtered", "reason": "nothing_to_send", "count": 3}]


def test_a_second_run_sends_nothing(project: CliProject) -> None:
    """What was delivered is recognised: no request goes to Segment, and the books say duplicate."""
    project.summary()
    requests = len(project.sandbox.segment.requests)

    again = project.summary()

    assert len(project.sandbox.segment.requests) == requests
    assert again["batches"] == 0
    assert again["events"] == {}
    assert {line["delivered"] for line in again["streams"].values()} == {0}
    assert sum(line["duplicate"] for line in again["streams"].values()) == 187


def test_only_what_is_new_is_sent(project: CliProject) -> None:
    """Orders that came since the last run are sent, a changed one as Order Updated, and nothing else."""
    project.summary()
    before = project.sandbox.segment.applied_count
    shop = project.sandbox.shop
    new = shop.add("orders", {**project.order, "id": "0000ca0c-0000-4000-8000-00000000ca0c", "orderNumber": "NEW-1"})
    shop.update("orders", project.order["id"], {"totalPrice": {**project.order["totalPrice"], "centAmount": 4711}})
    shop.update("orders", project.order["id"], {"taxedPrice": None})

    summary = project.summary()

    assert summary["events"]["Order Completed"] == 1
    assert summary["events"]["Order Updated"] == 1
    fresh = project.sandbox.segment.applied[before:]
    named = {(message["event"], message["properties"]["order_id"]) for message in fresh}
    assert named - {("Order Fulfilled", "NEW-1")} == {
        ("Order Completed", new["orderNumber"]),
        ("Order Updated", project.order["orderNumber"]),
    }


def test_chosen_streams_only(project: CliProject) -> None:
    """`--stream` reads these streams and asks the API for no other's pages."""
    summary = project.summary("--stream", "customers")

    assert list(summary["streams"]) == ["customers"]
    assert summary["events"] == {"identify": 25, "Signed Up": 25}
    assert not [one for one in project.sandbox.requests if one.path.endswith(("/orders", "/carts", "/payments"))]


def test_payments_can_be_read_beside_orders(project: CliProject) -> None:
    """Refunds told twice, by their order and by their payment, are sent once."""
    alone = project.summary("--stream", "payments")
    both = project.summary("--stream", "orders", "--stream", "payments")

    assert alone["events"]["Order Refunded"] == 4
    assert both["streams"]["payments"]["delivered"] == 0
    refunds = [one for one in project.sandbox.segment.applied if one.get("event") == "Order Refunded"]
    assert len({one["properties"]["refund_id"] for one in refunds}) == len(refunds) == 4
    assert project.sandbox.segment.duplicates == []


def test_a_limit_stops_early_and_resumes(project: CliProject) -> None:
    """`--limit` pulls so many records, says how to go on, and the rest follows without a repeat."""
    first = project.backfill("--limit", "30")

    assert first.code == 0
    assert first.out.startswith("Stopped at --limit: pipeline main -> segment, run 1\n")
    assert "resume with: cdi backfill --pipeline main --resume\n" in first.err
    second = project.run("backfill", "--resume", "--rate", "100000")
    assert second.code == 0
    assert second.err.startswith("resuming main -> segment: ")
    reconcile(project.sandbox)
    assert project.sandbox.segment.duplicates == []


@pytest.mark.parametrize("workers", ["1", "16"])
def test_any_number_of_workers_gives_the_same(project: CliProject, workers: str) -> None:
    """One partition at a time or many: the same events arrive."""
    summary = project.summary("--workers", workers)

    assert sum(summary["events"].values()) == 187
    reconcile(project.sandbox)


def test_a_rate_is_kept(project: CliProject) -> None:
    """127 events at 100 a second take at least a second, whatever the machine."""
    run = project.run("backfill", "--since", "2020-01-01T00:00:00Z", "--stream", "orders", "--rate", "100", "--json")

    assert run.json()["events"]["Order Completed"] == 61
    assert 0.9 < run.json()["elapsed_seconds"] < 10


def test_two_destinations_each_get_everything(project: CliProject) -> None:
    """A pipeline into two destinations runs once into each; the summary is a list."""
    text = project.settings.read_text()
    second = (
        f'  second: {{type: segment, endpoint: "{project.sandbox.url}/segment", write_key: "${{CDI_SANDBOX_WRITE_KEY}}"}}\n'
    )
    text = text.replace("pipelines:\n", f"{second}pipelines:\n").replace("[segment]", "[segment, second]")
    project.settings.write_text(text)

    run = project.backfill("--json")

    assert run.code == 0, run.err
    assert [summary["destination"] for summary in run.json()] == ["segment", "second"]
    assert [sum(summary["events"].values()) for summary in run.json()] == [187, 187]
    only = project.backfill("--json", "--destination", "second")
    assert only.json()["destination"] == "second"


def test_the_log_tells_what_the_run_did(project: CliProject) -> None:
    """`--log-file` gets JSON lines with the start and the end of the run and its figures; mode 0600."""
    import json

    log = project.place / "run.log"

    assert project.backfill("--log-file", str(log)).code == 0

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    started, ended = lines[0], lines[-1]
    assert started["message"] == "backfill started"
    assert (ended["message"], ended["delivered"], ended["books_close"]) == ("backfill done", 187, True)
    assert log.stat().st_mode & 0o777 == 0o600
