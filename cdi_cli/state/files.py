"""Files and folders of the checkpoint: private, durable, ours.

Folder 0700, files 0600 whatever the umask; SQLite gives its `-wal` and `-shm` files the mode of the main file. A folder that
others can write to is refused: they could put another file in place of ours. See "reliability", section 8, S6.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from cdi_cli.errors import StateError
from cdi_cli.state.failures import translate_os

_LOG = logging.getLogger("cdi.state")
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK_FILESYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "fuse.sshfs"})


def prepare_folder(folder: Path) -> None:
    """Make the folder if it is missing (0700); raises StateError when it belongs to, or can be written by, others."""
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(folder.parent)
        _check_owner_and_mode(folder, "folder")
    except OSError as error:
        raise translate_os(error, folder) from error
    if kind := network_filesystem(folder):
        _LOG.warning("checkpoint folder %s is on a network file system (%s): its locks may not hold", folder, kind)


def check_file(path: Path) -> None:
    """Refuse what is no regular file or is not ours alone to write; take away others' reading. Raises StateError."""
    if not path.is_file():
        raise StateError("the checkpoint path is not a regular file", where=str(path), hint="name another `state:` path")
    mode = _check_owner_and_mode(path, "file")
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        path.chmod(0o600)


def _check_owner_and_mode(path: Path, noun: str) -> int:
    status = path.stat()
    if os.name != "posix":
        return status.st_mode
    if status.st_uid != os.geteuid():
        raise StateError(
            f"the checkpoint {noun} belongs to another user (uid {status.st_uid})",
            where=str(path),
            hint="run `cdi` as that user, or name another `state:` path",
        )
    if status.st_mode & _WRITABLE_BY_OTHERS:
        raise StateError(
            f"the checkpoint {noun} can be written by other users",
            where=str(path),
            hint=f"chmod go-w {path}, or name another `state:` path",
        )
    return status.st_mode


def make_private_file(path: Path) -> None:
    """Make an empty file of mode 0600 that did not exist before; raises OSError."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0), 0o600)
    os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power loss; raises OSError. Windows has no such call and needs none."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def network_filesystem(folder: Path, mounts: Path = _MOUNTS) -> str | None:
    """The kind of network file system that a folder is on, None if it is on none or this cannot be told (not Linux)."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    best, found = "", None
    for line in lines:
        # https://docs.kernel.org/filesystems/proc.html, 3.5: field 5 is the mount point, the type follows the lone hyphen
        left, _, right = line.partition(" - ")
        point = left.split(" ")[4].replace("\\040", " ")
        if len(point) >= len(best) and folder.is_relative_to(point):
            best, found = point, right.split(" ")[0]
    return found if found in _NETWORK_FILESYSTEMS else None
