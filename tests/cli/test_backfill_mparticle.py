"""`cdi backfill` into mParticle as its user meets it: what arrives where, what a second run does, what faults cost."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import canary
import jsonschema
import pytest
from cli_project import HASTY, wait_until
from mparticle_project import MparticleProject, batches, reconcile

from cdi_cli.clock import instant_from_datetime
from cdi_cli.plan import load_plan
from cdi_cli.plan.export_losses import Losses
from cdi_cli.plan.export_mparticle import to_mparticle
from cdi_cli.sandbox import Fault, SandboxThread


@pytest.fixture
def project(tmp_path: Path) -> Iterator[MparticleProject]:
    """A project beside a shop of 61 orders."""
    with SandboxThread(canary.options()) as sandbox, MparticleProject(tmp_path, sandbox) as made:
        yield made


def test_everything_arrives_once_valid_and_with_the_right_money(project: MparticleProject) -> None:
    """Each customer, order and refund arrives; the vendor's schema passes every batch; a second run sends nothing."""
    summary = project.summary()
    first = len(batches(project.sandbox))
    again = project.summary("--restart")

    reconcile(project.sandbox)
    assert sum(summary["events"].values()) == first
    assert again["events"] == {}
    assert project.sandbox.mparticle.duplicates == []


def test_history_goes_to_the_historical_endpoint(project: MparticleProject) -> None:
    """All events of over 30 days ago, and nothing younger; profiles go to the other."""
    project.summary()

    limit = project.sandbox.clock.now() - timedelta(days=30)
    for entry in project.sandbox.mparticle.applied:
        times = [event["data"]["timestamp_unixtime_ms"] / 1000 for event in entry.batch.get("events", [])]
        assert entry.is_historical == any(at <= limit.timestamp() for at in times)
    assert {entry.is_historical for entry in project.sandbox.mparticle.applied} == {True, False}


def test_what_is_sent_keeps_the_exported_data_plan(project: MparticleProject) -> None:
    """`cdi plan export --to mparticle` plans exactly what is sent under its point, required properties included."""
    document = to_mparticle(load_plan(None), Losses(), types=["mparticle"])
    listed = document["version_document"]["data_points"]
    points = {_match(point["match"]): point["validator"]["definition"] for point in listed}
    project.summary()

    judged = set()
    for batch in batches(project.sandbox):
        for event in batch.get("events", []):
            match = _match_of(event)
            _read_numbers(event, points[match])
            assert list(jsonschema.Draft7Validator(points[match]).iter_errors(event)) == []
            judged.add(match)
        for kind in ("user_attributes", "user_identities"):
            if "events" not in batch and kind in batch:
                planned = points[(kind, "")]
                known = batch[kind] if kind == "user_identities" else _without_objects(batch[kind])
                assert list(jsonschema.Draft7Validator(planned).iter_errors(known)) == []
    assert {("product_action", "purchase"), ("product_action", "refund"), ("product_action", "checkout")} <= judged
    assert len(judged) >= 6


def _match(match: dict[str, Any]) -> tuple[str, str]:
    criteria = match["criteria"]
    return match["type"], criteria.get("action") or criteria.get("event_name") or ""


def _match_of(event: dict[str, Any]) -> tuple[str, str]:
    data = event["data"]
    if event["event_type"] == "commerce_event":
        return "product_action", data["product_action"]["action"]
    return "custom_event", data["event_name"]


def _read_numbers(event: dict[str, Any], planned: dict[str, Any]) -> None:
    """Attributes of products are text; mParticle reads numbers in them where its plan wants numbers."""
    data = planned["properties"]["data"]["properties"]
    fields = data.get("product_action", {}).get("properties", {}).get("products", {}).get("items", {}).get("properties", {})
    rules = fields.get("custom_attributes", {}).get("properties", {})
    numbers = [name for name, rule in rules.items() if rule["type"] == "number"]
    for product in event["data"].get("product_action", {}).get("products", []):
        attributes = product.get("custom_attributes", {})
        attributes |= {name: json.loads(attributes[name]) for name in numbers if name in attributes}


