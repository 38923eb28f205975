"""Counters of outcomes and of records pulled, kept per run and added up per job."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from cdi_cli.state._base import Counts

# With a run's number only that run, with a job's number all its runs, with neither everything.
COUNTS = """
SELECT stream, event, outcome, reason, sum(number) FROM counts
WHERE (:run_id IS NULL OR run_id = :run_id)
  AND (:job_id IS NULL OR run_id IN (SELECT id FROM runs WHERE job_id = :job_id))
GROUP BY stream, event, outcome, reason
"""
PULLED = """
SELECT stream, sum(number) FROM pulled
WHERE (:run_id IS NULL OR run_id = :run_id)
  AND (:job_id IS NULL OR run_id IN (SELECT id FROM runs WHERE job_id = :job_id))
GROUP BY stream
"""


def write(db: sqlite3.Connection, run_id: int, counts: Counts, pulled: Mapping[str, int]) -> None:
    """Add to a run's counters."""
    db.executemany(
        "INSERT INTO counts (run_id, stream, event, outcome, reason, number) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (run_id, stream, event, outcome, reason) DO UPDATE SET number = number + excluded.number",
        [(run_id, *place, number) for place, number in counts.items()],
    )
    db.executemany(
        "INSERT INTO pulled (run_id, stream, number) VALUES (?, ?, ?) "
        "ON CONFLICT (run_id, stream) DO UPDATE SET number = number + excluded.number",
        [(run_id, stream, number) for stream, number in pulled.items()],
    )
