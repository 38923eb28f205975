"""A plan as it was at a git revision: its files are read out of the repository into a folder of their own.

The work tree and the index are not touched, and nothing that the repository's files say is run: `git ls-tree` names the
blobs, `git cat-file` gives their bytes, no filter is run and no archive unpacked. What a revision holds is untrusted: only
regular files at the places where a plan has files are taken, their number and size are bounded, a symbolic link is refused.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cdi_cli.errors import ConfigError
from cdi_cli.plan.load import FILES_MAX
from cdi_cli.plan.yaml_nodes import FILE_BYTES_MAX

SECONDS_MAX = 60
TOTAL_BYTES_MAX = 50_000_000
_FILE = re.compile(r"plan\.yaml|[a-z_]{1,40}/[^/\x00-\x1f\x7f\\]{1,200}\.(ya?ml|jsonata)")
_OWN_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
"""Set by git for its hooks: they would make `-C folder` look at another place than the folder."""


@dataclass(frozen=True, slots=True)
class _Blob:
    """A file of a revision: its object, its size in bytes, its path below the plan's folder."""

    oid: str
    size: int
    path: str


@contextmanager
def revision_folder(revision: str, folder: Path) -> Iterator[tuple[Path, str]]:
    """The plan of `folder` as it was at a revision: a temporary copy, and the path of the folder inside the repository.

    Raises ConfigError where git, the repository, the revision or the plan in it cannot be found or read.
    """
    repository = _Repository(folder)
    commit = repository.commit(revision)
    prefix = repository.prefix()
    blobs = repository.blobs(commit, prefix, revision)
    with TemporaryDirectory(prefix="cdi-plan-") as place:
        for blob, content in zip(blobs, repository.contents(blobs), strict=True):
            path = Path(place) / blob.path
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        yield Path(place), prefix.rstrip("/")


class _Repository:
    """The git repository that a folder is in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        program = shutil.which("git")
        if program is None:
            raise ConfigError("`git` is not installed, or not on the PATH", hint="name two folders instead of a revision")
        self._program = program

    def commit(self, revision: str) -> str:
        """The id of the commit that a revision names."""
        # A revision that begins with a hyphen would be read as an option.
        name = f"{revision}^{{commit}}"
        done = self._run("rev-parse", "--verify", "--quiet", name) if revision and revision[0] != "-" else None
        if done is None or done.returncode != 0:
            asked = self._run("rev-parse", "--git-dir")
            if asked.returncode != 0:
                raise ConfigError(
                    f"there is no folder `{revision}`, and git cannot look for a revision: {_said(asked)}",
                    where=str(self._folder),
                    hint="name two folders, or a revision of the repository that the plan is in",
                )
            raise ConfigError(
                f"there is no folder and no git revision `{revision}`",
                where=str(self._folder),
                hint="a shallow clone lacks older revisions: fetch it first, for example `git fetch --depth 1 origin main`",
            )
        return done.stdout.decode("ascii", "replace").strip()

    def prefix(self) -> str:
        """The path of the folder inside the repository, "" for its root, else with a slash at its end."""
        return self._run_or_raise("rev-parse", "--show-prefix").decode("utf-8", "surrogateescape").rstrip("\n")

    def blobs(self, commit: str, prefix: str, revision: str) -> list[_Blob]:
        """The plan's files at a commit."""
        listed = self._run_or_raise("ls-tree", "-r", "-z", "-l", "--full-tree", commit, *(["--", prefix] if prefix else []))
        blobs = [blob for line in listed.split(b"\0") if line and (blob := _blob(line, prefix, revision)) is not None]
        if not any(blob.path == "plan.yaml" for blob in blobs):
            raise ConfigError(
                f"at `{revision}` there is no plan in `{prefix.rstrip('/') or '.'}`",
                where=str(self._folder),
                hint="was it in another folder then? Check that one out beside it and compare two folders",
            )
        if len(blobs) > FILES_MAX or sum(blob.size for blob in blobs) > TOTAL_BYTES_MAX:
            raise ConfigError(f"the plan at `{revision}` has too many files, or too large ones", where=str(self._folder))
        return blobs

    def contents(self, blobs: list[_Blob]) -> Iterator[bytes]:
        """The bytes of each file, in the same order."""
        asked = "".join(f"{blob.oid}\n" for blob in blobs).encode()
        answer = self._run_or_raise("cat-file", "--batch", given=asked)
        position = 0
        for blob in blobs:
            head, _, _ = answer[position : position + 200].partition(b"\n")
            if head != f"{blob.oid} blob {blob.size}".encode():
                raise ConfigError(f"git cannot read the file `{blob.path}`", where=str(self._folder))
            start = position + len(head) + 1
            yield answer[start : start + blob.size]
            position = start + blob.size + 1

    def _run_or_raise(self, *arguments: str, given: bytes = b"") -> bytes:
        done = self._run(*arguments, given=given)
        if done.returncode != 0:
            raise ConfigError(f"git cannot read the revision: {_said(done)}", where=str(self._folder))
        return done.stdout

    def _run(self, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        environment = {name: value for name, value in os.environ.items() if name not in _OWN_VARIABLES}
        environment |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
        command = (self._program, "--no-pager", "--literal-pathspecs", "-C", str(self._folder), *arguments)
        try:
            return subprocess.run(  # noqa: S603 - no shell; the revision is one argument and never an option
                command, input=given, capture_output=True, check=False, env=environment, timeout=SECONDS_MAX
            )
        except subprocess.TimeoutExpired:
            raise ConfigError(f"git did not answer within {SECONDS_MAX} seconds", where=str(self._folder)) from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    """What git said on its way out, in one line."""
    return done.stderr.decode("utf-8", "replace").strip().partition("\n")[0][:300] or f"it ended with {done.returncode}"


def _blob(line: bytes, prefix: str, revision: str) -> _Blob | None:
    """The file that a line of `ls-tree` names, None for one that is no part of a plan."""
    head, _, name = line.partition(b"\t")
    path = name.decode("utf-8", "surrogateescape").removeprefix(prefix)
    if _FILE.fullmatch(path) is None:
        return None
    mode, _, oid, size = head.decode("ascii").split()
    if mode not in ("100644", "100755"):
        raise ConfigError(
            f"at `{revision}` the plan's file `{path}` is no regular file", hint="a plan has no symbolic links"
        )
    if int(size) > FILE_BYTES_MAX:
        raise ConfigError(f"at `{revision}` the plan's file `{path}` is larger than {FILE_BYTES_MAX:,} bytes")
    return _Blob(oid, int(size), path)
