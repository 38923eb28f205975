"""The units for Kubernetes, GitHub Actions and Airflow, read by a YAML reader or run by a stand-in for Airflow."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from schedule_tools import SETTINGS, VARIABLES, project, schedule, stub, unit

from cdi_cli import __version__
from cdi_cli.cli.schedule_templates import CRON_JOB, DAG, WORKFLOW, fill

ODD = "odd 100% $HOME 'q\" &;(ü) {{ x }} {% y %} 😀"


def cron_job(settings: Path, *arguments: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The volume claim and the CronJob."""
    claim, job = yaml.safe_load_all(unit(settings, "kubernetes", *arguments))
    return claim, job


def workflow(settings: Path) -> dict[str, Any]:
    """The workflow; YAML 1.1 takes its key `on` for true."""
    found: dict[Any, Any] = yaml.safe_load(unit(settings, "github-actions"))
    found["on"] = found.pop(True)
    return found


def test_a_cron_job_never_overlaps_and_ends(tmp_path: Path) -> None:
    """Forbid, no retries of its own, ended by force, one schedule in one zone."""
    _, job = cron_job(project(tmp_path / "shop"))

    assert (job["apiVersion"], job["kind"], job["metadata"]["name"]) == ("batch/v1", "CronJob", "cdi-shop")
    assert job["spec"]["schedule"] == "*/5 * * * *"
    assert job["spec"]["timeZone"] == "Etc/UTC"
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    spec = job["spec"]["jobTemplate"]["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 600)
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_a_cron_job_runs_the_sync_with_its_checkpoint_and_secrets(tmp_path: Path) -> None:
    """The volume is where the settings keep the checkpoint, variables come from a secret, the log goes to the pod's."""
    claim, job = cron_job(project(tmp_path / "shop"), "--image", "example.com/shop:1", "--pipeline", "main")

    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == "example.com/shop:1"
    assert container["command"] + container["args"] == [
        *("cdi", "sync", "--config", "/project/cdi.yaml", "--pipeline", "main", "--max-duration", "4m"),
        *("--log-file", "/dev/stderr"),
    ]
    assert container["envFrom"] == [{"secretRef": {"name": "cdi-shop-main"}}]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"checkpoint": "/project/.cdi", "scratch": "/tmp"}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["checkpoint"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"] == "cdi-shop-main"
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]


