"""A project in a folder with an odd name, `cdi schedule` run in it, and a cron that does what crontab(5) says.

The cron is written from the manual, not from our writer: five fields, then the command; an unescaped `%` ends it and begins
its standard input, `\\%` is a percent sign; the shell is /bin/sh with almost no environment; whatever it prints is mailed.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner, Result

from cdi_cli.cli.app import app

SETTINGS = """\
workspace: acme
sources:
  shop:
    type: commercetools
    project_key: ${SHOP_PROJECT}  # not ${THIS_ONE}
    api_url: http://127.0.0.1:9/api
    auth_url: http://127.0.0.1:9/auth
    client_id: someone
    client_secret: ${SHOP_SECRET}
destinations:
  segment: {type: segment, endpoint: "http://127.0.0.1:9/segment", write_key: "${SEGMENT_KEY}"}
pipelines:
  main: {source: shop, destinations: [segment]}
  other: {source: shop, destinations: [segment]}
"""
VARIABLES = {"SHOP_PROJECT": "my-shop", "SHOP_SECRET": "it's 100% $ecret", "SEGMENT_KEY": "key"}
ENV_FILE = "SHOP_PROJECT='my-shop'\nSHOP_SECRET=\"it's 100% \\$ecret\"\nSEGMENT_KEY='key'\n"
STUB = """\
#!/bin/sh
printf '%s\\n' "$@" >"$0.words"
env >"$0.env"
echo "stub: talking"
echo "stub: complaining" >&2
exit $(cat "$0.code")
"""
FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
BYTES_MAX = 998


def project(folder: Path, text: str = SETTINGS, *, env_file: bool = True) -> Path:
    """A project in a new folder, with its variables beside it; returns the settings file."""
    folder.mkdir(parents=True)
    (folder / "cdi.yaml").write_text(text, encoding="utf-8")
    if env_file:
        (folder / ".env").write_text(ENV_FILE, encoding="utf-8")
        (folder / ".env").chmod(0o600)
    return folder / "cdi.yaml"


def stub(folder: Path, code: int = 0) -> Path:
    """A program in the place of `cdi` that notes its words and its environment, and ends with a code."""
    path = folder / "bin dir" / "cdi"
    path.parent.mkdir(exist_ok=True)
    path.write_text(STUB, encoding="utf-8")
    path.chmod(0o755)
    path.with_name("cdi.code").write_text(str(code))
    return path


def schedule(settings: Path, *arguments: str, **environment: str) -> Result:
    """`cdi schedule` for these settings."""
    return CliRunner().invoke(
        app, ["schedule", "--config", str(settings), *arguments], env={**VARIABLES, **environment}, prog_name="cdi"
    )


def unit(settings: Path, form: str, *arguments: str) -> str:
    """The unit that it prints; fails the test where it prints none."""
    result = schedule(settings, "--every", "5m", "--as", form, *arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


@dataclass(frozen=True)
class Entry:
    """One entry of a crontab: its times, the command as sh gets it, and its standard input."""

    times: str
    command: str
    stdin: str


def crontab(text: str) -> list[Entry]:
    """The entries of a crontab; raises ValueError for what cron would refuse, drop, or take for something else."""
    entries = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if re.match(r"\s*\w+\s*=", line):
            raise ValueError(f"sets a variable for all entries below it: {line}")
        parts = line.split(None, 5)
        if len(parts) != 6 or len(parts[5].encode()) > BYTES_MAX:
            raise ValueError(f"no entry, or one too long: {line[:80]}")
        for field, (least, most) in zip(parts[:5], FIELDS, strict=True):
            match = re.fullmatch(r"\*(?:/(\d+))?|(\d+)", field)
            if match is None or not least <= int(match.group(2) or least) <= most or int(match.group(1) or 1) > most:
                raise ValueError(f"no time: {field}")
        command, *stdin = re.split(r"(?<!\\)%", parts[5])
        entries.append(Entry(" ".join(parts[:5]), command.replace("\\%", "%"), "\n".join(stdin).replace("\\%", "%")))
    if not text.endswith("\n"):
        raise ValueError("the last line does not end: cron would leave it out")
    return entries


def run_as_cron(entry: Entry, home: Path) -> tuple[int, str]:
    """Run an entry as cron does; its exit code, and the mail that its owner gets (empty: none)."""
    home.mkdir(exist_ok=True)
    environment = {"HOME": str(home), "LOGNAME": "someone", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["/bin/sh", "-c", entry.command],
        cwd=home,
        env=environment,
        input=entry.stdin.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
        umask=0o022 if os.name == "posix" else -1,
    )
    return done.returncode, done.stdout.decode()
