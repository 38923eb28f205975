"""`cdi runs`: what ran when, what it did, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cdi_cli.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from cdi_cli.state._base import Job, RunRow
    from cdi_cli.state.store import SqliteStore

Kind = Literal["backfill", "sync", "reconcile", "replay", "push"]


def runs(
    config: ConfigOption = None,
    pipeline: Annotated[str | None, typer.Option("--pipeline", "-p", help="Only this pipeline", show_default=False)] = None,
    destination: Annotated[
        str | None, typer.Option("--destination", "-d", help="Only this destination", show_default=False)
    ] = None,
    kind: Annotated[Kind | None, typer.Option("--kind", help="Only runs of this kind", show_default=False)] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many runs, newest first")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the history of runs: when, how long, what was sent, how far behind, and how it ended.

    Works beside a run that is going on.

    Example: cdi runs --kind sync --limit 50
    """
    from cdi_cli.cli import output
    from cdi_cli.cli.closing import say
    from cdi_cli.cli.state_file import open_reader

    with open_reader(config) as store:
        found = store.runs(limit, pipeline=pipeline, destination=destination, kind=kind) if store is not None else []
        rows = [_row(store, run, job) for run, job in found] if store is not None else []
    if as_json:
        output.print_json(rows)
        return
    if not rows:
        say(output.data(), "no runs yet")
        return
    output.data().print(_table(rows))
    for row in rows:
        if row["message"]:
            say(output.data(), output.plain(f"run {row['run']}: {row['message']}"))


def _row(store: SqliteStore, run: RunRow, job: Job) -> dict[str, Any]:
    """One run as plain data; the keys are stable."""
    outcomes = dict.fromkeys(("delivered", "filtered", "rejected", "duplicate"), 0)
    for (_, _, outcome, _), number in store.counts(run_id=run.id).items():
        outcomes[outcome] += number
    return {
        "run": run.id,
        "kind": job.spec.kind,
        "pipeline": job.spec.pipeline,
        "destination": job.spec.destination,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "seconds": _seconds(run),
        "pulled": sum(store.pulled(run_id=run.id).values()),
        **outcomes,
        "lag_seconds": None if run.lag_seconds is None else round(run.lag_seconds, 1),
        "plan_version": run.plan_version,
        "status": run.status,
        "exit_code": run.exit_code,
        "verdict": verdict(run),
        "message": run.message,
    }


def _seconds(run: RunRow) -> float | None:
    from cdi_cli.clock import to_datetime

    if run.ended_at is None:
        return None
    return round((to_datetime(run.ended_at) - to_datetime(run.started_at)).total_seconds(), 3)


def verdict(run: RunRow) -> str:
    """How a run ended, in a word or two: ok, more to do, dead letters, stopped, interrupted, killed, running."""
    if run.status in ("running", "killed", "interrupted", "stopped"):
        return run.status
    if run.exit_code == 1:
        return "dead letters"
    if run.exit_code:
        return f"exit {run.exit_code}"
    return "more to do" if run.status == "limited" else "ok"


def _table(rows: list[dict[str, Any]]) -> Any:
    from cdi_cli.cli.closing import plain_table
    from cdi_cli.cli.display import duration

    table = plain_table()
    several = len({(row["pipeline"], row["destination"]) for row in rows}) > 1
    for name in ("run", "kind", *(("way",) if several else ()), "started (UTC)"):
        table.add_column(name, no_wrap=name != "way", overflow="fold")
    for name in ("took", "sent", "rejected", "lag"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in rows:
        way = (f"{row['pipeline']} -> {row['destination']}",) if several else ()
        table.add_row(
            str(row["run"]),
            row["kind"],
            *way,
            f"{row['started_at'][:10]} {row['started_at'][11:19]}",
            "" if row["seconds"] is None else duration(row["seconds"]),
            f"{row['delivered']:,}",
            f"{row['rejected']:,}",
            "" if row["lag_seconds"] is None else duration(max(row["lag_seconds"], 0.0)),
            row["verdict"],
        )
    return table
