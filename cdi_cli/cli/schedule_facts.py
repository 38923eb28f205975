"""What a unit must know to run a sync unattended: paths, times, names, and which variables the settings read."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from cdi_cli import __version__
from cdi_cli.config.durations import duration_text, parse_option
from cdi_cli.errors import ConfigError

if TYPE_CHECKING:
    from cdi_cli.pipeline.project import Project

ENV_FILE = ".env"
LOG_FILE = "sync.log"
SHARE = 0.8
"""Of the interval, for a run to stop in order by itself; the rest is for closing it."""
MAX_SECONDS_MIN = 30
GRACE_SECONDS = 360
"""From the orderly end to the one by force: the retries of one request may last five minutes (`http.RetryPolicy`)."""
KILL_SECONDS = 60
"""From SIGTERM, at which a run saves what is in flight, to SIGKILL."""
NAME_CHARACTERS_MAX = 52
"""A Kubernetes CronJob's name may have 52 characters: its jobs' names get 11 more."""

_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Facts:
    """Paths are absolute; `max_seconds` is `--max-duration`, `hard_seconds` when a run is ended by force.

    `variables` are the environment variables that the settings file reads, sorted; `written`: folders that a run writes to,
    the checkpoint's first.
    """

    name: str
    every_seconds: int
    max_seconds: int
    hard_seconds: int
    command: str
    settings: Path
    state: Path
    user: str
    pipelines: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    written: tuple[Path, ...] = ()
    metrics: Path | None = None
    image: str = f"cdi:{__version__}"

    @property
    def folder(self) -> Path:
        """The project's folder."""
        return self.settings.parent

    @property
    def env_file(self) -> Path | None:
        """The file with the variables; None when the settings read none."""
        return self.folder / ENV_FILE if self.variables else None

    @property
    def log_file(self) -> Path:
        """Where the output of runs goes that nobody watches."""
        return self.state.parent / LOG_FILE

    @property
    def every(self) -> str:
        """The interval as it is written on the command line."""
        return duration_text(self.every_seconds)

    def arguments(self, settings: str | None = None) -> list[str]:
        """The words of the command line behind the program's name."""
        chosen = [word for name in self.pipelines for word in ("--pipeline", name)]
        return [
            "sync",
            "--config",
            settings or str(self.settings),
            *chosen,
            "--max-duration",
            duration_text(self.max_seconds),
        ]


def gather(
    project: Project, *, every: str, max_duration: str | None, command: str | None, pipelines: list[str], image: str | None
) -> Facts:
    """Everything that the units need; raises ConfigError for an interval, command or path that cannot be used."""
    settings = project.settings
    every_seconds = parse_option(every, "--every")
    if every_seconds < 10:
        raise ConfigError("`--every` must be at least 10s", hint="a sync is a process of its own: 1m is a good minimum")
    max_seconds = parse_option(max_duration, "--max-duration") if max_duration else int(every_seconds * SHARE)
    max_seconds = max(max_seconds, 1) if max_duration else max(max_seconds, MAX_SECONDS_MIN)
    chosen = tuple(project.pipeline_name(name) for name in dict.fromkeys(pipelines))
    log = settings.log.file.parent if settings.log is not None else None
    metrics = settings.metrics_file
    written = [settings.state.parent, log, metrics.parent if metrics is not None else None]
    facts = Facts(
        name=_name(settings.file.parent.name or settings.workspace, settings.workspace, chosen),
        every_seconds=every_seconds,
        max_seconds=max_seconds,
        hard_seconds=max_seconds + GRACE_SECONDS,
        command=command or _command(),
        settings=settings.file,
        state=settings.state,
        user=_user(),
        pipelines=chosen,
        variables=_variables(settings.file),
        written=tuple(dict.fromkeys(each for each in written if each is not None)),
        metrics=metrics,
        **({"image": image} if image else {}),
    )
    for text in (facts.command, facts.image, *map(str, (facts.settings, facts.state, *facts.written))):
        if any(character < " " or character == "\x7f" for character in text):
            raise ConfigError("a path holds a line break or control character", hint="rename it: no scheduler takes that")
    return facts


def warnings(facts: Facts, project: Project, *, is_elsewhere: bool) -> list[str]:
    """What a person should mend before the unit runs alone; `is_elsewhere`: it runs on a machine without this folder."""
    found = [] if is_elsewhere else _warnings_of_this_machine(facts)
    if facts.pipelines and len(facts.pipelines) < len(project.settings.pipelines):
        found.append(
            "all pipelines share one checkpoint: units that start together shut each other out; one for all is better"
        )
    if facts.max_seconds >= facts.every_seconds:
        found.append("--max-duration is not shorter than the interval: a run that uses it up makes the next one be left out")
    if "keyring:" in _text(facts.settings):
        found.append(
            "`keyring:` references need a session with a keyring, which an unattended run does not have: use variables"
        )
    return found


def _warnings_of_this_machine(facts: Facts) -> list[str]:
    found = []
    env_file = facts.env_file
    if env_file is not None and not env_file.exists():
        found.append(
            f"put {', '.join(facts.variables)} into {env_file}, as NAME='value', and: chmod 600 {quote(str(env_file))}"
        )
    elif env_file is not None and os.name == "posix" and env_file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        found.append(f"{env_file} can be read by others: chmod 600 {quote(str(env_file))}")
    if not facts.state.exists():
        found.append(
            "run `cdi backfill` (or `cdi sync --since today`) once by hand first: a first sync must be told its start"
        )
    return found


def _command() -> str:
    """The absolute path of this very installation's `cdi`."""
    beside = Path(sys.executable).absolute().with_name("cdi")
    found = str(beside) if beside.exists() else shutil.which("cdi")
    if found is None:
        raise ConfigError("the `cdi` command was not found", hint="name it: `--command /path/to/cdi`")
    return os.path.abspath(found)  # noqa: PTH100 - Path.resolve would leave the virtual environment


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "cdi"


def _name(folder: str, workspace: str, pipelines: tuple[str, ...]) -> str:
    """A name that files, systemd and Kubernetes take: `cdi-my-shop`, with the pipelines when only some run."""
    words = [_slug(folder) or _slug(workspace) or "project", *map(_slug, pipelines)]
    if words[0] == "cdi":
        words = words[1:]
    return "-".join(["cdi", *filter(None, words)])[:NAME_CHARACTERS_MAX].strip("-")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _text(settings: Path) -> str:
    return settings.read_text(encoding="utf-8", errors="replace")


def _variables(settings: Path) -> tuple[str, ...]:
    """The environment variables that a settings file reads, secret or not; comments do not count."""
    from cdi_cli.config.document import read_document

    found: set[str] = set()
    rest: list[Any] = [read_document(settings).data]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            rest += value.values()
        elif isinstance(value, list):
            rest += value
        elif isinstance(value, str):
            found |= {name for name in _VARIABLE.findall(value) if name}
    return tuple(sorted(found))
