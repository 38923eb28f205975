"""`cdi dlq export`: whole or redacted, as JSON Lines or CSV, to a file that is private and never half written."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import canary
import pytest
from cli_project import CliProject
from dlq_project import left_behind, too_strict

from cdi_cli.errors import ConfigError


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliProject]:
    """A project whose plan took none of the completed orders."""
    with too_strict(tmp_path_factory.mktemp("export")) as made:
        yield made


def test_json_lines(project: CliProject) -> None:
    """One line for each, lowest number first, with event and record; personal data is warned of."""
    listed = project.run("dlq", "list", "--limit", "1000", "--json").json()

    run = project.run("dlq", "export", "-")

    rows = [json.loads(line) for line in run.out.splitlines()]
    assert run.code == 0
    assert run.err == (
        f"exported {len(listed)} dead letters\nwarning: events and records hold personal data; `--redact` leaves it out\n"
    )
    assert [{name: row[name] for name in listed[0]} for row in rows] == listed[::-1]
    assert all(row["message"]["messageId"] == row["event_id"] and row["record"]["id"] == row["entity_id"] for row in rows)
    project.runs.remove(run)  # personal data was asked for


def test_a_file_is_private_and_not_replaced(project: CliProject) -> None:
    """Mode 0600 under any umask; a file that exists is replaced only by force."""
    path = project.place / "letters.jsonl"
    before = os.umask(0)
    try:
        first = project.run("dlq", "export", "letters.jsonl", "--limit", "2", "--json")
    finally:
        os.umask(before)
    whole = path.read_text(encoding="utf-8")
    second = project.run("dlq", "export", "letters.jsonl")
    unchanged = path.read_text(encoding="utf-8")
    third = project.run("dlq", "export", "letters.jsonl", "--limit", "1", "--force")
    lines = path.read_text(encoding="utf-8").splitlines()
    mode = stat.S_IMODE(path.stat().st_mode)
    names = {one.name for one in project.place.iterdir() if "letters" in one.name}
    path.unlink()

    assert first.json() == {"file": "letters.jsonl", "format": "jsonl", "is_redacted": False, "letters": 2}
    assert (second.code, unchanged) == (2, whole)
    assert second.err == "error: the file exists\n  --> letters.jsonl\n  hint: name another one, or add `--force`\n"
    assert (third.code, len(lines)) == (0, 1)
    assert names == {"letters.jsonl"}
    assert sys.platform == "win32" or mode == 0o600


def test_redacted(project: CliProject) -> None:
    """Without records, identities and whatever the plan does not call harmless; there is nothing to warn of."""
    run = project.run("dlq", "export", "-", "--redact", "--entity", project.order["id"])

    (row,) = [json.loads(line) for line in run.out.splitlines()]
    assert "record" not in row
    assert set(row["message"]) == {"type", "event", "messageId", "timestamp", "properties"}
    assert row["message"]["properties"]["currency"] == project.order["totalPrice"]["currencyCode"]
    assert "order_id" not in row["message"]["properties"]
    assert "warning" not in run.err
    assert all(value not in run.out for value in (*canary.PERSON.values(), canary.CUSTOMER_ID))


def test_csv(project: CliProject) -> None:
    """A header and a row for each, payloads as JSON in a cell."""
    run = project.run("dlq", "export", "-", "--format", "csv", "--limit", "2")

    rows = list(csv.DictReader(io.StringIO(run.out)))
    assert [row["event"] for row in rows] == ["Order Completed", "Order Completed"]
    assert json.loads(rows[0]["message"])["messageId"] == rows[0]["event_id"]
    assert json.loads(rows[0]["violations"])[0]["path"] == "total"
    assert json.loads(rows[0]["record"])["id"] == rows[0]["entity_id"]
    assert list(csv.DictReader(io.StringIO(project.run("dlq", "export", "-", "--format", "csv", "--redact").out)))
    project.runs.remove(run)  # personal data was asked for


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(start: str) -> None:
    """A cell that a spreadsheet would run gets a quote in front."""
    from cdi_cli.pipeline.letter_export import FIELDS, csv_lines

    row = {**dict.fromkeys((*FIELDS, "message", "record")), "id": 7, "detail": f"{start}cmd|' /C calc'!A0"}

    text = b"".join(csv_lines([row], has_record=True)).decode()

    (read,) = csv.DictReader(io.StringIO(text, newline=""))
    assert read["detail"] == f"'{start}cmd|' /C calc'!A0"
    assert (read["id"], read["record"]) == ("7", "")


def test_numbers_keep_their_digits(tmp_path: Path) -> None:
    """A record is exported digit by digit, in one line."""
    with left_behind(tmp_path) as made:
        run = made.run("dlq", "export", "-")

        assert '"centAmount":"12.34"' in run.out
        assert run.out.count("\n") == 1
        assert json.loads(run.out)["message"] is None
        made.runs.remove(run)  # personal data was asked for


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """When writing fails in the middle there is neither the file nor a part of it."""
    from cdi_cli.cli.dlq_export import write_private

    def lines() -> Iterator[bytes]:
        yield b"{}\n"
        raise OSError(28, "No space left on device")

    with pytest.raises(ConfigError, match="the file cannot be written: No space left on device"):
        write_private(tmp_path / "letters.jsonl", lines(), is_forced=False)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Neither a folder nor a file in no folder can be written."""
    from cdi_cli.cli.dlq_export import write_private

    with pytest.raises(ConfigError, match="it is a folder"):
        write_private(tmp_path, [], is_forced=True)
    with pytest.raises(ConfigError, match="No such file or directory"):
        write_private(tmp_path / "missing" / "letters.jsonl", [], is_forced=False)
