"""The CI kit under `examples/ci/`: its files parse, and every `cdi` command in them runs in a repository with a plan."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdi_cli.data import data_folder

KIT = data_folder("examples") / "ci"
EVENT = Path("tracking_plan") / "events" / "order_completed.yaml"


def load(name: str) -> Any:
    """A file of the kit, parsed."""
    return yaml.safe_load((KIT / name).read_text(encoding="utf-8"))


def commands() -> Iterator[tuple[str, str]]:
    """Every shell line of the kit that calls `cdi`, with the file it stands in."""
    workflow = load("github-actions.yml")
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            yield "github-actions.yml", step.get("run", "")
    job = load("gitlab-ci.yml")["tracking-plan"]
    for line in (*job["script"], *job["after_script"]):
        yield "gitlab-ci.yml", line
    for repository in load("pre-commit-config.yaml")["repos"]:
        for hook in repository["hooks"]:
            yield "pre-commit-config.yaml", hook["entry"]


COMMANDS = [pytest.param(line, id=f"{name}: {line}") for name, line in commands() if "cdi " in line and "pip " not in line]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a plan, settings and fixtures, all committed, and `origin/main` at that commit."""
    shutil.copytree(data_folder("tracking_plan"), tmp_path / "tracking_plan")
    shutil.copytree(data_folder("examples") / "quickstart" / "fixtures", tmp_path / "fixtures")
    settings = (data_folder("examples") / "quickstart" / "cdi.yaml").read_text(encoding="utf-8")
    (tmp_path / "cdi.yaml").write_text(f"{settings}plan: ./tracking_plan\n", encoding="utf-8")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "plan")
    git(tmp_path, "update-ref", "refs/remotes/origin/main", "HEAD")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    """Run git as a user of its own, without anybody's configuration."""
    identity = {f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", **identity}
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def run(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Run a shell line as a CI system does, with `cdi` of this environment and without any secret."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "BASE": "main",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": git(folder, "rev-parse", "origin/main"),
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_kit_runs(repository: Path, line: str) -> None:
    """In a repository whose plan is right, each command ends with 0 and says nothing on standard error."""
    done = run(repository, line)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("line", [command for command in COMMANDS if "plan diff" not in str(command.values[0])])
def test_a_command_of_the_kit_finds_a_mistake(repository: Path, line: str) -> None:
    """A plan with a contradiction fails each command that validates, at its line."""
    text = (repository / EVENT).read_text(encoding="utf-8")
    changed = text.replace("    minimum: 0\n    from: order.total", "    minimum: 9\n    maximum: 1\n    from: order.total")
    (repository / EVENT).write_text(changed, encoding="utf-8")
    number = changed[: changed.index("minimum: 9")].count("\n") + 1

    done = run(repository, line.replace(" > cdi-validate.xml", ""))

    assert done.returncode == 1
    assert re.search(rf"{EVENT.as_posix()}[:,]?\"?\s?(line=)?\"?{number}", done.stdout), done.stdout


def test_a_missing_version_bump_fails_the_pull_request(repository: Path) -> None:
    """A changed plan under the same version fails the diff, a raised version does not."""
    text = (repository / EVENT).read_text(encoding="utf-8")
    (line,) = (
        step["run"] for step in load("github-actions.yml")["jobs"]["validate"]["steps"] if "diff" in step.get("run", "")
    )
    (repository / EVENT).write_text(re.sub(r"  tax: .*\n", "", text), encoding="utf-8")

    without = run(repository, line)
    head = repository / "tracking_plan" / "plan.yaml"
    head.write_text(head.read_text(encoding="utf-8").replace('"1.0.0"', '"2.0.0"'), encoding="utf-8")
    bumped = run(repository, line)

    assert (without.returncode, bumped.returncode) == (1, 0), (without.stdout, bumped.stdout)


def test_the_workflow_is_least_privileged_and_pinned() -> None:
    """The workflow may only read, and its actions are pinned to commits."""
    workflow = load("github-actions.yml")
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]

    assert workflow["permissions"] == {"contents": "read"}
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
    assert {"push", "pull_request"} == set(workflow[True])  # YAML reads `on` as true


def test_the_hook_runs_for_what_it_checks() -> None:
    """The pre-commit hook is triggered by the plan, the fixtures and the settings, and by nothing else."""
    ((hook,),) = [repository["hooks"] for repository in load("pre-commit-config.yaml")["repos"]]
    files = ["tracking_plan/events/a.yaml", "fixtures/orders.jsonl", "cdi.yaml", "src/app.py", "other/cdi.yaml"]

    assert [bool(re.search(hook["files"], name)) for name in files] == [True, True, True, False, False]
    assert hook["pass_filenames"] is False
