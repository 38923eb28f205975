"""`cdi dlq recheck` and `cdi dlq replay`: what would pass is told, what passes is sent and leaves, the rest stays."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import canary
import pytest
from cli_project import COMMAND, IMPATIENT, CliProject, wait_until
from dlq_project import left_behind, sent_events, set_minimum, too_strict
from plan_tools import copy_default_plan

from cdi_cli.sandbox import SandboxThread
from cdi_cli.state import open_store


def waiting(project: CliProject) -> list[dict[str, Any]]:
    """The dead letters, as `list --json` gives them."""
    found: list[dict[str, Any]] = project.run("dlq", "list", "--limit", "1000", "--json").json()
    return found


def test_mend_the_plan_recheck_replay(tmp_path: Path) -> None:
    """The way that people go: some would pass now, a replay sends these under their ids, the rest keeps its numbers."""
    with too_strict(tmp_path, minimum=1000) as project:
        before = {one["id"]: one for one in waiting(project)}
        sent_before = sent_events(project)
        recheck = project.run("dlq", "recheck")
        assert recheck.code == 1
        assert recheck.out.startswith(
            f"main -> segment, plan 1.0.0: 0 would be sent, 0 would leave unsent, {len(before)} would"
        )
        set_minimum(project, 100)

        (judged,) = project.run("dlq", "recheck", "--json").json()
        dry = project.run("dlq", "replay", "--dry-run")
        assert (dry.code, sent_events(project), waiting(project)) == (1, sent_before, list(before.values()))
        run = project.run("dlq", "replay", "--json")

        after = {one["id"]: one for one in waiting(project)}
        (report,) = run.json()
        new = sent_events(project)[len(sent_before) :]
        gone = [one for number, one in before.items() if number not in after]
        assert run.code == 1
        assert f"left the queue: {len(gone)} of {len(before)} dead letters\n" in run.err
        assert judged["counts"] == {"passes": len(gone), "leaves": 0, "fails": len(after)}
        assert (report["kind"], report["status"], report["books"]) == ("replay", "done", {"close": True, "errors": []})
        assert report["events"] == {"Order Completed": len(gone)}
        assert sorted(new) == sorted((one["event"], one["event_id"]) for one in gone)
        assert 0 < len(after) < len(before)
        assert all(one["times"] == 2 and one["first_at"] == before[number]["first_at"] for number, one in after.items())
        assert project.sandbox.segment.duplicates == []

        set_minimum(project, 0)
        last = project.run("dlq", "replay")
        assert last.code == 0
        assert "Replay done: pipeline main -> segment, run " in last.out
        assert f"books close: {len(after)} events = {len(after)} delivered + " in last.out
        assert f"left the queue: {len(after)} of {len(after)} dead letter" in last.err
        assert waiting(project) == []


def test_nothing_is_sent_again_afterwards(tmp_path: Path) -> None:
    """What a replay delivered is known to the ledger: a backfill of the same window sends nothing."""
    with too_strict(tmp_path) as project:
        set_minimum(project, 0)
        assert project.run("dlq", "replay").code == 0
        sent = sent_events(project)

        project.summary("--restart")

        assert sent_events(project) == sent
        assert len(set(sent)) == len(sent)


def test_a_letter_of_a_record_takes_all_its_events(tmp_path: Path) -> None:
    """A record that still cannot be read stays; where it can be, everything in it is sent."""
    with left_behind(tmp_path) as project:
        first = project.run("dlq", "replay", "1")
        assert first.code == 1
        assert "orders  rejected  unreadable_record      1\n" in first.out
        with open_store(project.state) as store:
            stored = store.dead_letter(1)
            assert stored is not None
            assert stored.letter.record is not None
            _mend(store, stored.letter.record.replace(b'"12.34"', b"1234"))

        second = project.run("dlq", "replay", "1", "--json")

        assert second.code == 0
        assert second.json()[0]["events"]["Order Completed"] == 1
        assert waiting(project) == []


def _mend(store: Any, record: bytes) -> None:
    """Write another record into the only dead letter, as a later version of cdi would read it."""
    from dataclasses import replace

    from cdi_cli.state._base import Settlement

    letter = replace(store.dead_letter(1).letter, record=record)
    job = store.find_job("main", "segment")
    store.settle(store.start_run(job.id), [Settlement(0, dead=(letter,))])


def test_what_is_in_doubt_is_sent_where_it_is_named_only(tmp_path: Path) -> None:
    """A replay of everything does not decide that it had not arrived; it says so, and sends the rest."""
    with too_strict(tmp_path) as project:
        set_minimum(project, 0)
        doubtful, *others = [one["id"] for one in waiting(project)]
        with open_store(project.state) as store:
            _doubt(store, doubtful)

        recheck = project.run("dlq", "recheck", "--json")
        everything = project.run("dlq", "replay", "--yes")
        again = project.run("dlq", "replay", "--event", "Order Completed", "--yes", "--json")
        left = waiting(project)
        named = project.run("dlq", "replay", "--reason", "in_doubt")

    told = "not replayed: 1 dead letter in doubt: find out what arrived, then name the others, or `--reason in_doubt`\n"
    assert (recheck.code, recheck.json()[0]["counts"]["passes"]) == (1, len(others))
    assert (everything.code, told in everything.err) == (1, True)
    assert f"left the queue: {len(others)} of {len(others)} dead letters\n" in everything.err
    assert (again.code, again.json(), told in again.err) == (1, [], True)
    assert [one["id"] for one in left] == [doubtful]
    assert (named.code, "left the queue: 1 of 1 dead letter\n" in named.err) == (0, True)


def _doubt(store: Any, number: int) -> None:
    """Make a dead letter one of which it is not known whether it arrived."""
    from dataclasses import replace

    from cdi_cli.state._base import IN_DOUBT, Settlement

    letter = replace(store.dead_letter(number).letter, reason=IN_DOUBT, stage="send", violations=())
    job = store.find_job("main", "segment")
    store.settle(store.start_run(job.id), [Settlement(0, dead=(letter,))])


def test_history_stays_history(tmp_path: Path) -> None:
    """Letters that a backfill left are sent as history, as often as they are replayed; those of a sync as news."""
    history = "backfill_integrations: [Amplitude]"
    with (
        SandboxThread(canary.options(orders=20)) as sandbox,
        CliProject(
            tmp_path, sandbox, destination=history, top="plan: plan", pipeline="breaker: {rejected_share_max: 1}"
        ) as made,
    ):
        copy_default_plan(made.place)
        set_minimum(made, 10_000_000)
        assert made.backfill().code == 1
        old = waiting(made)
        assert made.run("dlq", "replay").code == 1
        new = {**made.order, "id": "0000ca0c-0000-4000-8000-00000000ca0c", "orderNumber": "CANARY-2"}
        moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        sandbox.shop.add("orders", {**new, "createdAt": moment, "lastModifiedAt": moment})
        made.settings.write_text(
            made.settings.read_text(encoding="utf-8").replace("breaker:", "sync: {settle: 0s}\n    breaker:"),
            encoding="utf-8",
        )
        time.sleep(1.1)
        made.run("sync")
        set_minimum(made, 0)

        run = made.run("dlq", "replay")

        messages = {one["messageId"]: one for one in sandbox.segment.applied}
        assert run.code == 0
        assert {one["event_id"] for one in old} < set(messages)
        assert all(messages[one["event_id"]]["integrations"] == {"All": False, "Amplitude": True} for one in old)
        late = messages["cdi:sandbox:shop:order:0000ca0c-0000-4000-8000-00000000ca0c:order-completed"]
        assert "integrations" not in late


def test_a_server_that_is_down(tmp_path: Path) -> None:
    """A replay that cannot reach the shop sends nothing, says so, and leaves everything in the queue; exit code 3."""
    with too_strict(tmp_path) as project:
        before = waiting(project)
        set_minimum(project, 0)
        text = project.settings.read_text(encoding="utf-8")
        port = project.sandbox.url.rpartition(":")[2]
        project.settings.write_text(text.replace(f":{port}", ":1"), encoding="utf-8")
        run = project.run("dlq", "replay", command=IMPATIENT)

        assert run.code == 3
        assert "error: " in run.err
        assert waiting(project) == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c(tmp_path: Path) -> None:
    """What is in flight is settled, the rest stays in the queue, and the same command finishes it."""
    with too_strict(tmp_path) as project:
        before = len(waiting(project))
        sent = len(sent_events(project))
        set_minimum(project, 0)
        project.destination = "batch_events: 1"
        project.write_settings()
        process = project.start("dlq", "replay", "--rate", "5")
        wait_until(lambda: len(sent_events(project)) > sent, "the first event")
        process.send_signal(signal.SIGINT)
        run = project.finish(process)

        assert run.code == 130
        assert "what is not delivered is still in the queue: run the same command again\n" in run.err
        rest = len(waiting(project))
        assert 0 < rest < before
        assert project.run("dlq", "replay").code == 0
        assert len(sent_events(project)) == sent + before
        assert project.sandbox.segment.duplicates == []


def test_it_is_locked_out_by_another(tmp_path: Path) -> None:
    """Beside a run that holds the checkpoint file a replay ends at once with 4; looking is allowed."""
    with too_strict(tmp_path) as project:
        with open_store(project.state):
            replay = project.run("dlq", "replay")
            drop = project.run("dlq", "drop", "--all", "--yes")
            waited = project.run("dlq", "replay", "--wait", "1s")
            recheck = project.run("dlq", "recheck")

        assert (replay.code, drop.code, waited.code, recheck.code) == (4, 4, 4, 1)
        assert waited.seconds > replay.seconds


@pytest.mark.parametrize(("answer", "code"), [("n", 0), ("y", 1)])
def test_many_are_asked_about_on_a_terminal(tmp_path: Path, answer: str, code: int) -> None:
    """More than twenty are sent only after a yes; without a terminal, or with `--yes`, nobody is asked."""
    with too_strict(tmp_path) as project:
        count = len(waiting(project))
        assert count > 20

        shown, ended = talk(project, ["dlq", "replay"], answer)

        assert f"Replay {count} dead letters? [y/N]: " in shown
        assert ended == code
        assert ("nothing was sent" in shown) == (answer == "n")
        assert "?" not in project.run("dlq", "replay").err


def talk(project: CliProject, arguments: list[str], answer: str) -> tuple[str, int]:
    """Run a command on a pseudo-terminal, answer its one question, return all that was shown and the exit code."""
    pty = pytest.importorskip("pty", reason="a pseudo-terminal needs POSIX")
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=project.place,
        env={**project.environment, "TERM": "dumb", "COLUMNS": "200"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        close_fds=True,
    )
    project.running.append(child)  # type: ignore[arg-type]
    os.close(slave)
    shown, is_answered = "", False
    while select.select([master], [], [], 20)[0]:
        try:
            chunk = os.read(master, 4096)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk.decode()
        if shown.endswith("[y/N]: ") and not is_answered:
            os.write(master, f"{answer}\n".encode())
            is_answered = True
    os.close(master)
    return shown, child.wait(20)
