"""Units for schedulers elsewhere: a Kubernetes CronJob, a GitHub Actions workflow, an Airflow DAG. Pure: facts in, text out.

Every text that comes from outside is written as a JSON string, which YAML reads as it is.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path, PurePosixPath
from shlex import quote

from cdi_cli import __version__
from cdi_cli.cli.schedule_facts import KILL_SECONDS, Facts
from cdi_cli.cli.schedule_interval import MINUTE, cron_expression
from cdi_cli.cli.schedule_templates import CRON_JOB, DAG, WORKFLOW, fill
from cdi_cli.cli.schedule_units import Unit
from cdi_cli.errors import ConfigError

IMAGE_FOLDER = PurePosixPath("/project")
_END_OF_RAW = re.compile(r"\{%[-+]?\s*endraw")
GITHUB_SECONDS_MIN = 5 * MINUTE
"""GitHub starts scheduled workflows every five minutes at the most, and late when it is busy."""


def kubernetes(facts: Facts) -> Unit:
    """A CronJob that never overlaps, with a volume for the checkpoint; the pod's log keeps the output.

    The image holds `cdi` and the project's folder. Its file system is read-only: only the checkpoint's folder is a volume.
    """
    settings = IMAGE_FOLDER / facts.settings.name
    state = _in_image(facts.state.parent, facts.folder)
    if state == IMAGE_FOLDER:
        raise ConfigError(
            "the checkpoint lies in the project's own folder, where a volume would hide the settings",
            hint="give it a folder of its own: `state: .cdi/state.db`",
        )
    arguments = [*facts.arguments(str(settings)), "--log-file", "/dev/stderr"]
    env = f"\n              envFrom: [{{secretRef: {{name: {facts.name}}}}}]" if facts.variables else ""
    text = fill(
        CRON_JOB,
        name=facts.name,
        every=facts.every,
        cron=cron_expression(facts.every_seconds),
        starting_seconds=max(facts.every_seconds, MINUTE),
        hard_seconds=facts.hard_seconds,
        kill_seconds=KILL_SECONDS,
        image=_yaml(facts.image),
        command=_yaml(facts.command),
        arguments=_yaml(arguments),
        env=env,
        state=_yaml(str(state)),
    )
    secret = (
        f"kubectl create secret generic {facts.name} --from-env-file=.env "
        "(here values stand without quotes: kubectl would keep them)",
    )
    advice = (
        f"build an image `{facts.image}` with cdi and the project's folder as {IMAGE_FOLDER}, or name yours with `--image`",
        *(secret if facts.variables else ()),
        f"kubectl apply -f {facts.name}.yaml; run it now: kubectl create job --from=cronjob/{facts.name} {facts.name}-now",
        "make the first backfill in a job of the same volume: the checkpoint must be there before the first sync",
    )
    if facts.metrics is not None and not facts.metrics.is_relative_to(facts.state.parent):
        advice = (
            *advice,
            f"`metrics_file` must lie in the checkpoint's folder here ({state}): the rest cannot be written to",
        )
    return Unit({f"{facts.name}.yaml": text}, advice)


def github_actions(facts: Facts) -> Unit:
    """A workflow that carries the checkpoint from run to run in the cache, which says plainly what that is worth."""
    root = _repository(facts.folder)
    settings = facts.settings.relative_to(root).as_posix()
    if not facts.state.is_relative_to(root):
        raise ConfigError(
            f"the checkpoint {facts.state} lies outside the repository {root}",
            hint="a runner has nothing but the repository: keep the checkpoint below it, or use another scheduler",
        )
    state = facts.state.parent.relative_to(root).as_posix()
    if state == ".":
        raise ConfigError(
            "the checkpoint lies in the repository's own folder: the cache would carry the whole checkout",
            hint="give it a folder of its own: `state: .cdi/state.db`",
        )
    words = " ".join(map(quote, ["cdi", *facts.arguments(settings)]))
    if "${{" in words + state:
        raise ConfigError("a path holds `${{`, which GitHub would take for an expression", hint="rename it")
    minutes = math.ceil(facts.hard_seconds / MINUTE)
    lines = "\n".join(f"          {name}: ${{{{ secrets.{name} }}}}" for name in facts.variables)
    env = f"\n        env:\n{lines}" if lines else ""
    text = fill(
        WORKFLOW,
        name=facts.name,
        version=__version__,
        every=facts.every,
        cron=cron_expression(facts.every_seconds, seconds_min=GITHUB_SECONDS_MIN),
        minutes=minutes,
        job_minutes=minutes + 5,
        env=env,
        state=_yaml(state),
        words=words,
    )
    advice = (
        "not recommended for what must not stop: the checkpoint lives in a cache that may be dropped, see the file's head",
        "only in a private repository: whoever can read the repository can read the checkpoint",
        f"copy it to .github/workflows/{facts.name}.yml",
        *((f"make these secrets of the repository: {', '.join(facts.variables)}",) if facts.variables else ()),
    )
    return Unit({f"{facts.name}.yml": text}, advice)


def airflow(facts: Facts) -> Unit:
    """A DAG of one task for a worker that has this very folder; Airflow 2.4 and later, and 3."""
    words = " ".join(map(quote, [facts.command, *facts.arguments()]))
    load = f"set -a && . {quote(str(facts.env_file))} && set +a && " if facts.env_file is not None else ""
    # 99 is the exit code that a BashOperator takes for "skipped"; the words are kept from Jinja, which every command passes.
    command = f"{load}{{ {words}; c=$?; [ $c -ne 4 ] || c=99; exit $c; }}"
    if _END_OF_RAW.search(command):
        raise ConfigError("a path holds `{% endraw`, which Airflow cannot take", hint="rename the folder")
    text = fill(
        DAG,
        name=facts.name,
        every=facts.every,
        every_seconds=facts.every_seconds,
        hard_seconds=facts.hard_seconds,
        command=repr(command),
    )
    advice = (
        f"copy it into the DAGs folder; the worker must have {facts.folder} and `{facts.command}`, always the same worker",
        "the output is in the task's log; Airflow's own retries are off, since the next run goes on where this one stopped",
    )
    return Unit({f"{facts.name.replace('-', '_')}.py": text}, advice)


def _yaml(value: str | list[str]) -> str:
    """A text or list on one line; JSON is YAML, as long as no character above U+FFFF is cut into two escapes."""
    return json.dumps(value, ensure_ascii=False)


def _in_image(path: Path, folder: Path) -> PurePosixPath:
    """Where a path of the project is inside the image; a path elsewhere stays as it is."""
    if path.is_relative_to(folder):
        return IMAGE_FOLDER / path.relative_to(folder).as_posix()
    return PurePosixPath(path.as_posix())


def _repository(folder: Path) -> Path:
    """The repository that a folder is in; the folder itself when it is in none."""
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)
