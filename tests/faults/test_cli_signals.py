"""Signals, kills and second processes, on the real command: nothing lost, nothing sent twice that need not be."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import canary
import pytest
from cli_project import WHOLE, CliProject, Run, wait_until
from shop_oracle import reconcile

from cdi_cli.sandbox import Fault, SandboxThread

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

SLOW = ("backfill", "--since", "2020-01-01T00:00:00Z", "--rate", "80")
"""About two seconds for the shop of this module."""
CRAWLING = ("--rate", "5")
"""So slow that the run outlasts whatever is tried beside it; it is stopped then."""
INSTALLED = (str(Path(sys.executable).with_name("cdi")),)
IN_FLIGHT = 4 * 20
"""Requests at once, times events in each: the most that a kill may repeat."""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[CliProject]:
    """A project beside a shop of 61 orders."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as made:
        yield made


def start_sending(project: CliProject, *more: str, at_least: int = 20, **options: object) -> subprocess.Popen[bytes]:
    """A slow backfill of which the first events have arrived."""
    process = project.start(*SLOW, *more, **options)
    target = project.sandbox.segment.applied_count + at_least
    wait_until(lambda: project.sandbox.segment.applied_count >= target or process.poll() is not None, "the first events")
    return process


def finish_the_rest(project: CliProject) -> Run:
    """Resume and check that everything has arrived once."""
    run = project.run("backfill", "--resume", "--rate", "100000")
    assert run.code == 0, run.err
    reconcile(project.sandbox)
    return run


def stop_and_finish(project: CliProject, process: subprocess.Popen[bytes]) -> None:
    """End a crawling run in order and do the rest quickly; nothing may have been sent twice."""
    process.send_signal(signal.SIGTERM)
    assert project.finish(process).code == 143
    finish_the_rest(project)
    assert project.sandbox.segment.duplicates == []


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGINT, 130, "Ctrl-C"),
        (signal.SIGTERM, 143, "SIGTERM"),
        (signal.SIGHUP, 143, "the end of its terminal"),
    ],
)
def test_a_signal_settles_what_is_in_flight(project: CliProject, number: int, code: int, words: str) -> None:
    """The run stops reading, settles, closes its books, prints how to resume; nothing is repeated afterwards."""
    process = start_sending(project, "--json")
    process.send_signal(number)
    asked = time.monotonic()

    run = project.finish(process)

    assert time.monotonic() - asked < 10
    assert run.code == code
    assert f"error: interrupted by {words}; the checkpoint is saved\n" in run.err
    assert "resume with: cdi backfill --pipeline main --resume\n" in run.err
    summary = json.loads(run.out)
    assert (summary["status"], summary["books"]["close"]) == ("interrupted", True)
    assert project.files() == {"cdi.yaml", ".cdi/state.db", ".cdi/state.db.lock"}
    finish_the_rest(project)
    assert project.sandbox.segment.duplicates == []


def test_a_second_ctrl_c_does_not_wait(project: CliProject) -> None:
    """Asked twice, the run gives up what is in flight; that much may be sent again, under the same ids."""
    project.sandbox.faults.add(Fault(kind="delay", match="/segment/", skip=1, times=None, seconds=20))
    process = project.start("backfill", *WHOLE, "--json")
    wait_until(lambda: sum(one.path.startswith("/segment/") for one in project.sandbox.requests) >= 2, "a hanging batch")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None, "the first Ctrl-C lets what is in flight be settled"
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()

    run = project.finish(process)

    assert time.monotonic() - asked < 3
    assert run.code == 130
    assert json.loads(run.out)["books"]["close"] is True
    project.sandbox.faults.clear()
    finish_the_rest(project)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_source_does_not_answer(project: CliProject, number: int) -> None:
    """Before anything is planned a run can be stopped as quickly, however long it would have tried."""
    project.sandbox.faults.add(Fault(kind="status", match="/oauth/token", times=None, status=503))
    process = project.start("backfill", *WHOLE)
    wait_until(lambda: len(project.sandbox.requests) >= 2, "the second attempt")
    process.send_signal(number)
    asked = time.monotonic()

    run = project.finish(process)

    assert time.monotonic() - asked < 3
    assert run.code in (130, 143)
    assert "nothing was started: run the same command again" in run.err