def _without_objects(attributes: dict[str, Any]) -> dict[str, Any]:
    """Without what came of an object, which the export lists as a loss."""
    return {name: value for name, value in attributes.items() if "." not in name}


SLOW_DOWN = {"X-mp-rate-limit-exceeded": "feed", "Retry-After": "0"}
FAULTS: dict[str, Fault] = {
    "429": Fault(kind="status", status=429, times=6, share=0.4, headers=SLOW_DOWN),
    "503": Fault(kind="status", status=503, times=6, share=0.4),
    "reset after it was applied": Fault(kind="reset_after_apply", times=6, share=0.4),
    "a proxy's page": Fault(kind="html200", times=4, share=0.4),
    "the historical part only": Fault(kind="reset_after_apply", times=3, match="/historical"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_that_pass_cost_nothing(project: MparticleProject, name: str) -> None:
    """Everything arrives once all the same; what was sent twice was recognised by its id."""
    fault = FAULTS[name]
    fault.match = f"/mparticle/v2/bulkevents{fault.match}"
    project.sandbox.faults.add(fault)
    project.summary(command=HASTY)

    assert fault.fired > 0
    reconcile(project.sandbox)


def test_a_refused_batch_is_halved_down_to_what_is_bad(project: MparticleProject) -> None:
    """Three 400 in a row: the halves are taken, nothing is lost or buried."""
    project.sandbox.faults.add(fault := Fault(kind="status", status=400, times=3, match="/mparticle/v2/bulkevents"))
    project.summary()

    assert fault.fired == 3
    reconcile(project.sandbox)


def test_a_kill_repeats_only_what_mparticle_recognises(project: MparticleProject) -> None:
    """After `kill -9` the rest is sent; batches are cut anew, and still every repeat has its old id."""
    project.sandbox.set_latency(0.05)
    process = project.start("backfill", "--since", "2020-01-01T00:00:00Z", "--rate", "100000")
    wait_until(lambda: len(project.sandbox.mparticle.requests) >= 4, "some batches")
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    project.sandbox.set_latency(0)
    project.destination = "batch_events: 7"
    project.write_settings()
    project.summary()

    reconcile(project.sandbox)


def test_wrong_credentials_stop_the_run_before_anything_is_lost(project: MparticleProject) -> None:
    """Exit code 3 with what to check; with the right ones it goes on."""
    project.environment["CDI_SANDBOX_MPARTICLE_SECRET"] = "of-another-feed"
    run = project.backfill()

    assert run.code == 3
    assert "`pod`" in run.err
    assert project.sandbox.mparticle.applied == []
    project.environment["CDI_SANDBOX_MPARTICLE_SECRET"] = project.sandbox.options.mparticle_secret
    project.summary()
    reconcile(project.sandbox)


def test_check_says_what_has_to_be_known(project: MparticleProject) -> None:
    """The credentials are tested, and the operator reads that history is not forwarded."""
    run = project.run("check")

    assert run.code == 0, run.out + run.err
    assert "not forwarded to event outputs" in " ".join(run.out.split())
    assert project.sandbox.mparticle.applied == []


def test_a_dry_run_sends_nothing(project: MparticleProject) -> None:
    """It encodes all of it, at once."""
    started = time.monotonic()
    run = project.backfill("--dry-run", "--json")

    assert run.code == 0, run.err
    assert json.loads(run.out)
    assert project.sandbox.mparticle.requests == []
    assert time.monotonic() - started < 30


def test_erasure_tells_what_to_ask_of_mparticle(project: MparticleProject) -> None:
    """`cdi erase` prints an OpenDSR request for each id of the customer, and sends none."""
    project.summary()
    customer = project.sandbox.shop.documents("customers")[0]["id"]
    run = project.run("erase", "--id", customer, "--dry-run", "--json")

    requests = [request for one in run.json() for each in one["requests"] for request in each["requests"]]
    assert {request["url"] for request in requests} == {"https://opendsr.mparticle.com/v3/requests"}
    assert requests[0]["body"]["subject_identities"]["controller_customer_id"]["value"] == customer
    assert project.sandbox.mparticle.erasures == []
    assert requests[0]["body"]["submitted_time"][:10] == instant_from_datetime(project.sandbox.clock.now())[:10]
