"""What a review of `cdi backfill` tried to break: several destinations, signals between them, settings that change."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from doubles import FakeDestination, FakeSource, order

from cdi_cli.cli import backfill_run
from cdi_cli.cli.backfill_run import Options
from cdi_cli.errors import (
    ConfigError,
    ExitCode,
    ScopeError,
    TransientError,
)
from cdi_cli.pipeline.opening import fingerprint
from cdi_cli.pipeline.project import Project, load_project
from cdi_cli.secrets import REDACTOR, Secret
from cdi_cli.sources import Page
from cdi_cli.state.store import SqliteStore


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the checkpoint file will be."""
    return tmp_path / "state.db"


class Desk:
    """`cdi backfill` on test doubles: a project of one pipeline into several destinations."""

    def __init__(self, state: Path, monkeypatch: pytest.MonkeyPatch, **destinations: FakeDestination) -> None:
        self.destinations = destinations
        self.source = FakeSource([order(number) for number in range(30)])
        self.project: Any = SimpleNamespace(
            settings=SimpleNamespace(
                state=state,
                pipelines={"main": SimpleNamespace(source="shop", destinations=tuple(destinations), workers=2)},
                metrics_file=None,
                notify=None,
            ),
            stream_names=lambda _source: ["orders"],
            config_flag="",
        )
        monkeypatch.setattr(backfill_run, "open_pipeline", self._open)

    @asynccontextmanager
    async def _open(self, _project: Any, _pipeline: str, destination: str) -> AsyncIterator[Any]:
        from jobs import opened

        yield opened(self.source, self.destinations[destination], destination_name=destination)

    def run(self, **options: Any) -> ExitCode:
        """One command line."""
        values = {"pipeline": "main", "since": "2026-01-01", "until": "2026-01-03", "is_json": True} | options
        return backfill_run.run(self.project, Options(**values))


def test_resume_goes_on_with_the_destination_that_is_unfinished(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first destination is done, the second had an outage: the printed resume command finishes the second."""

    def fail(_number: int, _events: list[bytes]) -> None:
        raise TransientError("no answer")

    desk = Desk(state, monkeypatch, one=FakeDestination(), two=FakeDestination(script=fail))
    assert desk.run() is ExitCode.STOPPED
    desk.destinations["two"] = FakeDestination()
    capsys.readouterr()

    code = desk.run(mode="resume", since=None, until=None)

    assert code is ExitCode.OK
    assert json.loads(capsys.readouterr().out)["destination"] == "two"
    assert len(desk.destinations["two"].accepted) == 30
    assert len(desk.destinations["one"].accepted) == 30


def test_what_the_first_destination_did_is_reported_when_the_second_cannot_begin(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--json` holds the finished part; stderr and the exit code tell the rest."""
    desk = Desk(state, monkeypatch, one=FakeDestination(), two=FakeDestination())
    desk.run(destination="two", limit=3)
    capsys.readouterr()

    code = desk.run(since="2026-01-02")

    printed = capsys.readouterr()
    assert code is ExitCode.USAGE
    assert json.loads(printed.out)["destination"] == "one"
    assert "an unfinished backfill" in printed.err


def test_a_dry_run_into_two_destinations_keeps_their_books_apart(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a checkpoint file, too: each destination starts at nothing."""
    desk = Desk(state, monkeypatch, one=FakeDestination(), two=FakeDestination())

    code = desk.run(is_dry=True)

    reports = json.loads(capsys.readouterr().out)
    assert code is ExitCode.OK
    assert [report["streams"]["orders"]["delivered"] for report in reports] == [30, 30]
    assert [report["books"]["close"] for report in reports] == [True, True]


def test_ctrl_c_after_the_last_write_still_keeps_the_next_destination_from_being_begun(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A signal in the moment between two destinations is not lost; what was done is reported."""
    desk = Desk(state, monkeypatch, one=FakeDestination(), two=FakeDestination())
    real_end = SqliteStore.end_run

    def end_run(self: SqliteStore, run_id: int, **ended: Any) -> None:
        real_end(self, run_id, **ended)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(SqliteStore, "end_run", end_run)

    code = desk.run()

    assert code is ExitCode.INTERRUPTED
    assert json.loads(capsys.readouterr().out)["status"] == "done"
    assert (len(desk.destinations["one"].accepted), desk.destinations["two"].accepted) == (30, [])


def test_a_skipped_stream_is_named_without_control_characters(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a platform says about a missing permission cannot steer the terminal, nor show a secret."""
    REDACTOR.add(Secret("hunter2-secret"))
    desk = Desk(state, monkeypatch, one=FakeDestination())

    class Forbidden(FakeSource):
        async def pages(self, *_arguments: Any, **_options: Any) -> AsyncIterator[Page]:
            raise ScopeError("lacks \x1b[31mview_orders hunter2-secret")
            yield

    desk.source = Forbidden(desk.source.orders)

    code = desk.run()

    talk = capsys.readouterr().err
    assert code is ExitCode.STOPPED
    assert "not read: orders: lacks \\x1b[31mview_orders ****" in talk
    assert "\x1b[31m" not in talk
    assert "hunter2" not in talk


def project_in(folder: Path, *, source: dict[str, str] | None = None, pipeline: str = "") -> Project:
    """A project of one commercetools shop into Segment; `source` are more settings of the shop, as written."""
    values = {"type": "commercetools", "project_key": "acme", "client_id": "me", "client_secret": "${CT}"}
    values |= {"api_url": "http://127.0.0.1:1", "auth_url": "http://127.0.0.1:1"} | (source or {})
    shop_lines = "".join(f"    {name}: {value}\n" for name, value in values.items())
    file = folder / "cdi.yaml"
    file.write_text(
        f"workspace: acme\nsources:\n  shop:\n{shop_lines}"
        "destinations:\n  segment: {type: segment, region: eu, write_key: '${SEG}'}\n"
        f"pipelines:\n  main:\n    source: shop\n    destinations: [segment]\n{pipeline}"
    )
    return load_project(file, environment={"CT": "c" * 8, "SEG": "s" * 8})


def test_a_job_is_not_resumed_on_another_project_of_the_same_source(tmp_path: Path) -> None:
    """A cursor into one shop means nothing in another; how fast a source is read may change, and its address."""

    def fingerprint_of(**source: str) -> str:
        project = project_in(tmp_path, source=source)
        return fingerprint(project.settings, project.settings.pipelines["main"], project.plan("main"), ())

    first = fingerprint_of()

    assert fingerprint_of(project_key="other") != first
    assert fingerprint_of(locale="de") != first
    assert fingerprint_of(page_size="100") == first
    assert fingerprint_of(api_url="http://127.0.0.1:2") == first


def test_an_own_id_of_an_event_that_happens_once_must_name_the_entity(tmp_path: Path) -> None:
    """Such an event has no discriminator: all orders would share one id, and all but the first count as duplicates."""
    project = project_in(tmp_path, pipeline="    ids: {Order Completed: 'x-{discriminator}'}\n")

    with pytest.raises(ConfigError) as caught:
        project.plan("main")

    assert "every `Order Completed` would have the same id" in str(caught.value)
