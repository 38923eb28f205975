"""Intervals as schedulers take them: a cron expression, a systemd timer.

Cron knows no intervals, only marks on the clock: `*/7` means minutes 0, 7, ..., 56 and then 0 again, four minutes later. So
only intervals are taken that divide an hour, a day or the week.
"""

from __future__ import annotations

from cdi_cli.config.durations import duration_text
from cdi_cli.errors import ConfigError

MINUTE, HOUR, DAY, WEEK = 60, 3_600, 86_400, 604_800
CRON_SECONDS = (
    *(minutes * MINUTE for minutes in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)),
    *(hours * HOUR for hours in (1, 2, 3, 4, 6, 8, 12)),
    DAY,
    WEEK,
)
"""Every interval that cron keeps evenly, shortest first."""


def cron_expression(seconds: int, *, seconds_min: int = MINUTE) -> str:
    """The five fields of a crontab; raises ConfigError, naming the nearest that work, for what cron cannot keep evenly."""
    known = [each for each in CRON_SECONDS if each >= seconds_min]
    if seconds not in known:
        below = [duration_text(each) for each in known if each < seconds][-1:]
        above = [duration_text(each) for each in known if each > seconds][:1]
        near = " or ".join(f"`--every {text}`" for text in below + above)
        raise ConfigError(
            f"`--every {duration_text(seconds)}` cannot be kept evenly by cron's calendar",
            hint=f"use {near}; `--as systemd` and `--as airflow` take any interval",
        )
    if seconds < HOUR:
        return "* * * * *" if seconds == MINUTE else f"*/{seconds // MINUTE} * * * *"
    if seconds < DAY:
        return "0 * * * *" if seconds == HOUR else f"0 */{seconds // HOUR} * * *"
    return "0 0 * * *" if seconds == DAY else "0 0 * * 1"


def timer_lines(seconds: int) -> list[str]:
    """The lines of a systemd timer (systemd.timer(5), systemd.time(7)).

    Marks on the clock where they are even, since only these are caught up with after a power cut (`Persistent=`); else a
    span from start to start.
    """
    if seconds not in CRON_SECONDS:
        return ["OnActiveSec=0", f"OnUnitActiveSec={seconds}s"]
    if seconds < HOUR:
        mark = f"*:0/{seconds // MINUTE}" if seconds > MINUTE else "*:*"
    elif seconds < DAY:
        mark = f"0/{seconds // HOUR}:00" if seconds > HOUR else "*:00"
    else:
        mark = "*-*-* 00:00" if seconds == DAY else "Mon *-*-* 00:00"
    return [f"OnCalendar={mark}:00", "Persistent=true"]
