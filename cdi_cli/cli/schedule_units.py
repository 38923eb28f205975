"""Units for one machine: a crontab line, a systemd service with its timer. Pure: facts in, text out.

Neither takes a lock of its own. The checkpoint's lock belongs to the kernel and goes with the process, however it ends; a
lock file beside it could only go stale. A run that finds it taken ends with code 4, which is no failure here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath
from shlex import quote

from cdi_cli.cli.schedule_facts import KILL_SECONDS, Facts
from cdi_cli.cli.schedule_interval import cron_expression, timer_lines
from cdi_cli.config.durations import duration_text
from cdi_cli.errors import ConfigError

CRON_CHARACTERS_MAX = 998
"""Vixie cron, as Debian has it, reads a command into 1,000 bytes (`MAX_COMMAND` in its cron.h) and drops longer lines."""
TAIL_LINES = 20
_SYSTEMD_PATH_REFUSED = frozenset("*?[]{}\\\"'")
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - these are looked for, not written to


_HARDENING = (
    "PrivateDevices=true",
    "ProtectClock=true",
    "ProtectControlGroups=true",
    "ProtectHostname=true",
    "ProtectKernelLogs=true",
    "ProtectKernelModules=true",
    "ProtectKernelTunables=true",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces=true",
    "RestrictRealtime=true",
    "RestrictSUIDSGID=true",
    "LockPersonality=true",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
)
"""What a program that reads files and speaks HTTPS never needs (systemd.exec(5))."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Files by name, in the order in which they are shown, and what to do with them."""

    files: dict[str, str]
    advice: tuple[str, ...]


def cron(facts: Facts) -> Unit:
    """A crontab line: silent (so that cron mails nothing) unless a run fails or makes new dead letters.

    Cron's shell has no profile, no PATH worth the name and no variables: program and folder are absolute, the variables come
    from a file. In a crontab `%` ends the command, so it is escaped.
    """
    log = _from_folder(facts.log_file, facts.folder)
    steps = [f"cd {quote(str(facts.folder))}", "umask 077", f"mkdir -p {_from_folder(facts.state.parent, facts.folder)}"]
    if facts.env_file is not None:
        steps += ["set -a", f". {_from_folder(facts.env_file, facts.folder)}", "set +a"]
    words = " ".join(map(quote, [facts.command, *facts.arguments(facts.settings.name)]))
    run = f"timeout -k {KILL_SECONDS} {facts.hard_seconds} {words} >>{log} 2>&1"
    tell = f'echo "cdi sync ended with code $c, the end of its log:"; tail -n {TAIL_LINES} {log}'
    command = " && ".join(steps) + f" && {{ {run}; c=$?; case $c in 0|4) ;; *) {tell};; esac; exit $c; }}"
    command = command.replace("%", "\\%")
    if len(command.encode()) > CRON_CHARACTERS_MAX:
        raise ConfigError(
            f"the command has {len(command.encode()):,} bytes, some crons drop a line of more than {CRON_CHARACTERS_MAX}",
            hint="use shorter paths, or `--as systemd`",
        )
    text = (
        f"# {facts.name}: send what changed, every {facts.every}. A run stops by itself after "
        f"{duration_text(facts.max_seconds)}, by force after {duration_text(facts.hard_seconds)}.\n"
        f"{cron_expression(facts.every_seconds)} {command}\n"
    )
    advice = (
        "add the line with `crontab -e`, as the user who may read the settings",
        "cron mails only failures and new dead letters, to the MAILTO=... above the line; exit code 4 (overlap) is quiet",
        f"rotate {facts.log_file}: {{ weekly, rotate 8, compress, missingok, notifempty }} in /etc/logrotate.d/{facts.name}",
        "`timeout` is part of coreutils (on macOS: brew install coreutils)",
    )
    return Unit({f"{facts.name}.cron": text}, advice)


def _from_folder(path: Path, folder: Path) -> str:
    """A path as the shell is given it after `cd folder`; one outside stays absolute."""
    return quote(f"./{path.relative_to(folder)}" if path.is_relative_to(folder) else str(path))


def systemd(facts: Facts) -> Unit:
    """A service of type oneshot, hardened, and its timer; the journal keeps the output.

    `RuntimeMaxSec=` does not reach a oneshot service (systemd.service(5)), `TimeoutStartSec=` does.
    """
    service, timer = f"{facts.name}.service", f"{facts.name}.timer"
    command = " ".join(map(_exec_word, [facts.command, *facts.arguments()]))
    places = " ".join(_word(str(path)) for path in facts.written)
    is_hidden = any(path.is_relative_to(each) for path in (facts.folder, *facts.written) for each in _TEMPORARY)
    env = [f"EnvironmentFile={_path(facts.env_file)}"] if facts.env_file is not None else []
    lines = [
        "[Unit]",
        f"Description=Send what changed ({facts.name})",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        f"User={facts.user}",
        f"WorkingDirectory={_path(facts.folder)}",
        *env,
        f"ExecStart={command}",
        "# 4: another run holds the checkpoint; 143: asked to stop, everything saved",
        "SuccessExitStatus=4 143",
        f"TimeoutStartSec={facts.hard_seconds}",
        f"TimeoutStopSec={KILL_SECONDS}",
        "StandardOutput=journal",
        "StandardError=journal",
        "UMask=0077",
        "NoNewPrivileges=true",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        f"ReadWritePaths={places}",
        *([] if is_hidden else ["PrivateTmp=true"]),
        *_HARDENING,
    ]
    timer_text = [
        "[Unit]",
        f"Description=Every {facts.every}: {service}",
        "",
        "[Timer]",
        *timer_lines(facts.every_seconds),
        "AccuracySec=1s",
        f"Unit={service}",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    advice = (
        f"copy both to /etc/systemd/system, then: systemctl daemon-reload && systemctl enable --now {timer}",
        f"see it: systemctl list-timers {timer}; its log: journalctl -u {service}; run it now: systemctl start {service}",
        f"the service runs as `{facts.user}`, who must own {' and '.join(map(str, facts.written))}"
        + (" (better not as root: change `User=`)" if facts.user == "root" else ""),
    )
    missing = tuple(
        f"make the folder first: mkdir -p -m 700 {quote(str(each))}" for each in facts.written if not each.is_dir()
    )
    return Unit({service: "\n".join(lines) + "\n", timer: "\n".join(timer_text) + "\n"}, (*missing, *advice))


def _path(path: PurePath) -> str:
    """A path as a whole value: taken as it is, but for specifiers (`%`); an EnvironmentFile's is a pattern, too."""
    text = str(path)
    if set(text) & _SYSTEMD_PATH_REFUSED or text != text.strip():
        raise ConfigError(
            f"systemd cannot take the path `{text}`", hint="rename the folder: no quotes, backslashes or wildcards"
        )
    return text.replace("%", "%%")


def _word(text: str) -> str:
    """One word of a list (systemd.syntax(7), "Quoting")."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'


def _exec_word(text: str) -> str:
    """One word of a command line, where `$` stands for a variable, too."""
    word = _word(text).replace("$", "$$")
    return word if set(text) - _PLAIN else text


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:")