def test_a_cron_job_has_no_rights(tmp_path: Path) -> None:
    """What Kubernetes calls the restricted standard for pods, and a file system that cannot be written to."""
    _, job = cron_job(project(tmp_path / "shop"))

    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    inside = pod["containers"][0]["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inside == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


def test_a_checkpoint_elsewhere_keeps_its_place_in_the_pod(tmp_path: Path) -> None:
    """An absolute path outside the project is that of the volume."""
    text = SETTINGS.replace("workspace: acme", "workspace: acme\nstate: /var/lib/cdi/state.db")
    _, job = cron_job(project(tmp_path / "shop", text))

    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["volumeMounts"][0]["mountPath"] == "/var/lib/cdi"


@pytest.mark.parametrize("form", ["kubernetes", "github-actions"])
def test_a_checkpoint_beside_the_settings_is_refused(tmp_path: Path, form: str) -> None:
    """A volume there would hide the settings, a cache would carry everything."""
    text = SETTINGS.replace("workspace: acme", "workspace: acme\nstate: state.db")

    result = schedule(project(tmp_path / "shop", text), "--every", "5m", "--as", form)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "hint: give it a folder of its own" in result.stderr


def test_a_metrics_file_that_a_pod_cannot_write_is_told(tmp_path: Path) -> None:
    """Only the checkpoint's folder is a volume."""
    text = SETTINGS.replace("workspace: acme", "workspace: acme\nmetrics_file: cdi.prom")

    result = schedule(project(tmp_path / "shop", text), "--every", "5m", "--as", "kubernetes")

    assert "`metrics_file` must lie in the checkpoint's folder here (/project/.cdi)" in result.stderr


def test_a_pod_can_log_to_its_standard_error(tmp_path: Path) -> None:
    """`--log-file /dev/stderr` is a place that the log takes, also where that is a pipe."""
    code = "from pathlib import Path; from cdi_cli import logs; import logging; logs.start(Path('/dev/stderr'));" + (
        "logging.getLogger('cdi').info('hello')"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert '"message": "hello"' in done.stderr


def test_a_workflow_runs_one_at_a_time_and_ends(tmp_path: Path) -> None:
    """A concurrency group that cancels nothing, a limit for the step and a longer one for the job, few rights."""
    found = workflow(project(tmp_path / "shop"))

    assert found["on"]["schedule"] == [{"cron": "*/5 * * * *"}]
    assert "workflow_dispatch" in found["on"]
    assert found["concurrency"] == {"group": "cdi-shop", "cancel-in-progress": False}
    assert found["permissions"] == {"contents": "read"}
    job = found["jobs"]["sync"]
    sync = next(step for step in job["steps"] if step.get("name") == "Sync")
    assert (sync["timeout-minutes"], job["timeout-minutes"]) == (10, 15)
    assert sync["env"] == {name: f"${{{{ secrets.{name} }}}}" for name in VARIABLES}
    assert sync["run"] == "cdi sync --config cdi.yaml --max-duration 4m --log-file cdi-shop.log\n"


def test_a_workflow_carries_the_checkpoint_whatever_happens(tmp_path: Path) -> None:
    """It restores the newest, and saves under a key of its own even after a failure; nobody else's key begins like it."""
    steps = workflow(project(tmp_path / "shop"))["jobs"]["sync"]["steps"]

    (restore,) = [step for step in steps if step.get("uses", "").startswith("actions/cache/restore@")]
    (save,) = [step for step in steps if step.get("uses", "").startswith("actions/cache/save@")]
    assert restore["with"]["path"] == save["with"]["path"] == ".cdi"
    assert restore["with"]["key"] == save["with"]["key"]
    assert "github.run_id" in save["with"]["key"]
    assert "github.run_attempt" in save["with"]["key"]
    assert save["with"]["key"].startswith(restore["with"]["restore-keys"])
    assert not "cdi-shop-main.checkpoint-1-1".startswith(restore["with"]["restore-keys"])
    assert save["if"] == "always()"
    assert [step["run"] for step in steps if "pip" in step.get("run", "")] == [f"pip install cdi-cli=={__version__}"]


def test_a_workflow_says_plainly_what_it_is_worth(tmp_path: Path) -> None:
    """A checkpoint needs a disk that stays: the file's head and the advice say what happens without."""
    result = schedule(project(tmp_path / "shop"), "--every", "5m", "--as", "github-actions")

    head = result.stdout.partition("\nname:")[0]
    assert "only in a PRIVATE repository" in head
    assert "Caches may be dropped" in head
    assert "hint: not recommended for what must not stop" in result.stderr


def test_actions_are_named_by_commit() -> None:
    """A tag can be moved by whoever takes over the action's repository."""
    used = re.findall(r"uses: (\S+)", WORKFLOW)

    assert len(used) == 5
    assert [action for action in used if not re.fullmatch(r"actions/[\w/-]+@[0-9a-f]{40}", action)] == []


def test_a_project_inside_a_repository_is_found_from_its_root(tmp_path: Path) -> None:
    """A runner starts at the root of the checkout."""
    (tmp_path / ".git").mkdir()
    found = workflow(project(tmp_path / "my shops" / "first"))

    steps = found["jobs"]["sync"]["steps"]
    assert any("--config 'my shops/first/cdi.yaml'" in step.get("run", "") for step in steps)
    assert [step["with"]["path"] for step in steps if "cache" in step.get("uses", "")] == ["my shops/first/.cdi"] * 2


def test_a_checkpoint_outside_the_repository_is_refused(tmp_path: Path) -> None:
    """A runner has nothing but the repository."""
    text = SETTINGS.replace("workspace: acme", "workspace: acme\nstate: /var/lib/cdi/state.db")

    result = schedule(project(tmp_path / "shop", text), "--every", "5m", "--as", "github-actions")

    assert result.exit_code == 2
    assert "lies outside the repository" in result.stderr


@pytest.mark.parametrize("form", ["kubernetes", "github-actions"])
def test_odd_names_are_still_yaml(tmp_path: Path, form: str) -> None:
    """Quotes, braces and characters above U+FFFF arrive as they are."""
    (tmp_path / ".git").mkdir()
    text = SETTINGS.replace("workspace: acme", 'workspace: acme\nstate: "st\' 😀 {x}: #/state.db"')
    settings = project(tmp_path / ODD, text)

    documents = list(yaml.safe_load_all(unit(settings, form)))

    assert "st' 😀 {x}: #" in str(documents).replace("\\'", "'")


def test_an_expression_in_a_path_is_refused(tmp_path: Path) -> None:
    """GitHub would replace it by whatever it stands for."""
    (tmp_path / ".git").mkdir()

    result = schedule(project(tmp_path / "${{ secrets.X }}"), "--every", "5m", "--as", "github-actions")

    assert (result.exit_code, result.stdout) == (2, "")


class _Dag:
    """Airflow's DAG as far as the file uses it."""

    made: list[dict[str, Any]]

    def __init__(self, **options: Any) -> None:
        self.made.append(options)

    def __enter__(self) -> _Dag:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def run_dag(
    text: str, monkeypatch: pytest.MonkeyPatch, *, places: tuple[str, str] = ("airflow", "airflow.operators.bash")
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the file tells an Airflow of one version or the other: the DAG's options and the task's."""
    made: list[dict[str, Any]] = []
    dag = type("DAG", (_Dag,), {"made": made})
    for place, names in ((places[0], {"DAG": dag}), (places[1], {"BashOperator": lambda **options: made.append(options)})):
        parts = place.split(".")
        for depth in range(1, len(parts) + 1):
            name = ".".join(parts[:depth])
            if name not in sys.modules:
                monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        for each, value in names.items():
            monkeypatch.setattr(sys.modules[place], each, value, raising=False)
    exec(compile(text, "dag.py", "exec"), {})
    first, second = made
    return first, second


@pytest.mark.parametrize(
    "places",
    [("airflow", "airflow.operators.bash"), ("airflow.sdk", "airflow.providers.standard.operators.bash")],
    ids=["2", "3"],
)
def test_a_dag_never_overlaps_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: tuple[str, str]) -> None:
    """With the imports of Airflow 2 and of 3: one run at a time, nothing made up for, no retries, an end by force."""
    dag, task = run_dag(unit(project(tmp_path / "shop"), "airflow"), monkeypatch, places=places)

    assert dag["dag_id"] == "cdi-shop"
    assert dag["schedule"] == timedelta(minutes=5)
    assert (dag["max_active_runs"], dag["catchup"]) == (1, False)
    assert dag["start_date"].tzinfo is not None
    assert (task["retries"], task["execution_timeout"]) == (0, timedelta(seconds=600))


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1), (3, 3), (4, 99)])
def test_a_task_runs_the_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, expected: int) -> None:
    """From an odd folder, with its variables; an overlap ends with the code that Airflow shows as skipped."""
    settings = project(tmp_path / ODD)
    program = stub(tmp_path, code)
    _, task = run_dag(unit(settings, "airflow", "--command", str(program)), monkeypatch)
    command = task["bash_command"]
    assert command.startswith("{% raw %}")
    assert command.endswith("{% endraw %}")

    done = subprocess.run(
        ["bash", "-c", command.removeprefix("{% raw %}").removesuffix("{% endraw %}")],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (expected, "stub: talking\n", "stub: complaining\n")
    assert program.with_name("cdi.words").read_text().splitlines() == [
        *("sync", "--config", str(settings), "--max-duration", "4m")
    ]
    environment = program.with_name("cdi.env").read_text().splitlines()
    assert {f"{name}={value}" for name, value in VARIABLES.items()} <= set(environment)


@pytest.mark.parametrize("end", ["{% endraw %}", "{%- endraw -%}", "{%endraw%}"])
def test_a_path_that_ends_the_raw_block_is_refused(tmp_path: Path, end: str) -> None:
    """What follows it would be a template."""
    result = schedule(project(tmp_path / (end + "{{ x }}")), "--every", "5m", "--as", "airflow")

    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("template", [CRON_JOB, WORKFLOW, DAG])
def test_no_blank_is_left_open(template: str) -> None:
    """A template with a blank that nobody fills is an error, not a unit with a hole."""
    with pytest.raises(KeyError):
        fill(template, name="x")
