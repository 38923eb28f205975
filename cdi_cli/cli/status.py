"""`cdi status`: pipelines, their checkpoints, and the last run of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdi_cli.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from cdi_cli.state._base import Job
    from cdi_cli.state.store import SqliteStore


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show every pipeline: its backfill, how far its sync is behind, how the last runs ended, what is in the dead letters.

    Works beside a run that is going on. The lag is against this machine's clock.

    Example: cdi status
    """
    from cdi_cli.cli import output
    from cdi_cli.cli.closing import say
    from cdi_cli.cli.options import open_project
    from cdi_cli.cli.state_file import open_reader

    settings = open_project(config).settings
    with open_reader(config) as store:
        rows = [
            _row(store, pipeline, destination)
            for pipeline, chosen in settings.pipelines.items()
            for destination in chosen.destinations
        ]
        letters = sum(store.dead_letter_reasons().values()) if store else 0
    if as_json:
        output.print_json({"state": str(settings.state), "dead_letters": letters, "pipelines": rows})
        return
    data = output.data()
    say(data, f"checkpoint: {settings.state}{'' if settings.state.exists() else ' (not made yet)'}")
    for row in rows:
        for line in _lines(row):
            say(data, line)
    say(data, f"dead letters: {letters:,}{' (`cdi dlq list`)' if letters else ''}")


def _row(store: SqliteStore | None, pipeline: str, destination: str) -> dict[str, Any]:
    """One pipeline into one destination, as plain data."""
    row: dict[str, Any] = {
        "pipeline": pipeline,
        "destination": destination,
        "backfill": None,
        "sync": None,
        "last_run": None,
    }
    if store is None:
        return row
    if (job := store.find_job(pipeline, destination)) is not None:
        row["backfill"] = _backfill(store, job)
        row["last_run"] = _last_run(store, job)
    if (job := store.find_job(pipeline, destination, "sync")) is not None:
        row["sync"] = _sync(store, job)
    return row


def _backfill(store: SqliteStore, job: Job) -> dict[str, Any]:
    partitions = store.partitions(job.id)
    delivered = sum(number for (_, _, outcome, _), number in store.counts(job_id=job.id).items() if outcome == "delivered")
    return {
        "job": job.id,
        "status": job.status,
        "since": job.spec.window.since,
        "until": job.spec.window.until,
        "plan_version": job.spec.plan_version,
        "partitions_done": sum(partition.is_done for partition in partitions),
        "partitions": len(partitions),
        "pulled": store.pulled(job_id=job.id),
        "delivered": delivered,
    }


def _sync(store: SqliteStore, job: Job) -> dict[str, Any]:
    """Where a sync is: per stream its watermark, how far that is behind now, and what is read next."""
    from cdi_cli.clock import SYSTEM_CLOCK, to_datetime
    from cdi_cli.pipeline.figures import GOOD_CODES
    from cdi_cli.pipeline.sync import watermark

    now = SYSTEM_CLOCK.now()
    streams = [
        {
            "stream": partition.stream,
            "watermark": watermark(partition),
            "lag_seconds": round((now - to_datetime(watermark(partition))).total_seconds(), 1),
            "is_behind": not partition.is_done,
            "next_window": {"since": partition.window.since, "until": partition.window.until}
            if not partition.is_done
            else {"since": partition.window.until, "until": None},
        }
        for partition in store.partitions(job.id)
    ]
    runs = store.runs(500, pipeline=job.spec.pipeline, destination=job.spec.destination, kind="sync")
    good = next((run for run, _ in runs if run.exit_code in GOOD_CODES), None)
    return {
        "job": job.id,
        "streams": streams,
        "last_success_at": good.ended_at if good is not None else None,
        "last_run": _last_run(store, job),
    }


def _last_run(store: SqliteStore, job: Job) -> dict[str, Any] | None:
    runs = store.runs(1, pipeline=job.spec.pipeline, destination=job.spec.destination, kind=job.spec.kind)
    if not runs or runs[0][1].id != job.id:
        return None
    last = runs[0][0]
    return {
        "run": last.id,
        "status": last.status,
        "exit_code": last.exit_code,
        "started_at": last.started_at,
        "ended_at": last.ended_at,
    }


def _lines(row: dict[str, Any]) -> list[str]:
    title = f"{row['pipeline']} -> {row['destination']}"
    backfill, sync = row["backfill"], row["sync"]
    lines: list[str] = []
    if backfill is None:
        lines.append(f"{title}: no backfill yet (`cdi backfill --pipeline {row['pipeline']} --since ...`)")
    else:
        pulled = ", ".join(f"{stream} {number:,}" for stream, number in backfill["pulled"].items()) or "nothing yet"
        done = f"{backfill['partitions_done']} of {backfill['partitions']} partitions done"
        lines += [
            f"{title}: backfill {backfill['status']}, {done}",
            f"  window    {backfill['since']} .. {backfill['until']}",
            f"  pulled    {pulled}",
            f"  delivered {backfill['delivered']:,} events under plan {backfill['plan_version']}",
        ]
        lines += _run_line(row["last_run"])
        if backfill["status"] == "open":
            lines.append(f"  go on     cdi backfill --pipeline {row['pipeline']} --resume")
    return lines + (_sync_lines(title, sync) if sync is not None else [])


def _sync_lines(title: str, sync: dict[str, Any]) -> list[str]:
    from cdi_cli.cli.display import duration

    lines = [f"{title}: sync, last success {sync['last_success_at'] or 'none yet'}"]
    width = max((len(each["stream"]) for each in sync["streams"]), default=0)
    for each in sync["streams"]:
        text = (
            f"  {each['stream']:<{width}} {duration(max(each['lag_seconds'], 0.0))} behind, settled to {each['watermark']}"
        )
        if each["is_behind"]:
            text += f", reading to {each['next_window']['until']}"
        lines.append(text)
    return lines + _run_line(sync["last_run"])


def _run_line(last: dict[str, Any] | None) -> list[str]:
    if last is None:
        return []
    ended = f", ended {last['ended_at']}" if last["ended_at"] else ""
    code = f" (exit {last['exit_code']})" if last["exit_code"] is not None else ""
    return [f"  last run  {last['run']}: {last['status']}{code}, started {last['started_at']}{ended}"]
