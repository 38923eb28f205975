"""A project in a folder and the real command run in it, against a sandbox on a thread of the test's own process.

    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as project:
        run = project.run("backfill", "--since", "2020-01-01")

Leaving the block searches everything that was printed and left behind for planted secrets and personal data (`canary`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import canary

from cdi_cli.sandbox import SandboxThread, cdi_environment, cdi_yaml

COMMAND = (sys.executable, "-m", "cdi_cli")
_NO_WAITS = "import stamina; stamina.set_testing(True, attempts={}, cap=True); from cdi_cli.__main__ import main; main()"
HASTY = (sys.executable, "-c", _NO_WAITS.format(10))
"""The command without its waits between attempts: for faults that pass."""
IMPATIENT = (sys.executable, "-c", _NO_WAITS.format(3))
"""The same with three attempts at most: for a server that never answers well."""
WHOLE = ("--since", "2020-01-01T00:00:00Z", "--rate", "100000")
SECONDS_MAX = 60


@dataclass(frozen=True)
class Run:
    """How a command ended: exit code (negative: by that signal), standard output, standard error."""

    code: int
    out: str
    err: str
    seconds: float

    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@dataclass
class CliProject:
    """See the module. `source`, `destination`, `top`, `pipeline`: further lines of these parts of `cdi.yaml`."""

    folder: Path
    sandbox: SandboxThread
    source: str = "page_size: 25"
    destination: str = "batch_events: 20"
    top: str = ""
    pipeline: str = ""
    runs: list[Run] = field(default_factory=list)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.place = self.folder / "place"
        for folder in (self.place / "tmp", self.place / "home"):
            folder.mkdir(parents=True)
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.place / "home"),
            "TMPDIR": str(self.place / "tmp"),
            **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
            **cdi_environment(self.sandbox.options),
        }
        self.write_settings()
        self.order = canary.plant(self.sandbox)

    def write_settings(self) -> None:
        """Write `cdi.yaml` as the fields say."""
        parts: list[str] = []
        for line in cdi_yaml(self.sandbox.url, self.sandbox.options).splitlines():
            parts.append(line)
            for start, more in (
                ("workspace:", self.top),
                ("    client_secret:", self.source),
                ("    write_key:", self.destination),
                ("    destinations:", self.pipeline),
            ):
                if line.startswith(start):
                    indent = " " * (len(line) - len(line.lstrip()))
                    parts += [indent + one for one in more.splitlines()]
        self.settings.write_text("\n".join(parts) + "\n", encoding="utf-8")

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.place / "cdi.yaml"

    @property
    def state(self) -> Path:
        """The checkpoint file."""
        return self.place / ".cdi" / "state.db"

    def start(self, *arguments: str, command: tuple[str, ...] = COMMAND, **changes: Any) -> subprocess.Popen[bytes]:
        """Start a command; `changes` are arguments of Popen, `env` is added to the environment (None removes a name)."""
        environment: dict[str, str] = dict(self.environment)
        given: Mapping[str, str | None] = changes.pop("env", {})
        environment |= {name: value for name, value in given.items() if value is not None}
        for name in (name for name, value in given.items() if value is None):
            environment.pop(name, None)
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen((*command, *arguments), env=environment, **({"cwd": self.place} | pipes | changes))
        self.running.append(process)
        return process

    def finish(self, process: subprocess.Popen[bytes], started: float | None = None) -> Run:
        """Wait for a started command."""
        out, err = process.communicate(timeout=SECONDS_MAX)
        seconds = time.monotonic() - started if started is not None else 0.0
        run = Run(process.returncode, (out or b"").decode(), (err or b"").decode(), seconds)
        self.runs.append(run)
        self.learn_tokens()
        return run

    def run(self, *arguments: str, **options: Any) -> Run:
        """Run a command to its end."""
        started = time.monotonic()
        return self.finish(self.start(*arguments, **options), started)

    def backfill(self, *arguments: str, **options: Any) -> Run:
        """Backfill everything that the shop holds, unpaced."""
        return self.run("backfill", *WHOLE, *arguments, **options)

    def summary(self, *arguments: str, code: int = 0, **options: Any) -> dict[str, Any]:
        """The same with `--json`: its summary, having checked the exit code and that the books close."""
        run = self.backfill("--json", *arguments, **options)
        assert run.code == code, (run.code, run.err)
        found: dict[str, Any] = run.json()
        assert found["books"] == {"close": True, "errors": []}
        return found

    def learn_tokens(self) -> None:
        """Remember the access tokens that were given out, so that they are looked for."""
        self.tokens |= set(self.sandbox.tokens._tokens)

    def files(self) -> set[str]:
        """The files that the program keeps, by their paths in the project."""
        return {str(path.relative_to(self.place)) for path in self.place.rglob("*") if path.is_file()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.communicate()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        if kind is None:
            self.learn_tokens()
            texts = [text for run in self.runs for text in (run.out, run.err)]
            assert canary.scan(self.place, texts, self.tokens, scratch=self.folder / "scan") == []


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Return once `condition()` holds; fail the test when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.01)
