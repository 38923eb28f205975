"""`cdi plan diff` as its user meets it: two folders, a revision against the work tree, four forms, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from plan_tools import HEAD, write_plan
from typer.testing import CliRunner, Result

from cdi_cli.cli.app import app

EVENT = """\
event: Order Completed
trigger: order.completed
properties:
  order_id: {type: string, required: true, from: order.id}
  status: {type: string, enum: [Open, Complete], from: order.state}
"""
LATER = (
    EVENT.replace("required: true, ", "").replace("[Open, Complete]", "[Open]") + "  tax: {type: number, from: order.tax}\n"
)

TEXT = """\
old -> new: 1 breaking, 2 compatible

Breaking:
  Order Completed: order_id
    `order_id` became optional
    why: a reader that relies on it meets events without it
    old/events/one.yaml:4 -> new/events/one.yaml:4

Compatible:
  Order Completed: tax
    `tax` was added (optional)
    why: no reader knows it yet
    nowhere -> new/events/one.yaml:6
  Order Completed: status
    `"Complete"` is no longer allowed
    why: a reader meets nothing that it could not meet before
    old/events/one.yaml:5 -> new/events/one.yaml:5

version: a major bump is demanded, and 1.2.3 -> 1.2.3 does not make it
  hint: write `version: "2.0.0"` in new/plan.yaml:2
"""
GITHUB = """\
::error file=new/plan.yaml,line=2,col=1,title=Version bump is missing::a major bump is demanded, and 1.2.3 -> 1.2.3 does \
not make it: write `version: "2.0.0"` in new/plan.yaml:2
::warning file=new/events/one.yaml,line=4,col=3,title=Breaking%3A Order Completed%3A order_id::`order_id` became optional: \
a reader that relies on it meets events without it (was: old/events/one.yaml:4)
"""
MARKDOWN = """\
### Tracking plan: 1 breaking, 2 compatible

❌ a major bump is demanded, and 1.2.3 -> 1.2.3 does not make it: write `version: "2.0.0"` in new/plan.yaml:2

#### Breaking

- **Order Completed: order\\_id**: `order_id` became optional\x20\x20
  a reader that relies on it meets events without it (`old/events/one.yaml:4 -> new/events/one.yaml:4`)
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two plans, `old` and `new`, in which commands run."""
    monkeypatch.chdir(tmp_path)
    write_plan(tmp_path / "old", {"events/one.yaml": EVENT})
    write_plan(tmp_path / "new", {"events/one.yaml": LATER})
    return tmp_path


def diff(*arguments: str) -> Result:
    """Run `cdi plan diff`."""
    return CliRunner().invoke(app, ["plan", "diff", *arguments])


def git(*arguments: str) -> None:
    """Run git here, as nobody in particular."""
    who = {f"GIT_{role}_{field}": "test@example.org" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")}
    environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(("git", *arguments), check=True, capture_output=True, env=environment)


def test_the_whole_text() -> None:
    """Worst first, each with its reason and both places; the verdict and what makes it good at the end; exit code 1."""
    result = diff("old", "new")

    assert (result.exit_code, result.stdout, result.stderr) == (1, TEXT, "")


def test_a_bump_that_was_made(place: Path) -> None:
    """With the version that was proposed, the same changes pass with exit code 0."""
    write_plan(place / "new", {"plan.yaml": HEAD.replace("1.2.3", "2.0.0")})

    result = diff("old", "new")

    assert result.exit_code == 0
    assert result.stdout.endswith("\nversion: a major bump is demanded and 1.2.3 -> 2.0.0 makes it\n")


def test_no_changes() -> None:
    """The same plan twice is told in two lines, exit code 0."""
    result = diff("old", "old")

    assert (result.exit_code, result.stdout) == (
        0,
        "old -> old: no changes\n\nversion: no bump is demanded, 1.2.3 -> 1.2.3\n",
    )


def test_a_version_that_went_backwards(place: Path) -> None:
    """A lower version fails even where nothing else changed."""
    write_plan(place / "same", {"events/one.yaml": EVENT, "plan.yaml": HEAD.replace("1.2.3", "1.2.2")})

    result = diff("old", "same")

    assert result.exit_code == 1
    assert "the version went backwards, 1.2.3 -> 1.2.2" in result.stdout


def test_suspicions_can_be_taken_lightly(place: Path) -> None:
    """A changed mapping demands a major version, with `--lenient` a minor one."""
    later = EVENT.replace("from: order.state", "from: order.locale")
    write_plan(place / "new", {"events/one.yaml": later, "plan.yaml": HEAD.replace("1.2.3", "1.3.0")})

    assert (diff("old", "new").exit_code, diff("old", "new", "--lenient").exit_code) == (1, 0)
    assert "(suspected)" in diff("old", "new").stdout


def test_json_has_stable_keys() -> None:
    """`--format json` is one object with documented keys."""
    found = json.loads(diff("old", "new", "--format", "json").stdout)

    assert found["before"] == {"plan": "test", "version": "1.2.3", "folder": "old"}
    assert found["bump"] == {"demanded": "major", "is_made": False, "next_version": "2.0.0"}
    assert found["counts"] == {"breaking": 1, "compatible": 2, "cosmetic": 0}
    assert found["changes"][0] == {
        "kind": "became_optional",
        "level": "breaking",
        "is_suspected": False,
        "demands": "major",
        "message": "`order_id` became optional",
        "reason": "a reader that relies on it meets events without it",
        "spots": [{"event": "Order Completed", "path": "order_id"}],
        "before": {"file": "old/events/one.yaml", "line": 4, "column": 3},
        "after": {"file": "new/events/one.yaml", "line": 4, "column": 3},
    }
    assert found["changes"][1]["before"] is None


def test_annotations_for_github() -> None:
    """The missing bump is an error at the version's line, a breaking change a warning at its own, the rest are notices."""
    result = diff("old", "new", "--format", "github")

    assert result.exit_code == 1
    assert result.stdout.startswith(GITHUB)
    assert [line[:9] for line in result.stdout.splitlines()[2:]] == ["::notice ", "::notice ", "tracking "]


