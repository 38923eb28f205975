"""A plan at a git revision: read without touching the work tree, and without trusting what the revision holds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from plan_tools import HEAD, write_plan

from cdi_cli.errors import ConfigError
from cdi_cli.plan import PlanError
from cdi_cli.plan.diff_git import revision_folder
from cdi_cli.plan.diff_sides import open_side

EVENT = "event: Order Completed\ntrigger: order.completed\nproperties:\n  order_id: {type: string, from: order.id}\n"


def git(folder: Path, *arguments: str, given: bytes = b"") -> str:
    """Run git in a folder, as nobody in particular."""
    who = {f"GIT_{role}_{field}": "test@example.org" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")}
    environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ("git", "-c", "init.defaultBranch=main", "-C", str(folder), *arguments)
    return subprocess.run(command, check=True, capture_output=True, env=environment, input=given).stdout.decode().strip()


def commit(folder: Path) -> str:
    """Commit everything; returns the commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "change")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a committed plan in `shop/plan`, changed in the work tree since."""
    folder = tmp_path / "repository"
    write_plan(folder / "shop" / "plan", {"events/one.yaml": EVENT, "README.md": "text", "events/deep/er.yaml": "x"})
    git(folder, "init", "--quiet")
    commit(folder)
    write_plan(folder / "shop" / "plan", {"plan.yaml": HEAD.replace("1.2.3", "1.3.0")})
    return folder


def test_the_revision_is_read_and_the_work_tree_is_left_alone(repository: Path) -> None:
    """The committed files of the plan are there, no others; the work tree and the index are as they were."""
    before = git(repository, "status", "--porcelain")

    with revision_folder("HEAD", repository / "shop" / "plan") as (place, inside):
        files = {str(path.relative_to(place)): path.read_text() for path in place.rglob("*") if path.is_file()}

    assert (files, inside) == ({"plan.yaml": HEAD, "events/one.yaml": EVENT}, "shop/plan")
    assert git(repository, "status", "--porcelain") == before
    assert not place.exists()


def test_a_plan_at_the_root_of_a_repository(tmp_path: Path) -> None:
    """The plan may be the whole repository."""
    write_plan(tmp_path, {"events/one.yaml": EVENT})
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)

    with open_side("main", tmp_path) as side:
        assert (side.plan.version, side.where(side.plan.events[0].place)) == ("1.2.3", "main:./events/one.yaml:1")


@pytest.mark.parametrize("hook", [{"GIT_DIR": ".git"}, {"GIT_INDEX_FILE": ".git/index"}, {"GIT_WORK_TREE": "/"}])
def test_inside_a_hook(repository: Path, monkeypatch: pytest.MonkeyPatch, hook: dict[str, str]) -> None:
    """What git sets for its hooks does not mislead: the folder decides which repository is meant."""
    monkeypatch.chdir(repository)
    for name, value in hook.items():
        monkeypatch.setenv(name, value)

    with open_side("HEAD", repository / "shop" / "plan") as side:
        assert side.plan.version == "1.2.3"


@pytest.mark.parametrize("revision", ["nope", "--output=/dev/null", "-h", "", "HEAD:shop", "HEAD~7", "a\nb", "\u202e"])
def test_what_is_no_revision(repository: Path, revision: str) -> None:
    """A name that git does not know, or that looks like an option, is refused with a hint."""
    with pytest.raises(ConfigError, match="there is no folder and no git revision") as caught:
        revision_folder(revision, repository / "shop" / "plan").__enter__()

    assert "shallow" in (caught.value.hint or "")


def test_outside_of_a_repository(tmp_path: Path) -> None:
    """The message says that git found no repository."""
    write_plan(tmp_path, {"events/one.yaml": EVENT})

    with pytest.raises(ConfigError, match="not a git repository"):
        revision_folder("HEAD", tmp_path).__enter__()


def test_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where git is not installed, the message says so."""
    monkeypatch.setenv("PATH", str(repository))

    with pytest.raises(ConfigError, match="`git` is not installed"):
        revision_folder("HEAD", repository).__enter__()


def test_a_revision_without_the_plan(repository: Path) -> None:
    """A revision in which the folder is not there is named."""
    write_plan(repository / "other", {"events/one.yaml": EVENT})

    with pytest.raises(ConfigError, match="at `HEAD` there is no plan in `other`"):
        revision_folder("HEAD", repository / "other").__enter__()


def test_a_symbolic_link_is_refused(repository: Path) -> None:
    """A link in a revision could lead anywhere; it is not followed."""
    (repository / "shop" / "plan" / "events" / "two.yaml").symlink_to("/etc/hostname")
    commit(repository)

    with pytest.raises(ConfigError, match=r"`events/two.yaml` is no regular file"):
        revision_folder("HEAD", repository / "shop" / "plan").__enter__()


def test_a_large_file_is_refused(repository: Path) -> None:
    """A file above the limit of plan files is not even read."""
    (repository / "shop" / "plan" / "events" / "two.yaml").write_text("#" * 1_000_001)
    commit(repository)

    with pytest.raises(ConfigError, match=r"`events/two.yaml` is larger than 1,000,000 bytes"):
        revision_folder("HEAD", repository / "shop" / "plan").__enter__()


def test_a_hostile_tree_writes_nowhere_else(tmp_path: Path) -> None:
    """Names like `..` in a hand-made tree never become paths of the copy."""
    write_plan(tmp_path, {"events/one.yaml": EVENT})
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    blob = git(tmp_path, "hash-object", "-w", "--stdin", given=b"stolen: true\n")
    up = git(tmp_path, "mktree", given=f"100644 blob {blob}\tout.yaml\n".encode())
    root = git(tmp_path, "cat-file", "-p", "HEAD^{tree}")
    raw = bytearray()
    for line in [*root.splitlines(), f"040000 tree {up}\t.."]:
        mode, _, rest = line.partition(" ")
        _, oid, name = rest.replace("\t", " ").split(" ")
        raw += f"{mode.lstrip('0')} {name}".encode() + b"\0" + bytes.fromhex(oid)
    tree = git(tmp_path, "hash-object", "-w", "-t", "tree", "--literally", "--stdin", given=bytes(raw))
    evil = git(tmp_path, "commit-tree", tree, "-m", "evil")

    with revision_folder(evil, tmp_path) as (place, _):
        assert sorted(path.name for path in place.rglob("*.yaml")) == ["one.yaml", "plan.yaml"]
        assert not (place.parent / "out.yaml").exists()


def test_mistakes_of_a_revision_are_placed_there(repository: Path) -> None:
    """A plan with mistakes at a revision is reported with the revision's own paths, not with those of a copy."""
    write_plan(repository / "shop" / "plan", {"events/one.yaml": EVENT.replace("order.id", "order.nope")})
    commit(repository)

    with pytest.raises(PlanError) as caught:
        open_side("HEAD", repository / "shop" / "plan").__enter__()

    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("HEAD:shop/plan/events/one.yaml", 4)
