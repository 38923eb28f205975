"""Servers that fail during a run of the real command: the fault fires, nothing is lost or invented, books close."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import canary
import pytest
from cli_project import HASTY, IMPATIENT, WHOLE, CliProject, wait_until
from shop_oracle import reconcile

from cdi_cli.sandbox import Fault, SandboxThread
from cdi_cli.sandbox.faults import FaultKind

ORDERS, CUSTOMERS, TOKEN, SEGMENT = "/sandbox/orders?", "/sandbox/customers?", "/oauth/token", "/segment/v1/batch"

FAULTS = {
    "429 with Retry-After from Segment": Fault(
        kind="status", match=SEGMENT, skip=2, times=2, status=429, headers={"Retry-After": "1"}
    ),
    "429 without Retry-After from the shop": Fault(kind="status", match=ORDERS, times=2, status=429),
    "500 from Segment": Fault(kind="status", match=SEGMENT, skip=1, times=3, status=500),
    "503 from the shop": Fault(kind="status", match=ORDERS, skip=1, times=2, status=503),
    "502 with HTML from the shop": Fault(
        kind="status", match=CUSTOMERS, times=1, status=502, body="<html>bad gateway</html>"
    ),
    "reset before the answer, Segment": Fault(kind="reset_before_body", match=SEGMENT, skip=2, times=2),
    "reset in the middle of a page": Fault(kind="reset_mid_body", match=ORDERS, skip=1, times=2),
    "a truncated page": Fault(kind="truncate", match=ORDERS, skip=1, times=2),
    "a page of broken JSON": Fault(kind="broken_json", match=CUSTOMERS, skip=1, times=1),
    "broken JSON from Segment": Fault(kind="broken_json", match=SEGMENT, times=1),
    "200 with HTML instead of a page": Fault(kind="html200", match=ORDERS, times=2),
    "200 with HTML from Segment": Fault(kind="html200", match=SEGMENT, skip=1, times=1),
    "damaged gzip": Fault(kind="bad_gzip", match=ORDERS, times=2),
    "401 in the middle": Fault(
        kind="status", match=ORDERS, skip=1, times=1, status=401, body={"statusCode": 401, "message": "invalid_token"}
    ),
    "413 for a page": Fault(
        kind="status",
        match=ORDERS,
        skip=1,
        times=1,
        status=413,
        body={"statusCode": 413, "message": "m", "errors": [{"code": "ContentTooLarge", "message": "m"}]},
    ),
    "a slow page": Fault(kind="delay", match=ORDERS, times=1, seconds=0.4),
    "a look-up that fails": Fault(kind="status", match="/sandbox/product-projections", times=2, status=500),
    "an unreadable look-up": Fault(kind="broken_json", match="/sandbox/discount-codes", times=1),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_passing_fault_is_outlived(tmp_path: Path, name: str) -> None:
    """The run ends well, everything has arrived once, and the retries are told."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as project:
        fault = sandbox.faults.add(replace(FAULTS[name], seen=0, fired=0))

        summary = project.summary(command=HASTY)

        assert fault.fired == fault.times, "the fault did not take place"
        assert summary["status"] == "done"
        assert summary["retries"] > 0 or fault.kind in ("delay",) or fault.status in (401, 413)
        reconcile(sandbox)


def test_what_was_applied_but_not_answered_is_not_applied_twice(tmp_path: Path) -> None:
    """Segment applies a batch and the connection breaks: it is sent again under the same ids, which Segment recognises."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as project:
        fault = sandbox.faults.add(Fault(kind="reset_after_apply", match=SEGMENT, skip=1, times=3))

        summary = project.summary(command=HASTY)

        assert fault.fired == 3
        assert len(sandbox.segment.duplicates) > 0
        assert set(sandbox.segment.duplicates) <= {one["messageId"] for one in sandbox.segment.applied}
        assert sum(summary["events"].values()) == sandbox.segment.applied_count
        reconcile(sandbox)


def test_retry_after_is_waited_for(tmp_path: Path) -> None:
    """The pause that Segment asks for is kept and told in the summary."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as project:
        fault = Fault(kind="status", match=SEGMENT, times=1, status=429, headers={"Retry-After": "2"})
        sandbox.faults.add(fault)

        summary = project.summary()

        assert fault.fired == 1
        assert summary["waited_seconds"] == 2.0
        assert summary["elapsed_seconds"] >= 2.0


def test_a_storm_of_every_fault(tmp_path: Path) -> None:
    """A quarter of all requests fail, in every way there is: all arrives once, the books close."""
    kinds: tuple[FaultKind, ...] = (
        "reset_before_body",
        "reset_after_apply",
        "reset_mid_body",
        "truncate",
        "broken_json",
        "html200",
        "bad_gzip",
    )
    with (
        SandboxThread(canary.options(orders=120)) as sandbox,
        CliProject(tmp_path, sandbox, source="page_size: 10", destination="batch_events: 10") as project,
    ):
        # One throw of the dice decides between all faults, so each takes what the ones before it leave.
        shares = [0.03 * (number + 1) for number in range(len(kinds) + 1)]
        faults = [Fault(kind=kind, times=None, share=share) for kind, share in zip(kinds, shares, strict=False)]
        faults.append(Fault(kind="status", times=None, share=shares[-1], status=503))
        for fault in faults:
            sandbox.faults.add(fault)

        summary = project.summary(command=HASTY)

        assert sum(fault.fired for fault in faults) >= 10
        assert sum(summary["events"].values()) == sandbox.segment.applied_count
        reconcile(sandbox)