def test_markdown_for_a_pull_request() -> None:
    """Headings and lists, names escaped, the verdict on top."""
    assert diff("old", "new", "--format", "markdown").stdout.startswith(MARKDOWN)


def test_hostile_texts_stay_texts(place: Path) -> None:
    """Line ends and control characters of a plan reach neither a terminal nor become a command of a workflow."""
    evil = EVENT.replace("enum: [Open, Complete]", r'enum: ["\n::error::owned", "\u001b[31m", "\u202e", "`"]')
    write_plan(place / "new", {"events/one.yaml": evil})

    for form in ("text", "markdown", "github"):
        told = diff("old", "new", "--format", form).stdout
        assert not any(line.startswith("::error::") for line in told.splitlines())
        assert not {"\x1b", "\u202e"} & set(told)
        assert '`"\\u0060"`' in told


@pytest.fixture
def repository(place: Path) -> Path:
    """The folder as a repository whose `tracking_plan` was changed since its only commit."""
    write_plan(place / "tracking_plan", {"events/one.yaml": EVENT})
    git("init", "--quiet")
    git("add", "tracking_plan")
    git("commit", "--quiet", "--message", "plan")
    git("tag", "v1")
    write_plan(place / "tracking_plan", {"events/one.yaml": LATER})
    return place


@pytest.mark.parametrize(
    "arguments",
    [
        ["HEAD"],
        ["--git", "HEAD"],
        ["HEAD", "tracking_plan"],
        ["--git", "HEAD", "tracking_plan"],
        ["v1", "tracking_plan"],
        ["HEAD", "new"],
    ],
)
def test_a_revision_against_the_work_tree(repository: Path, arguments: list[str]) -> None:
    """Without a project, `./tracking_plan` is compared with how it was at the revision."""
    if "new" in arguments:
        git("add", "new")
        git("commit", "--quiet", "--message", "another")
        write_plan(repository / "new", {"events/one.yaml": LATER + "  fee: {type: number, from: order.tax}\n"})

    result = diff(*arguments)

    revision, folder = ("v1" if "v1" in arguments else "HEAD"), ("new" if "new" in arguments else "tracking_plan")
    assert result.exit_code == 1, result.stderr
    assert result.stdout.startswith(f"{revision}:{folder} -> {folder}: ")


def test_a_folder_named_like_a_revision(repository: Path) -> None:
    """A folder wins over a revision of the same name, but not with `--git`."""
    git("branch", "old")

    assert diff("old").stdout.startswith("old -> tracking_plan: ")
    assert diff("--git", "old").stdout.startswith("old:tracking_plan -> tracking_plan: ")


def test_two_revisions(repository: Path) -> None:
    """Both sides may be revisions of the plan's folder."""
    git("commit", "--quiet", "--all", "--message", "later")

    assert diff("v1", "HEAD").stdout.startswith("v1:tracking_plan -> HEAD:tracking_plan: 1 breaking")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "what should the plan be compared with?"),
        (["nope"], "there is no plan folder `tracking_plan`"),
        (["nope", "new"], "there is no folder `nope`, and git cannot look for a revision"),
        (["--git", "HEAD", "nope"], "there is no folder `nope`"),
        (["--git", "HEAD", "old", "new"], "with `--git` there is one folder to compare"),
    ],
)
def test_wrong_use(arguments: list[str], message: str) -> None:
    """What cannot be compared is named; exit code 2, nothing on standard output."""
    result = diff(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_a_plan_with_mistakes(place: Path) -> None:
    """A plan that cannot be loaded ends with code 2 and its mistakes."""
    write_plan(place / "new", {"events/one.yaml": EVENT.replace("order.id", "order.nope")})

    result = diff("old", "new")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "new/events/one.yaml:4" in result.stderr
