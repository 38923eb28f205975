"""`cdi plan impact` against the sandbox: its shares are those of what Segment really received, and it changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import canary
import pytest
from cli_project import CliProject
from plan_tools import copy_default_plan

from cdi_cli.sandbox import SandboxThread

WINDOW = ("--since", "2020-01-01")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[CliProject]:
    """A project beside a shop of 61 orders."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as made:
        yield made


def edit(plan: Path, event: str, **replacements: tuple[str, str]) -> None:
    """Change an event's file: each (old text, new text) must be there."""
    file = plan / "events" / f"{event}.yaml"
    text = file.read_text(encoding="utf-8")
    for old, new in replacements.values():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")


def candidate(project: CliProject) -> Path:
    """A stricter plan in `./plan`: a coupon is required, orders are in EUR, e-mails are short, no Order Fulfilled."""
    plan = copy_default_plan(project.place)
    coupon = ("coupon: {type: string,", "coupon: {type: string, required: true,")
    edit(plan, "order_completed", coupon=coupon, currency=('"^[A-Z]{3}$"', '"^EUR$"'))
    edit(plan, "signed_up", email=("email: {type: string,", "email: {type: string, maxLength: 5,"))
    (plan / "events" / "order_fulfilled.yaml").unlink()
    return plan


def impact(project: CliProject, *arguments: str, code: int = 0) -> dict[str, Any]:
    """The result of `cdi plan impact --json`, having checked the exit code."""
    run = project.run("plan", "impact", *WINDOW, "--json", *arguments)
    assert run.code == code, run.err
    found: dict[str, Any] = run.json()
    return found


def received(project: CliProject, event: str) -> list[dict[str, Any]]:
    """The properties or traits of what Segment received under a name."""
    messages = project.sandbox.segment.applied
    return [each.get("properties", each.get("traits")) for each in messages if each.get("event", each["type"]) == event]