def test_a_token_that_is_revoked_in_the_middle(tmp_path: Path) -> None:
    """A token that the API no longer takes is replaced once for all who used it, and nothing is lost."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as project:
        project.source = "page_size: 5"
        project.write_settings()
        sandbox.set_latency(0.03)
        process = project.start("backfill", *WHOLE, "--json")
        wait_until(lambda: sandbox.segment.applied_count > 40, "the first events")
        project.learn_tokens()

        assert sandbox.tokens.revoke_all() == 1

        run = project.finish(process)
        assert run.code == 0, run.err
        assert sandbox.tokens.issued == 2
        assert run.json()["books"]["close"] is True
        reconcile(sandbox)


def test_a_short_lived_token_is_renewed_as_it_ends(tmp_path: Path) -> None:
    """Tokens that live one second are renewed before the API refuses one."""
    with SandboxThread(canary.options(token_seconds=1)) as sandbox, CliProject(tmp_path, sandbox) as project:
        project.source = "page_size: 5"
        project.write_settings()
        sandbox.set_latency(0.05)

        project.summary()

        assert sandbox.tokens.issued >= 2
        reconcile(sandbox)


def test_pages_that_are_too_large_are_asked_for_in_parts(tmp_path: Path) -> None:
    """A server that refuses pages over 60 kB gets smaller requests until all is read."""
    with (
        SandboxThread(canary.options(page_bytes_max=60_000)) as sandbox,
        CliProject(tmp_path, sandbox, source="page_size: 500") as project,
    ):
        summary = project.summary()

        assert summary["pages"] > 4
        reconcile(sandbox)


def test_a_page_that_never_ends_well_stops_the_run(tmp_path: Path) -> None:
    """A page that is broken for ever: exit code 3, what was read before is delivered, the books close, the rest follows."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as project:
        fault = sandbox.faults.add(Fault(kind="broken_json", match=ORDERS, skip=2, times=None))

        run = project.backfill("--json", command=IMPATIENT)

        assert fault.fired >= 3
        assert (run.code, run.json()["status"]) == (3, "stopped")
        assert run.json()["books"] == {"close": True, "errors": []}
        assert run.json()["events"]["identify"] == sandbox.shop.count("customers")
        assert "error: commercetools orders page: the answer cannot be read" in run.err
        assert "resume with: cdi backfill --pipeline main --resume\n" in run.err
        sandbox.faults.clear()
        assert project.run("backfill", "--resume", "--rate", "100000").code == 0
        reconcile(sandbox)


def test_one_event_that_segment_refuses_is_found(tmp_path: Path) -> None:
    """A batch that is refused for its content is halved down to the one event; the others arrive, exit code 1."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as project:
        _refuse_canary(sandbox)

        summary = project.summary(code=1)

        assert summary["streams"]["orders"]["rejected"] == 1
        assert [one for one in summary["reasons"] if one["outcome"] == "rejected"] == [
            {"stream": "orders", "outcome": "rejected", "reason": "destination_refused", "count": 1}
        ]
        letters = project.run("dlq", "list", "--json").json()
        assert [(one["event"], one["reason"]) for one in letters] == [("Order Completed", "destination_refused")]
        reconcile(sandbox, without=[project.order["id"]])


def _refuse_canary(sandbox: SandboxThread) -> None:
    """Make Segment answer 400 to any batch that holds the Order Completed of the canary's order."""
    import gzip

    from cdi_cli.sandbox.http_server import Request, Response

    handle = sandbox.sandbox.hooks.handle

    def refusing(request: Request) -> Response:
        if request.path.endswith("/batch"):
            body = gzip.decompress(request.body)
            if b"CANARY-1" in body and b'"Order Completed"' in body.partition(b"CANARY-1")[0][-2000:]:
                return Response(400, b'{"success":false,"message":"malformed JSON"}')
        return handle(request)

    sandbox.sandbox.hooks.handle = refusing


@pytest.mark.parametrize("status", [401, 403, 404, 501])
def test_a_refusal_for_good_is_not_taken_for_dead_letters(tmp_path: Path, status: int) -> None:
    """What concerns the account or the address stops the run at once with exit code 3: no event is given up."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as project:
        fault = sandbox.faults.add(Fault(kind="status", match=SEGMENT, skip=2, times=None, status=status))

        run = project.backfill("--json")

        assert 1 <= fault.fired <= 4
        assert (run.code, run.json()["status"]) == (3, "stopped")
        assert sum(line["rejected"] for line in run.json()["streams"].values()) == 0
        assert run.json()["books"]["close"] is True
        assert str(status) in run.err
        sandbox.faults.clear()
        assert project.backfill().code == 0
        reconcile(sandbox)


def test_everything_refused_is_not_everything_dead(tmp_path: Path) -> None:
    """When Segment refuses each and every event, the fault is not in the events: exit code 3 and no dead letters."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as project:
        sandbox.faults.add(Fault(kind="status", match=SEGMENT, times=None, status=400))

        run = project.backfill("--json")

        assert run.code == 3
        assert "the fault is likely in the settings or the destination, not in the events" in run.err
        assert project.run("dlq", "list", "--json").json() == []


def test_redirects_are_not_followed(tmp_path: Path) -> None:
    """A redirect to another host would carry the credentials there: exit code 3, naming where it pointed."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as project:
        away = {"Location": "http://127.0.0.2:1/login"}
        fault = sandbox.faults.add(Fault(kind="status", match=ORDERS, times=None, status=302, headers=away))

        run = project.backfill("--json")

        assert fault.fired >= 1
        assert run.code == 3
        assert "127.0.0.2" in run.err
        assert sandbox.faults.clear() is None
        assert project.backfill().code == 0
        reconcile(sandbox)
