"""Nothing that an expression does can stop the program, exhaust it, or make it tell two stories."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from plan_tools import an_order, completed, euro
from script_tools import expression_rule

from cdi_cli.errors import ConfigError
from cdi_cli.plan import MappingError, expressions
from cdi_cli.plan.engine import ATTEMPTS_MAX, GRACE_SECONDS, Engine, Failure, engine

SECONDS_MAX = 20.0
"""Far beyond any limit, and far below what any of these would take without one."""

posix = pytest.mark.skipif(os.name != "posix", reason="limits on memory and signals are POSIX")


@pytest.fixture
def own() -> Iterator[Engine]:
    """An engine of the test's own, so that ending its process disturbs nobody."""
    made = Engine()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("($f := function($n) { $f($n + 1) }; $f(0))", "D1012"),
        ("($f := function($n) { 1 + $f($n + 1) }; $f(0))", "D1011"),
        ("[1..1e9]", "D2014"),
        ("$count([1..1e6])", "D2015"),
        ("$map([1..9999], function($x) { $reduce([1..9999], function($a, $b) { $a + $b }) })", "D1012"),
        ("($s := $pad('', 1000000, 'x'); [$s, $s])", "size"),
    ],
)
def test_what_has_no_end_is_ended(own: Engine, expression: str, code: str) -> None:
    """Endless recursion, huge ranges and results are ended by the engine itself, and the next expression works."""
    assert own.evaluate([expression], b"{}") == [Failure(code)]
    assert own.evaluate(["1 + 1"], b"{}") == [b"2"]


@posix
@pytest.mark.parametrize(
    "expression",
    [
        "$length($pad('a', 1e12))",
        "$formatInteger(1e15, 'I')",
        "$match($pad('', 10000000, 'a'), /a/)",
        "$length($replace($pad('', 100000), ' ', $pad('', 10000000)))",
        "$length($join([1..9999].$string(), $pad('', 10000000)))",
        "[1..9999].[1..9999]",
    ],
)
def test_what_exhausts_memory_or_looks_at_no_clock_ends_its_process_only(own: Engine, expression: str) -> None:
    """What the engine does not bound ends in its own process, and the next expression works."""
    started = time.monotonic()

    (found,) = own.evaluate([expression], b"{}")

    assert isinstance(found, Failure)
    assert found.code in ("memory", "time", "D1012")
    assert time.monotonic() - started < SECONDS_MAX
    assert own.evaluate(["1 + 1"], b"{}") == [b"2"]


@pytest.mark.parametrize("pattern", ["/^(a+)+$/", "/^(a|aa)+$/", "/^(a?){60}a{60}$/", "/(x+x+)+y/"])
def test_no_pattern_is_catastrophic(own: Engine, pattern: str) -> None:
    """Patterns that take exponential time elsewhere are decided at once, in linear time."""
    (found,) = own.evaluate([f"$contains($pad('', 50000, 'a') & 'b', {pattern})"], b"{}")

    assert found in (b"true", b"false")


