"""How errors look and how the process ends: one form, redacted, harmless to a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from cdi_cli.cli import errors, output
from cdi_cli.config.problems import Problem, SettingsError
from cdi_cli.config.types import SecretReference
from cdi_cli.errors import AuthError, CdiError, ConfigError, ExitCode, LockedError, TransientError

CANARY = "canary-7d1f9b3c5e2a4860"


def printed(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code and what went to standard error; nothing may go to standard output."""
    code = errors.report(error)
    captured = capsys.readouterr()
    assert captured.out == ""
    return code, captured.err


def test_an_error_is_three_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """What, where, what to do."""
    error = AuthError("credentials were refused", where="sources.shop", hint="check `client_secret`")

    assert printed(error, capsys) == (
        3,
        "error: credentials were refused\n  --> sources.shop\n  hint: check `client_secret`\n",
    )


def test_place_and_hint_may_be_missing(capsys: pytest.CaptureFixture[str]) -> None:
    """An error that knows neither place nor hint is one line."""
    assert printed(LockedError("the checkpoint file is in use"), capsys) == (4, "error: the checkpoint file is in use\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), ExitCode.USAGE),
        (TransientError("x"), ExitCode.STOPPED),
        (LockedError("x"), ExitCode.LOCKED),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (ValueError("x"), ExitCode.STOPPED),
    ],
)
def test_each_kind_of_error_has_its_exit_code(
    error: BaseException, code: ExitCode, capsys: pytest.CaptureFixture[str]
) -> None:
    """The documented codes hold."""
    assert printed(error, capsys)[0] == code


def test_every_mistake_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Several mistakes of a file each have place, value and hint, in the order of the file; then their number."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "cdi.yaml"
    error = SettingsError(
        [
            Problem(file, 9, 3, "b.c", "second", None, "do that"),
            Problem(file, 2, 1, "a", "first", "12"),
        ]
    )

    assert printed(error, capsys) == (
        2,
        "error: first\n  --> cdi.yaml:2:1  a: `12`\n"
        "error: second\n  --> cdi.yaml:9:3  b.c\n  hint: do that\n"
        "error: 2 mistakes, nothing was started\n",
    )


def test_an_unexpected_exception_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    """A fault of ours is named without a traceback, and how to get one is told."""
    code, text = printed(ZeroDivisionError("division\nby zero"), capsys)

    assert code == 3
    assert text == (
        "error: something unexpected happened: ZeroDivisionError: division by zero\n"
        "  hint: this is a fault in cdi; run again with CDI_TRACEBACK=1 to see where, and report it\n"
    )


def test_a_traceback_comes_on_request_and_is_redacted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """CDI_TRACEBACK=1 shows where it happened, still without secrets."""
    monkeypatch.setenv("CDI_TRACEBACK", "1")
    monkeypatch.setenv("PLANTED", CANARY)
    SecretReference("${PLANTED}").resolve()
    try:
        raise ValueError(f"bad value {CANARY}")
    except ValueError as error:
        _, text = printed(error, capsys)

    assert "Traceback" in text
    assert "test_config_errors.py" in text
    assert CANARY not in text


@pytest.mark.parametrize("part", ["message", "where", "hint"])
def test_a_resolved_secret_is_masked_in_every_part(
    part: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever text a secret slipped into, it is not printed."""
    monkeypatch.setenv("PLANTED", CANARY)
    SecretReference("${PLANTED}").resolve()
    parts = {"message": "m", "where": "w", "hint": "h"} | {part: f"x {CANARY} y"}
    error = CdiError(parts["message"], where=parts["where"], hint=parts["hint"])

    _, text = printed(error, capsys)

    assert CANARY not in text
    assert "x **** y" in text


def test_control_characters_and_markup_do_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """An escape sequence, a bell, a bidirectional override and rich markup arrive as visible text."""
    error = CdiError("order \x1b[2J\x07\u202e[/oops] [link=http://x]y[/link] :bomb: \ud800")

    _, text = printed(error, capsys)

    assert text == "error: order \\x1b[2J\\x07\\u202e[/oops] [link=http://x]y[/link] :bomb: \\ud800\n"


def test_long_lines_are_not_broken() -> None:
    """A path or a command to copy stays on one line, however narrow the terminal is."""
    stream = io.StringIO()

    errors.print_error(CdiError("x" * 200, hint="y" * 200), Console(file=stream, width=40))

    assert stream.getvalue() == f"error: {'x' * 200}\n  hint: {'y' * 200}\n"


def test_data_is_printed_as_it_is(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Text for scripts is UTF-8 and unchanged."""
    output.print_text("größe [red]x[/red] 😀")

    assert capfdbinary.readouterr().out == "größe [red]x[/red] 😀\n".encode()
