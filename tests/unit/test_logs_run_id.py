"""Every log line of a run tells which run it is of, whoever wrote it and however many run side by side."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdi_cli import logs


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A log that was started at debug level, and ends with the test."""
    level = logging.getLogger().level
    path = tmp_path / "cdi.log"
    logs.start(path, "debug")
    yield path
    logs.stop()
    logging.getLogger().setLevel(level)


def lines(file: Path) -> list[dict[str, Any]]:
    """The records of a log file, without what is the same for all."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_lines_of_every_library_carry_the_run(file: Path) -> None:
    """Inside the block a record of any logger has run, pipeline and destination; after it, none."""
    with logs.run_context(run_id=7, pipeline="main", destination="segment"):
        logging.getLogger("cdi.state").info("ours")
        logging.getLogger("some.library").warning("theirs")
    logging.getLogger("cdi.state").info("after")

    ours, theirs, after = lines(file)
    about = {"run": 7, "pipeline": "main", "destination": "segment"}
    assert about.items() <= ours.items()
    assert about.items() <= theirs.items()
    assert not about.keys() & after.keys()


def test_an_inner_block_adds_to_the_outer_one(file: Path) -> None:
    """The run's number may become known later; leaving the inner block takes only that back."""
    with logs.run_context(pipeline="main", destination="segment"):
        logging.getLogger("cdi").info("asking the source")
        with logs.run_context(run_id=8):
            logging.getLogger("cdi").info("working")
        logging.getLogger("cdi").info("closing")

    before, inside, after = lines(file)
    assert "run" not in before
    assert (inside["run"], inside["pipeline"]) == (8, "main")
    assert "run" not in after
    assert after["destination"] == "segment"


def test_a_record_that_names_its_run_keeps_it(file: Path) -> None:
    """What a line says itself (`extra=`) is nearer than the context."""
    with logs.run_context(run_id=7):
        logging.getLogger("cdi").info("about another", extra={"run": 6})

    assert [line["run"] for line in lines(file)] == [6]


def test_the_context_ends_with_an_error(file: Path) -> None:
    """A run that fails does not leave its number to what comes after."""
    with pytest.raises(ValueError, match="broken"), logs.run_context(run_id=7):
        raise ValueError("broken")
    logging.getLogger("cdi").info("after")

    assert "run" not in lines(file)[0]


async def test_runs_side_by_side_do_not_mix(file: Path) -> None:
    """Interleaved tasks, their own tasks and their worker threads each log their own run."""
    meeting = asyncio.Barrier(3)

    async def deeper(number: int) -> None:
        logging.getLogger("library").info("task of %s", number)
        await asyncio.to_thread(logging.getLogger("library").info, "thread of %s", number)

    async def run(number: int) -> None:
        with logs.run_context(run_id=number, pipeline=f"p{number}"):
            for _ in range(5):
                await meeting.wait()
                logging.getLogger("library").info("run of %s", number)
                await asyncio.create_task(deeper(number))

    await asyncio.gather(*(run(number) for number in (1, 2, 3)))

    found = lines(file)
    assert len(found) == 3 * 5 * 3
    assert [line for line in found if not line["message"].endswith(f" of {line['run']}")] == []
    assert [line for line in found if line["pipeline"] != f"p{line['run']}"] == []


def test_another_thread_has_no_run(file: Path) -> None:
    """A thread that was not started by the run's tasks (a library's own) is not told to be of it."""
    with logs.run_context(run_id=7):
        thread = threading.Thread(target=logging.getLogger("library").info, args=("elsewhere",))
        thread.start()
        thread.join()

    assert "run" not in lines(file)[0]
