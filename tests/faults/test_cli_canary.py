"""The canary can sing: planted leaks are found; and the loudest runs, with logs and tracebacks, leak nothing."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import canary
import pytest
from cli_project import HASTY, WHOLE, CliProject

from cdi_cli.sandbox import Fault, SandboxThread


@pytest.fixture
def project(tmp_path: Path) -> Iterator[CliProject]:
    """A project beside a shop of 21 orders."""
    with SandboxThread(canary.options(orders=20)) as sandbox, CliProject(tmp_path, sandbox) as made:
        yield made


SECRETS = {"client secret": canary.CLIENT_SECRET, "write key": canary.WRITE_KEY}
FORMS = [(name, form) for name, secret in SECRETS.items() for form in sorted(canary.spellings(secret))]


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_a_secret_is_found_in_any_spelling(tmp_path: Path, name: str, form: str) -> None:
    """In an output or a file, plain or encoded."""
    folder = tmp_path / "place"
    folder.mkdir()
    (folder / "leak.log").write_text(f"... {form} ...")

    assert f"{name} in output 0" in canary.scan(tmp_path / "none", [f"x{form}y"], [], scratch=tmp_path / "scratch")
    assert f"{name} in leak.log" in canary.scan(folder, [], [], scratch=tmp_path / "scratch")


def test_personal_data_is_found_outside_payloads(tmp_path: Path) -> None:
    """In the payload of a dead letter it is allowed, in its reason, in another file or an output it is not."""
    folder, scratch = tmp_path / "place", tmp_path / "scratch"
    folder.mkdir()
    email = canary.PERSON["e-mail"]
    with closing(sqlite3.connect(folder / "state.db")) as db:
        db.execute("CREATE TABLE dead_letters (detail TEXT, record BLOB, event BLOB)")
        db.execute("INSERT INTO dead_letters VALUES ('bad', ?, NULL)", (email.encode(),))
        db.commit()
        assert canary.scan(folder, [], [], scratch=scratch) == []
        db.execute("UPDATE dead_letters SET detail = ?", (email,))
        db.commit()
    assert canary.scan(folder, [], [], scratch=scratch) == ["e-mail in column dead_letters.detail of state.db"]
    (folder / "run.log").write_text(email)
    assert "e-mail in run.log" in canary.scan(folder, [], [], scratch=scratch)
    assert canary.scan(tmp_path / "none", [f"<{email}>"], [], scratch=scratch) == ["e-mail in output 0"]


def test_a_token_and_a_password_hash_are_found(tmp_path: Path) -> None:
    """Neither may be anywhere, not even in a dead letter's payload."""
    folder = tmp_path / "place"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "state.db")) as db:
        db.execute("CREATE TABLE dead_letters (detail TEXT, record BLOB, event BLOB)")
        db.execute("INSERT INTO dead_letters VALUES ('', ?, ?)", (canary.PASSWORD_HASH.encode(), b"tok-4711-abc"))
        db.commit()

    found = canary.scan(folder, [], ["tok-4711-abc"], scratch=tmp_path / "scratch")

    assert found == ["access token in state.db", "password hash in state.db"]


def test_the_debug_log_holds_no_secret(project: CliProject) -> None:
    """The most detailed log of a run with faults and dead letters has none of it: the scan on leaving looks."""
    project.top = "log: {file: logs/debug.log, level: debug}"
    project.write_settings()
    sandbox = project.sandbox
    sandbox.shop.update("orders", project.order["id"], {"totalPrice": "none"})
    sandbox.shop.update("customers", canary.CUSTOMER_ID, {"email": 17})
    for kind in ("reset_mid_body", "html200", "broken_json", "bad_gzip"):
        sandbox.faults.add(Fault(kind=kind, match="/orders?", skip=1, times=1))  # type: ignore[arg-type]
        sandbox.faults.add(Fault(kind=kind, match="/segment/", skip=1, times=1))  # type: ignore[arg-type]

    summary = project.summary(code=1, command=HASTY)

    assert summary["retries"] > 0
    assert sum(line["rejected"] for line in summary["streams"].values()) >= 2
    lines = [json.loads(line) for line in (project.place / "logs" / "debug.log").read_text().splitlines()]
    assert {line["level"] for line in lines} >= {"debug", "info"}


@pytest.mark.parametrize(
    ("match", "body"),
    [
        ("/oauth/token", canary.CLIENT_SECRET),
        ("/orders?", canary.CLIENT_SECRET),
        ("/segment/", canary.WRITE_KEY),
        ("/segment/", canary.PERSON["e-mail"]),
    ],
)
def test_an_error_that_quotes_the_request_is_not_passed_on(project: CliProject, match: str, body: str) -> None:
    """What a server's error text quotes of secrets and events does not reach the terminal."""
    # The shop's own words are shown: requests to it hold ids and times, no personal data that it could quote.
    answer = {"statusCode": 400, "message": f"cannot take {body}", "errors": [{"code": "InvalidInput", "message": body}]}
    fault = project.sandbox.faults.add(Fault(kind="status", match=match, times=None, status=400, body=answer))

    run = project.backfill(env={"CDI_TRACEBACK": "1"})

    assert fault.fired > 0
    assert run.code == 3
    assert body not in run.err


def test_a_fault_of_ours_shows_no_secret(project: CliProject) -> None:
    """A traceback that was asked for does not print variables, and secrets in its texts are masked."""
    code = (
        "import cdi_cli.pipeline.backfill as b\n"
        "def broken(opened, *rest, **more):\n"
        f"    raise ValueError('{canary.WRITE_KEY} and {canary.CLIENT_SECRET} ' + repr(opened))\n"
        "b.make_flow = broken\n"
        "from cdi_cli.__main__ import main; main()\n"
    )

    run = project.run("backfill", *WHOLE, command=(sys.executable, "-c", code), env={"CDI_TRACEBACK": "1"})

    assert run.code == 3
    assert "Traceback" in run.err
    assert "error: something unexpected happened: ValueError: **** and **** " in run.err
