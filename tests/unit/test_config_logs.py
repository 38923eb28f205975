"""The log on request: JSON lines, private, bounded, without secrets whoever wrote the record."""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdi_cli import logs
from cdi_cli.config.types import SecretReference
from cdi_cli.errors import ConfigError

CANARY = 'canary/9f8e"7d6c+5b4a'


@pytest.fixture(autouse=True)
def _log_ends() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    logs.stop()
    logging.getLogger().setLevel(level)


def lines(file: Path) -> list[dict[str, Any]]:
    """The records of a log file."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_record_is_one_line_of_json(tmp_path: Path) -> None:
    """Time, level, logger, message and what was given beside it; a line break stays inside its record."""
    file = tmp_path / "new" / "cdi.log"
    logs.start(file)

    logging.getLogger("cdi.pipeline").info("run\nstarted", extra={"run_id": 7, "stream": "orders"})

    (record,) = lines(file)
    assert record.pop("at").endswith("Z")
    assert record == {
        "level": "info",
        "logger": "cdi.pipeline",
        "message": "run\nstarted",
        "run_id": 7,
        "stream": "orders",
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_form_of_a_secret_reaches_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Message, arguments, extras and tracebacks are redacted, also for loggers of other libraries."""
    monkeypatch.setenv("PLANTED", CANARY)
    SecretReference("${PLANTED}").resolve()
    file = tmp_path / "cdi.log"
    logs.start(file, "debug")

    logging.getLogger("some.library").warning("url?key=%s", CANARY)
    logging.getLogger("cdi").warning("x", extra={"header": f"Bearer {CANARY}", "parts": [CANARY]})
    logging.getLogger("cdi").warning("y" * 3990 + CANARY)
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("cdi").exception("failed")

    text = file.read_text()
    assert len(lines(file)) == 4
    assert CANARY not in text
    assert json.dumps(CANARY)[1:-1] not in text
    assert "canary" not in text
    assert "ValueError" in text


def test_chatty_libraries_are_held_back(tmp_path: Path) -> None:
    """httpx logs full URLs at INFO: neither that nor DEBUG gets through, warnings do."""
    file = tmp_path / "cdi.log"
    logs.start(file, "debug")

    logging.getLogger("httpx").info("GET https://host/?token=x")
    logging.getLogger("httpcore.connection").debug("connect")
    logging.getLogger("httpx").warning("odd")

    assert [record["message"] for record in lines(file)] == ["odd"]


def test_a_record_is_bounded(tmp_path: Path) -> None:
    """An endless message is cut."""
    file = tmp_path / "cdi.log"
    logs.start(file)

    logging.getLogger("cdi").info("x" * 1_000_000)

    assert len(file.read_text()) < 5_000


def test_a_log_is_appended_to_and_replaced_by_the_next(tmp_path: Path) -> None:
    """A second start writes to its own file only; the first file keeps what it had."""
    first, second = tmp_path / "1.log", tmp_path / "2.log"
    first.write_text('{"message": "before"}\n')
    logs.start(first)
    logging.getLogger("cdi").info("one")
    logs.start(second)
    logging.getLogger("cdi").info("two")

    assert [record["message"] for record in lines(first)] == ["before", "one"]
    assert [record["message"] for record in lines(second)] == ["two"]


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A folder in place of the file is an error before anything starts."""
    with pytest.raises(ConfigError, match="cannot write the log file"):
        logs.start(tmp_path)
