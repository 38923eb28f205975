"""A push as a job: resumed by line, known by content, deduplicated by messageId, with the books of any other run."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from doubles import LIMITS, FakeDestination
from jobs import opened
from push_tools import REQUEST, compiled, limited, page, push, reasons, viewed, write

from cdi_cli.clock import SYSTEM_CLOCK
from cdi_cli.config.settings import BreakerPolicy
from cdi_cli.destinations import ACCEPTED
from cdi_cli.errors import InterruptedRunError, StoppedError, TransientError
from cdi_cli.events import customer_subject
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.push import PushRequest
from cdi_cli.pipeline.recheck import recheck
from cdi_cli.pipeline.replay import ReplayRequest, run_replay
from cdi_cli.pipeline.stop import Stop
from cdi_cli.state import open_store


@pytest.fixture(scope="module")
def plan_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the storefront's plan is."""
    return tmp_path_factory.mktemp("plan")


@pytest.fixture
def way(plan_folder: Path) -> dict[str, Any]:
    """What of the pipeline is not the default: its plan."""
    return {"plan": compiled(plan_folder)}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The checkpoint file, in a folder of its own."""
    return tmp_path / "state" / "state.db"


def ids(start: int, end: int) -> list[str]:
    """The ids of pages."""
    return [f"page-{number}" for number in range(start, end)]


async def test_a_file_pushed_twice_sends_nothing_twice(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """Under whatever name, in whatever order, compressed or not; each push is told as a run of its own."""
    pages = [page(number) for number in range(1_300)]
    target = FakeDestination()
    first, error = await push(state, write(tmp_path / "a.jsonl", pages), target, **way)
    assert (error, first.status, first.kind, reasons(first)) == (None, "done", "push", {})
    assert target.ids == ids(0, 1_300)

    for again in (write(tmp_path / "b.jsonl", pages), write(tmp_path / "c.jsonl.gz", reversed(pages))):
        report, error = await push(state, again, target, **way)
        assert (error, report.status, reasons(report)) == (None, "done", {"duplicate:delivered_before": 1_300})

    assert len(target.ids) == 1_300


async def test_a_limit_stops_and_the_same_command_goes_on(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """Line by line, without sending again; one more push of a file that is done reads it anew."""
    file, target = write(tmp_path / "a.jsonl", [page(number) for number in range(1_200)]), FakeDestination()
    found = []
    for _ in range(3):
        report, error = await push(state, file, target, request=limited(550), **way)
        found.append((report.job_id, report.is_resumed, report.status, report.books.total("pulled")))

    # A page that was cut off is read again from its start; what was sent of it is a duplicate then.
    assert error is None
    assert [status for _, _, status, _ in found] == ["limited", "limited", "done"]
    assert len({job for job, *_ in found}) == 1
    assert [is_resumed for _, is_resumed, *_ in found] == [False, True, True]
    assert target.ids == ids(0, 1_200)


async def test_a_failure_is_resumed_behind_the_last_settled_page(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """The destination goes away: what was settled is not read again, what was not is sent."""

    def away(number: int, _events: list[bytes]) -> None:
        if number == 120:
            raise TransientError("the destination is away")

    file = write(tmp_path / "a.jsonl.gz", [page(number) for number in range(2_000)])
    target = FakeDestination(script=away)
    report, error = await push(state, file, target, **way)
    assert isinstance(error, TransientError)
    assert report.status == "stopped"

    target.script = lambda _number, _events: None
    report, error = await push(state, file, target, **way)

    assert (error, report.is_resumed, report.status) == (None, True, "done")
    assert report.books.total("pulled") < 2_000
    assert sorted(target.ids) == sorted(ids(0, 2_000))


async def test_two_files_are_two_jobs(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """An unfinished push is not given up for another file, and a changed file is another one."""
    one, other = [page(number) for number in range(40)], [page(number) for number in range(40, 80)]
    target = FakeDestination()
    first, _ = await push(state, write(tmp_path / "a.jsonl", one), target, request=limited(20), **way)
    second, _ = await push(state, write(tmp_path / "b.jsonl", other), target, **way)
    again, _ = await push(state, tmp_path / "a.jsonl", target, **way)
    changed, _ = await push(state, write(tmp_path / "a.jsonl", [*one, page(80)]), target, **way)

    assert (again.job_id, again.is_resumed) == (first.job_id, True)
    assert len({first.job_id, second.job_id, changed.job_id}) == 3
    assert reasons(changed) == {"duplicate:delivered_before": 40}
    assert target.ids == [*ids(0, 20), *ids(40, 80), *ids(20, 40), "page-80"]


async def test_a_changed_plan_reads_the_file_anew(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """Under the new one; what was delivered under the old one is not sent again."""
    file, target = write(tmp_path / "a.jsonl", [page(number) for number in range(40)]), FakeDestination()
    first, _ = await push(state, file, target, request=limited(20), **way)
    second, _ = await push(state, file, target, **way, fingerprint="another")

    assert second.job_id != first.job_id
    assert reasons(second) == {"duplicate:delivered_before": 20}
    assert target.ids == ids(0, 40)


async def test_history_and_news_are_different_jobs(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """As are those that take now for a missing time; what was sent either way is sent."""
    file, target = write(tmp_path / "a.jsonl", [page(1), page(2, timestamp=None)]), FakeDestination()
    requests = [REQUEST, PushRequest(is_history=False, rate=1e9), PushRequest(takes_now=True, rate=1e9)]
    reports = [(await push(state, file, target, request=each, **way))[0] for each in requests]

    assert len({report.job_id for report in reports}) == 3
    assert target.ids == ["page-1", "page-2"]
    again, _ = await push(state, file, target, request=requests[2], **way)
    assert reasons(again) == {"duplicate:delivered_before": 2}


async def test_each_bad_line_is_one_dead_letter(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """With its line; a second push adds none, and the letter leaves when the event is delivered."""
    rows: list[Any] = [page(1), "{bad", page(2, timestamp=None), page(3, properties={"path": 5}), "", page(4), "{bad"]
    file, target = write(tmp_path / "a.jsonl", rows), FakeDestination()
    first, error = await push(state, file, target, **way)
    assert error is None
    assert reasons(first) == {"rejected:bad_json": 2, "rejected:no_timestamp": 1, "rejected:plan_violation": 1}
    with open_store(state) as store:
        letters = {one.letter.reason: one.letter for one in store.dead_letters()}
        assert len(store.dead_letters()) == 3  # the same broken line twice is one letter
    assert {reason: letter.detail.partition(":")[0] for reason, letter in letters.items()} == {
        "bad_json": "line 7",
        "no_timestamp": "line 3",
        "plan_violation": "line 4",
    }
    assert json.loads(letters["no_timestamp"].record or b"") == page(2, timestamp=None)

    again, _ = await push(state, file, target, **way)
    assert reasons(again) == {"duplicate:delivered_before": 2, "duplicate:in_dead_letters": 4}

    await push(state, file, target, request=PushRequest(takes_now=True, rate=1e9), **way)
    with open_store(state) as store:
        assert {one.letter.reason for one in store.dead_letters()} == {"bad_json", "plan_violation"}
    assert target.ids == ["page-1", "page-4", "page-2"]


async def test_an_event_that_is_there_twice(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """In one group of lines, in pages that are on their way together, or without an id: it is sent once."""
    anonymous = [viewed(number, messageId=None, properties={"sku": "s"}, anonymousId="a") for number in range(3)]
    rows = [page(0), page(0), *(page(number) for number in range(1, 700)), page(0), *anonymous]
    target = FakeDestination(delay_seconds=0.001)
    report, error = await push(state, write(tmp_path / "a.jsonl", rows), target, **way)

    assert error is None
    assert len(target.ids) == len(set(target.ids)) == 701
    assert sum(number for reason, number in reasons(report).items() if reason.startswith("duplicate:")) == 4


async def test_names_and_routing(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """A page goes under its own name, an event under the name and with the properties that the plan has for there."""
    target = FakeDestination()
    routes = way["plan"].routes("target", "fake")
    rows = [page(1, name="Home"), page(2, name=None), viewed(3, properties={"sku": "s", "secret": "x"})]
    report, _ = await push(state, write(tmp_path / "a.jsonl", rows), target, **way, routes=routes)

    assert report.books.events == {"page": 2, "Product Viewed": 1}
    home, nameless, seen = target.accepted
    assert (home["name"], nameless["name"]) == ("Home", "page")
    assert (seen["event"], seen["properties"]) == ("Viewed", {"sku": "s"})
    elsewhere = way["plan"].routes("nowhere", "fake")
    away, _ = await push(
        state, write(tmp_path / "b.jsonl", [viewed(4)]), target, **way, routes=elsewhere, destination_name="nowhere"
    )
    assert reasons(away) == {"filtered:not_routed": 1}


async def test_consent_withholds(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """Nothing but a true lets an event go to a destination that requires a category."""

    def said(number: int, **preferences: bool) -> dict[str, Any]:
        return page(number, context={"consent": {"categoryPreferences": preferences}})

    target = FakeDestination()
    rows = [page(1), said(2, Ads=True), said(3, Ads=False), said(4, Other=True)]
    report, _ = await push(state, write(tmp_path / "a.jsonl", rows), target, **way, require_consent=("Ads",))

    assert reasons(report) == {"filtered:consent:Ads": 3}
    assert target.ids == ["page-2"]


async def test_nothing_goes_out_about_an_erased_person(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """Wherever a line names them, a line that is broken besides included."""
    with open_store(state) as store:
        store.erase("shop", [customer_subject("gone")])
    rows = [
        page(1, userId="gone"),
        page(2, properties={"path": "/", "who": ["gone"]}),
        page(3, timestamp=None, userId="gone"),
    ]
    target = FakeDestination()
    report, _ = await push(state, write(tmp_path / "a.jsonl", [*rows, page(4)]), target, **way)

    assert reasons(report) == {"filtered:erased": 3}
    assert target.ids == ["page-4"]


async def test_unplanned_events_are_left_out_or_blocked(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """As the plan says; a file cannot make the counters grow without bound."""
    rows = [viewed(number, event=f"Event {number}") for number in range(200)]
    file, target = write(tmp_path / "a.jsonl", rows), FakeDestination()
    report, _ = await push(state, file, target, **way)
    with open_store(state) as store:
        assert len(store.counts(run_id=report.run_id)) <= 51
    assert reasons(report) == {"filtered:unplanned_event": 200}

    strict = replace(way["plan"], unplanned_events="block")
    blocked, _ = await push(state, file, target, plan=strict, breaker=BreakerPolicy(rejected_min=1_000))
    assert reasons(blocked) == {"rejected:unplanned_event": 200}
    assert target.ids == []


async def test_the_breaker_stops_a_file_of_something_else(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """Before it fills the dead letters."""
    file = write(tmp_path / "a.jsonl", [f"<row>{number}</row>" for number in range(5_000)])
    report, error = await push(state, file, FakeDestination(), **way)

    assert isinstance(error, StoppedError)
    assert report.books.errors == ()
    assert report.books.total("pulled") < 1_000


async def test_a_signal_leaves_the_rest_for_the_next_push(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """What is in flight is settled, and nothing is sent again."""
    file, stop = write(tmp_path / "a.jsonl", [page(number) for number in range(3_000)]), Stop()

    def interrupt(number: int, _events: list[bytes]) -> None:
        if number == 30:
            stop.ask()

    target = FakeDestination(script=interrupt)
    report, error = await push(state, file, target, stop=stop, **way)
    assert isinstance(error, InterruptedRunError)
    assert report.status == "interrupted"
    report, error = await push(state, file, target, **way)

    assert (error, report.status) == (None, "done")
    assert len(target.ids) == len(set(target.ids)) == 3_000


async def test_a_destination_that_knows_no_repeats_gets_none(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """What was on its way when a run ended is looked for before it is sent."""
    file, calls = write(tmp_path / "a.jsonl", [page(number) for number in range(60)]), []

    class Dies(Exception):
        pass

    class Cut:
        """A store that dies when what was sent is to be settled."""

        def __init__(self, store: Any) -> None:
            self._store = store

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

        def settle(self, run_id: int, settlements: Any) -> None:
            """Write what is intended, and nothing else."""
            if any(each.delivered for each in settlements):
                calls.append(run_id)
                raise Dies
            self._store.settle(run_id, settlements)

    target = FakeDestination()
    with pytest.raises(Dies):
        await push(state, file, target, wrap=Cut, is_idempotent=False, **way)
    sent = len(target.ids)
    assert (sent > 0, bool(calls)) == (True, True)
    report, error = await push(state, file, target, is_idempotent=False, **way)

    assert (error, report.books.errors) == (None, ())
    assert sorted(target.ids) == sorted(ids(0, 60))
    assert len(target.confirmed) >= sent


async def test_dead_letters_of_a_push_can_be_replayed(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """By the plan as it is now: what passes is sent under its id and leaves, what fails stays with its line."""
    rows = [page(1), "{bad", page(2, properties={"path": "/", "more": 1}), viewed(3), viewed(4, timestamp=None)]
    file, target = write(tmp_path / "a.jsonl", rows), FakeDestination(refused=frozenset({"view-3"}))
    await push(state, file, target, **way)
    target.refused = frozenset()
    rules = tuple(
        replace(rule, check=lambda _properties: ()) if rule.type == "page" else rule for rule in way["plan"].others
    )
    lenient = replace(way["plan"], others=rules)
    with open_store(state) as store:
        numbers = tuple(sorted(store.letter_numbers()))
        assert len(numbers) == 4

        class Clocked(FakeDestination):
            """A source is asked for its clock and for nothing else."""

            async def server_now(self) -> Any:
                """This machine's."""
                return SYSTEM_CLOCK.instant()

            def scrub(self, stream: str, record: bytes) -> bytes:
                """Never asked about lines."""
                raise AssertionError(stream)

        changed = opened(Clocked(), target, plan=lenient)  # type: ignore[arg-type]
        verdicts = await recheck(changed, store, numbers)
        report, error = await run_replay(changed, store, ReplayRequest(numbers, rate=1e9), Progress(), Stop())
        left = {one.letter.reason: one.letter.detail for one in store.dead_letters()}

    assert verdicts.fates() == {"passes": 2, "fails": 2}
    assert (error, report.books.errors) == (None, ())
    assert sorted(target.ids) == ["page-1", "page-2", "view-3"]
    assert left == {
        "bad_json": "line 2: the line is not valid JSON",
        "no_timestamp": "line 5: the event has no `timestamp`; `--now` takes such events as happening now",
    }


async def test_memory_holds_pages_not_the_file(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """A file many times the size of what is held is read to its end."""
    rows = [page(number, properties={"path": "/" + "x" * 2_000}) for number in range(12_000)]
    file = write(tmp_path / "a.jsonl", rows)
    del rows
    size = file.stat().st_size

    class Forgetful(FakeDestination):
        """Keeps nothing."""

        async def send(self, events: Any) -> Any:
            """Take all."""
            return [ACCEPTED] * len(events)

    tracemalloc.start()
    try:
        report, error = await push(state, file, Forgetful(limits=LIMITS), **way)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (error, report.books.total("delivered")) == (None, 12_000)
    assert size > 24_000_000
    assert peak < size * 0.8