def test_a_process_that_does_not_answer_is_ended(own: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the engine's own limit fails, the watchdog ends the process, after as many tries as for any slow expression."""
    monkeypatch.setattr(expressions, "EVALUATION_MILLISECONDS", 0)  # the watchdog's allowance; the process keeps its own
    endless = "$map([1..9999], function($x) { $reduce([1..9999], function($a, $b) { $a + $b }) })"
    monkeypatch.setattr("cdi_cli.plan.engine.GRACE_SECONDS", 0.1)
    started = time.monotonic()

    assert own.evaluate([endless], b"{}") == [Failure("time")]
    assert ATTEMPTS_MAX * 0.1 < time.monotonic() - started < SECONDS_MAX
    assert GRACE_SECONDS > 0.1


def test_a_slow_moment_decides_nothing(own: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation that was too slow twice and is quick the third time has a result."""
    answers = [[Failure("D1012")], [Failure("D1012")], [b"7"]]
    monkeypatch.setattr(own, "_evaluate", lambda _sources, _document: answers.pop(0))

    assert own.evaluate(["x"], b"{}") == [b"7"]


@posix
def test_a_process_that_was_killed_is_started_again(own: Engine) -> None:
    """Somebody else may end the process at any time: nothing is lost, and nothing fails."""
    assert own.evaluate(["1"], b"{}") == [b"1"]
    for _ in range(3):
        assert own._process is not None
        os.kill(own._process.pid, signal.SIGKILL)

        assert own.evaluate(["a.b"], b'{"a": {"b": 2}}') == [b"2"]


@posix
def test_the_process_leaves_stopping_to_its_owner(own: Engine) -> None:
    """Ctrl-C and SIGTERM, which reach all processes at once, do not end it: what is in flight is still made."""
    assert own.evaluate(["1"], b"{}") == [b"1"]
    assert own._process is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(own._process.pid, number)

    assert own.evaluate(["2"], b"{}") == [b"2"]
    assert own._process.poll() is None


def test_the_process_ends_with_its_owner() -> None:
    """A run that is killed leaves no process behind."""
    code = (
        "import os, sys\nfrom cdi_cli.plan.engine import engine\n"
        "engine().evaluate(['1'], b'{}')\nprint(engine()._process.pid, flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    pid = int(done.stdout)

    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").is_file() and Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the process still runs")


def test_the_process_sees_no_secret(own: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets what an interpreter needs of the environment, and nothing else."""
    monkeypatch.setenv("CDI_CANARY", "canary-secret")
    seen: dict[str, str] = {}
    real = subprocess.Popen

    def noted(*arguments: object, **options: object) -> object:
        seen.update(options["env"])  # type: ignore[call-overload]
        return real(*arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", noted)

    assert own.evaluate(["1"], b"{}") == [b"1"]
    assert seen
    assert "canary-secret" not in seen.values()


def test_an_engine_that_cannot_start_is_told(own: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, or without an interpreter, a plan with scripts is refused with what to do."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ConfigError, match="cannot be started"):
        own.evaluate(["1"], b"{}")

    monkeypatch.setattr(sys, "executable", "/bin/true")
    with pytest.raises(ConfigError, match="it ends at once"):
        own.evaluate(["1"], b"{}")


def test_many_threads_get_their_own_answers(tmp_path: Path) -> None:
    """The engine's objects belong to one thread; a rule may be used from any, by several at once."""
    rule = expression_rule(tmp_path, "order.total.amount * 2")

    def made(minor: int) -> object:
        return rule.map(completed(an_order(total=euro(minor))), b"{}")

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(made, range(1, 1_000)))

    assert found == [{"a": minor * 2 / 100} if minor % 50 else {"a": minor * 2 // 100} for minor in range(1, 1_000)]


@posix
def test_a_fork_has_a_process_of_its_own() -> None:
    """A process that was forked does not read its parent's answers."""
    code = """
import os
from cdi_cli.plan.engine import engine
assert engine().evaluate(["1"], b"{}") == [b"1"]
first = engine()._process.pid
child = os.fork()
if child == 0:
    is_own = engine().evaluate(["2"], b"{}") == [b"2"] and engine()._process.pid != first
    engine().close()
    os._exit(0 if is_own else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert engine().evaluate(["3"], b"{}") == [b"3"] and engine()._process.pid == first
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_closing_ends_process_and_watchdog() -> None:
    """Nothing is left of an engine that is closed."""
    made = Engine()
    made.evaluate(["1"], b"{}")
    process = made._process
    assert process is not None

    made.close()

    assert process.poll() is not None
    watching = [thread for thread in threading.enumerate() if thread.name == "cdi-expressions" and engine()._process is None]
    for thread in watching:
        thread.join(5)
        assert not thread.is_alive()


def test_a_failure_without_end_is_told_without_a_search(tmp_path: Path) -> None:
    """What takes too long is told at the script as a whole: looking for the part would take as long again each time."""
    rule = expression_rule(tmp_path, "($f := function($n) { $f($n + 1) }; $f(0))")
    started = time.monotonic()

    with pytest.raises(MappingError, match="it takes longer than 250 ms"):
        rule.map(completed(), b"{}")
    assert time.monotonic() - started < SECONDS_MAX