def test_a_signal_while_a_page_is_awaited(project: CliProject) -> None:
    """A page that takes for ever does not keep a run from stopping."""
    project.sandbox.faults.add(Fault(kind="delay", match="/orders?", skip=2, times=None, seconds=20))
    process = project.start("backfill", *WHOLE, "--json")
    wait_until(lambda: any(one.fault == "delay" for one in project.sandbox.requests), "the slow page")
    process.send_signal(signal.SIGTERM)
    asked = time.monotonic()

    run = project.finish(process)

    assert time.monotonic() - asked < 5
    assert (run.code, json.loads(run.out)["books"]["close"]) == (143, True)
    project.sandbox.faults.clear()
    finish_the_rest(project)
    assert project.sandbox.segment.duplicates == []


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_went_away(project: CliProject, stream: str) -> None:
    """Closing the pipe behind standard output or error does not end the delivery; without output the code is 141."""
    reader, writer = os.pipe()
    process = start_sending(project, **{stream: writer})
    os.close(writer)
    os.close(reader)

    run = project.finish(process)

    assert run.code == (141 if stream == "stdout" else 0)
    assert "Traceback" not in run.err
    assert "Exception ignored" not in run.err
    reconcile(project.sandbox)
    assert project.summary()["events"] == {}


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_standard_stream_that_was_never_open(project: CliProject, closed: int) -> None:
    """Started with input, output or errors closed, as some schedulers do, the run does its work."""
    run = project.backfill(preexec_fn=lambda: os.close(closed))

    assert run.code == 0
    reconcile(project.sandbox)


@pytest.mark.slow
def test_random_kills_until_done(project: CliProject) -> None:
    """The installed command is killed ten times at random moments: nothing lost, few repeats, no files left, then quiet."""
    dice = random.Random(int(os.environ.get("CDI_SEED", "20260101")))
    kills = 0
    for number in range(10):
        process = project.start("backfill", "--since", "2020-01-01T00:00:00Z", "--rate", "40", command=INSTALLED)
        if number % 2:
            requests = len(project.sandbox.segment.requests)
            wait_until(lambda seen=requests: len(project.sandbox.segment.requests) > seen, "a batch")  # type: ignore[misc]
            time.sleep(dice.uniform(0.0, 0.2))
        else:
            time.sleep(dice.uniform(0.05, 0.6))
        process.kill()
        kills += project.finish(process).code == -signal.SIGKILL
    assert kills == 10
    before = project.sandbox.segment.applied_count
    assert before > 0, "every kill came before the first event: nothing was shown"

    run = project.backfill(command=INSTALLED)

    assert run.code == 0, run.err
    reconcile(project.sandbox)
    assert len(project.sandbox.segment.duplicates) <= kills * IN_FLIGHT
    assert project.files() == {"cdi.yaml", ".cdi/state.db", ".cdi/state.db.lock"}
    assert project.summary()["events"] == {}


def test_a_kill_is_told_by_status(project: CliProject) -> None:
    """After `kill -9` the status shows how far the job is, and the next run goes on from there."""
    process = start_sending(project)
    process.kill()
    project.finish(process)

    status = project.run("status", "--json").json()["pipelines"][0]

    assert status["backfill"]["status"] == "open"
    assert status["backfill"]["delivered"] <= project.sandbox.segment.applied_count
    assert project.backfill().err.startswith("resuming main -> segment: ")
    reconcile(project.sandbox)
    assert project.run("status", "--json").json()["pipelines"][0]["backfill"]["status"] == "done"


def test_a_second_backfill_is_refused_at_once(project: CliProject) -> None:
    """While one runs, others end with 4 soon, naming its process and since when; the first is not disturbed."""
    process = start_sending(project, *CRAWLING, at_least=1)

    started = time.monotonic()
    others = [project.start("backfill", *WHOLE) for _ in range(3)]
    runs = [project.finish(one) for one in others]

    assert time.monotonic() - started < 5
    for run in runs:
        assert (run.code, run.out) == (4, "")
        assert f"error: the checkpoint file is in use: process {process.pid}, started at 20" in run.err
        assert "hint: wait until it has ended, or stop it: everything it settled is kept\n" in run.err
    assert process.poll() is None, "the backfill ended before the others came"
    stop_and_finish(project, process)


def test_four_at_once_on_a_new_file(project: CliProject) -> None:
    """Four started together: one works, or each after another; none breaks, nothing is sent twice."""
    processes = [project.start(*SLOW) for _ in range(4)]

    codes = sorted(project.finish(process).code for process in processes)

    assert codes == [0, 4, 4, 4]
    reconcile(project.sandbox)
    assert project.sandbox.segment.duplicates == []


def test_looking_does_not_disturb(project: CliProject) -> None:
    """`status`, `dlq list`, `config show` and a dry run work beside a running backfill and leave it alone."""
    process = start_sending(project, *CRAWLING, at_least=1)

    commands = (("status",), ("dlq", "list"), ("config", "show"), ("backfill", *WHOLE, "--dry-run", "--json"))
    looking = [project.start(*command) for command in commands]
    status, letters, shown, dry = (project.finish(one) for one in looking)

    assert process.poll() is None, "the backfill ended before it was looked at"
    assert [run.code for run in (status, letters, shown, dry)] == [0, 0, 0, 0], (status.err, letters.err, dry.err)
    assert "main -> segment: backfill open, " in status.out
    assert ": running, started 20" in status.out
    assert dry.json()["estimate"]["events"] < 187
    stop_and_finish(project, process)
