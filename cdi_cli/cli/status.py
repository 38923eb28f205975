"""`cdi status`: pipelines, their checkpoints, and the last run of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdi_cli.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from cdi_cli.state.store import SqliteStore


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show every pipeline: how far its backfill is, how its last run ended, what is in the dead letters.

    Works beside a running backfill.

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
    row: dict[str, Any] = {"pipeline": pipeline, "destination": destination, "backfill": None, "last_run": None}
    job = store.find_job(pipeline, destination) if store else None
    if store is None or job is None:
        return row
    partitions = store.partitions(job.id)
    delivered = sum(number for (_, _, outcome, _), number in store.counts(job_id=job.id).items() if outcome == "delivered")
    row["backfill"] = {
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
    last = next((run for run, run_job in store.runs() if run_job.id == job.id), None)
    if last is not None:
        row["last_run"] = {
            "run": last.id,
            "status": last.status,
            "exit_code": last.exit_code,
            "started_at": last.started_at,
            "ended_at": last.ended_at,
        }
    return row


def _lines(row: dict[str, Any]) -> list[str]:
    title = f"{row['pipeline']} -> {row['destination']}"
    backfill, last = row["backfill"], row["last_run"]
    if backfill is None:
        return [f"{title}: no backfill yet (`cdi backfill --pipeline {row['pipeline']} --since ...`)"]
    pulled = ", ".join(f"{stream} {number:,}" for stream, number in backfill["pulled"].items()) or "nothing yet"
    lines = [
        f"{title}: backfill {backfill['status']}, {backfill['partitions_done']} of {backfill['partitions']} partitions done",
        f"  window    {backfill['since']} .. {backfill['until']}",
        f"  pulled    {pulled}",
        f"  delivered {backfill['delivered']:,} events under plan {backfill['plan_version']}",
    ]
    if last is not None:
        ended = f", ended {last['ended_at']}" if last["ended_at"] else ""
        code = f" (exit {last['exit_code']})" if last["exit_code"] is not None else ""
        lines.append(f"  last run  {last['run']}: {last['status']}{code}, started {last['started_at']}{ended}")
    if backfill["status"] == "open":
        lines.append(f"  go on     cdi backfill --pipeline {row['pipeline']} --resume")
    return lines