def by_event(part: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The events of a part of the result, by name."""
    return {each["event"]: each for each in part["events"]}


def share_of(messages: list[dict[str, Any]], breaks: Callable[[dict[str, Any]], bool]) -> tuple[int, int]:
    """How many messages there are, and how many break a rule."""
    return len(messages), sum(map(breaks, messages))


def test_the_shares_are_those_of_what_was_received(project: CliProject) -> None:
    """By event and rule, the counts equal those over the messages that arrived; the ledger knows all of them."""
    project.summary()
    candidate(project)

    found = impact(project, "--plan", "plan", "--all")

    events = by_event(found["delivered"])
    orders = received(project, "Order Completed")
    counts = {rule["path"]: rule["events"] for rule in events["Order Completed"]["rules"]}
    assert counts == {
        "coupon": share_of(orders, lambda order: "coupon" not in order)[1],
        "currency": share_of(orders, lambda order: order["currency"] != "EUR")[1],
    }
    rejected = share_of(orders, lambda order: "coupon" not in order or order["currency"] != "EUR")
    assert (events["Order Completed"]["checked"], events["Order Completed"]["rejected"]) == rejected
    assert 0 < counts["coupon"] < rejected[0]
    for name in ("Order Fulfilled", "Signed Up"):
        assert events[name]["share"] == 1.0
        assert events[name]["checked"] == len(received(project, name)) > 0
    assert events["identify"]["rejected"] == 0
    assert found["delivered"]["checked"] == project.sandbox.segment.applied_count
    assert found["ledger"] == {"same": found["delivered"]["checked"], "other": 0, "not": 0}
    assert "Order Fulfilled" not in by_event(found["mapped"])


def test_nothing_is_sent_and_nothing_is_written(project: CliProject) -> None:
    """The study leaves the destination, the files and the checkpoint as they were."""
    project.summary()
    candidate(project)
    requests, files, state = len(project.sandbox.segment.requests), project.files(), project.state.read_bytes()

    impact(project, "--plan", "plan")

    assert len(project.sandbox.segment.requests) == requests
    # SQLite lays its own two helper files beside a checkpoint that is open for reading, as for `cdi status`.
    assert {name for name in project.files() - files if not name.endswith(("-wal", "-shm"))} == set()
    assert project.state.read_bytes() == state


def test_the_report_for_people(project: CliProject) -> None:
    """Shares, rules and the first record of each; a value of a person is told by its class only."""
    project.summary()
    candidate(project)

    run = project.run("plan", "impact", "--plan", "plan", *WINDOW, env={"COLUMNS": "120"})

    assert (run.code, run.err) == (0, "")
    assert "candidate: commerce 1.0.0 (plan)\nbaseline:  commerce 1.0.0 (the plan that ships with cdi)\n" in run.out
    assert "read:      customers 25 of 25, carts 13 of 13, orders 61 of 61\n" in run.out
    assert re.search(r"\nEvents as they were delivered: \d+ of 187 would be rejected \(\d\d\.\d %\)\n", run.out)
    assert re.search(r"\nSigned Up +25 +25 +100\.0 % ", run.out)
    assert re.search(r"must have at most 5 characters, found \d+; first in customers [0-9a-f-]{36}\n", run.out)


def test_a_sample_is_spread_over_the_window(project: CliProject) -> None:
    """`--sample` reads about so many records of each stream, not all of them, and from the whole window."""
    project.summary()
    since, until = "2026-04-01T00:00:00Z", "2026-10-01T00:00:00Z"
    orders = [order for order in project.sandbox.shop.documents("orders") if since <= order["createdAt"] < until]

    found = impact(project, "--sample", "6", "--since", since, "--until", until)

    read = found["streams"]["orders"]
    assert read["total"] == len(orders) > 12
    assert 3 <= read["read"] <= 12
    assert found["delivered"]["checked"] == sum(found["ledger"].values()) > 0


def test_the_candidate_maps_for_itself(project: CliProject) -> None:
    """A property that the candidate requires and maps is missing in what was delivered, not in what comes from now on."""
    project.summary()
    plan = copy_default_plan(project.place)
    added = "\n  state: {type: string, required: true, from: order.state, pii: none}\n"
    edit(plan, "order_completed", more=("\n  checkout_id:", f"{added}  checkout_id:"))

    found = impact(project, "--plan", "plan")

    delivered, mapped = (by_event(found[part])["Order Completed"] for part in ("delivered", "mapped"))
    assert (delivered["share"], mapped["share"]) == (1.0, 0.0)
    assert [(rule["path"], rule["rule"]) for rule in delivered["rules"]] == [("state", "required")]


def test_dead_letters_that_would_pass_now(project: CliProject) -> None:
    """Of what a strict plan blocked, the looser one lets everything pass, the strict one nothing."""
    plan = copy_default_plan(project.place)
    edit(plan, "order_completed", currency=('"^[A-Z]{3}$"', '"^EUR$"'))
    project.top = "plan: ./plan"
    project.write_settings()
    blocked = project.summary(code=1)["streams"]["orders"]["rejected"]
    looser = copy_default_plan(project.place / "looser")
    edit(looser, "order_completed", currency=('"^[A-Z]{3}$"', '"^(EUR|USD)$"'))

    found = impact(project)
    (strict,) = found["dead_letters"]
    (loose,) = impact(project, "--plan", "looser/plan")["dead_letters"]

    assert (strict["event"], strict["path"], strict["rule"]) == ("Order Completed", "currency", "pattern")
    assert (strict["passes"], strict["rejected"], strict["unknown"]) == (0, blocked, 0)
    currencies = [order["totalPrice"]["currencyCode"] for order in project.sandbox.shop.documents("orders")]
    assert (loose["passes"], loose["rejected"]) == (currencies.count("USD"), blocked - currencies.count("USD"))
    assert blocked == len(currencies) - currencies.count("EUR")
    assert found["delivered"]["checked"] == project.sandbox.segment.applied_count
    assert by_event(found["mapped"])["Order Completed"]["rejected"] == blocked


def test_what_was_never_delivered_does_not_count(project: CliProject) -> None:
    """An order that came after the last run is mapped by the candidate, but is not among what was delivered."""
    project.summary()
    new = {**project.order, "id": "0000ca0c-0000-4000-8000-00000000ca0c", "orderNumber": "NEW-1"}
    project.sandbox.shop.add("orders", new)

    found = impact(project)

    assert by_event(found["delivered"])["Order Completed"]["checked"] == 61
    assert by_event(found["mapped"])["Order Completed"]["checked"] == 62
    assert found["ledger"]["not"] == found["mapped"]["checked"] - found["delivered"]["checked"]


def test_dead_letters_of_changed_orders(project: CliProject) -> None:
    """An Order Updated that was blocked is made again of its record, although a fresh reading alone would not make it."""
    plan = copy_default_plan(project.place)
    project.top = "plan: ./plan"
    project.write_settings()
    project.summary()
    edit(plan, "order_updated", status=("status: {type: string,", "status: {type: string, maxLength: 1,"))
    total = {**project.order["totalPrice"], "centAmount": 4711}
    project.sandbox.shop.update("orders", project.order["id"], {"totalPrice": total, "taxedPrice": None})
    project.summary(code=1)

    (kept,) = impact(project)["dead_letters"]
    edit(plan, "order_updated", status=("maxLength: 1,", "maxLength: 99,"))
    (freed,) = impact(project)["dead_letters"]

    assert (kept["event"], kept["path"]) == ("Order Updated", "status")
    assert [(each["passes"], each["rejected"], each["unknown"]) for each in (kept, freed)] == [(0, 1, 0), (1, 0, 0)]


def test_without_a_checkpoint_file(project: CliProject) -> None:
    """Before anything was delivered the records are mapped all the same; the ledger and the dead letters are silent."""
    found = impact(project)

    assert found["ledger"] is None
    assert found["dead_letters"] == []
    assert found["delivered"]["checked"] == 187
    assert project.files() == {"cdi.yaml"}


@pytest.mark.parametrize(("percent", "code"), [("0.5", 1), ("100", 0)])
def test_a_limit_for_a_pipeline_of_checks(project: CliProject, percent: str, code: int) -> None:
    """`--fail-over` ends with 1 when a larger share would be rejected."""
    candidate(project)

    impact(project, "--plan", "plan", "--fail-over", percent, code=code)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "nope"], "no pipeline reads a source `nope`"),
        (["--stream", "nope"], "has no stream `nope`"),
        (["--plan", "nope"], "there is no folder"),
        (["--since", "nope"], "--since `nope` is not a date"),
        (["--since", "today", "--until", "yesterday"], "the window ends before it starts"),
    ],
)
def test_wrong_use(project: CliProject, arguments: list[str], message: str) -> None:
    """What was asked for in vain is named; exit code 2."""
    run = project.run("plan", "impact", *arguments)

    assert (run.code, run.out) == (2, "")
    assert message in run.err


def test_a_stream_that_may_not_be_read(tmp_path: Path) -> None:
    """Without its scope a stream is named and left out, exit code 3; the others are studied."""
    scopes = ("view_orders", "view_customer_groups", "view_products", "view_payments")
    scopes += ("view_discount_codes", "view_project_settings")
    source = "page_size: 25\nlookups: {customer_consent: false}"
    with (
        SandboxThread(canary.options(scopes=scopes)) as sandbox,
        CliProject(tmp_path, sandbox, source=source) as project,
    ):
        found = impact(project, code=3)

        assert [problem.partition(":")[0] for problem in found["problems"]] == ["customers"]
        assert found["streams"]["orders"]["read"] == 61


def test_the_pipeline_of_a_source(project: CliProject) -> None:
    """`--source` finds the pipeline that reads it."""
    settings = project.settings.read_text(encoding="utf-8")
    (source,) = re.findall(r"^    source: (\S+)$", settings, re.MULTILINE)

    found = impact(project, "--source", source, "--stream", "customers")

    assert list(found["streams"]) == ["customers"]


def test_what_routing_keeps_back_is_not_rejected(project: CliProject) -> None:
    """Events that neither the plan nor a rule of the pipeline lets through to any destination do not count."""
    plan = copy_default_plan(project.place)
    edit(plan, "order_completed", currency=('"^[A-Z]{3}$"', '"^EUR$"'))
    every = by_event(impact(project, "--plan", "plan", "--all")["mapped"])
    dollars = "{event: Order Completed, property: {path: currency, in: [USD, GBP]}}"
    rules = (f"{{when: {dollars}, then: {{filter: abroad}}}}", "{when: {event: Signed Up}, then: {not: segment}}")
    project.pipeline = "\n".join(["routing:", *(f"  - {rule}" for rule in rules)])
    project.write_settings()
    ruled = by_event(impact(project, "--plan", "plan", "--all")["mapped"])
    (plan / "events" / "identify.yaml").write_text(
        (plan / "events" / "identify.yaml").read_text(encoding="utf-8") + "destinations: {segment: false}\n",
        encoding="utf-8",
    )
    planned = by_event(impact(project, "--plan", "plan", "--all")["mapped"])

    currencies = [order["totalPrice"]["currencyCode"] for order in project.sandbox.shop.documents("orders")]
    abroad = sum(currency in ("USD", "GBP") for currency in currencies)
    assert abroad > 0
    for name in ("checked", "rejected"):
        assert every["Order Completed"][name] - ruled["Order Completed"][name] == abroad
    assert "Signed Up" in every
    assert "Signed Up" not in ruled
    assert "identify" in ruled
    assert "identify" not in planned
