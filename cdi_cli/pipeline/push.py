"""Pushing a file of ready-made events: one job for each content, pipeline and destination, resumed by line.

The same guarantees as any other run: every line is accounted for, what was delivered is not sent again (the ledger knows it
by its `messageId`), and what fails lies in the dead letters with its line. A file that was pushed to its end can be pushed
again, for instance under a mended plan: only what is not there yet is sent.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

import msgspec

from cdi_cli.clock import SYSTEM_CLOCK, Clock, Instant, Window, shift
from cdi_cli.errors import CdiError
from cdi_cli.logs import run_context
from cdi_cli.pipeline.opening import Opened
from cdi_cli.pipeline.partition import Budget
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.push_issue import LineIssuer
from cdi_cli.pipeline.push_lines import PUSH_STREAM, EventFile
from cdi_cli.pipeline.push_message import MessageReader
from cdi_cli.pipeline.replay import HISTORY
from cdi_cli.pipeline.report import Report
from cdi_cli.pipeline.stop import Stop
from cdi_cli.pipeline.work import Hooks, close_run, make_flow, rare_garbage_collection, work_through
from cdi_cli.plan import CompiledPlan
from cdi_cli.plan.schema import event_schema
from cdi_cli.state._base import Job, Partition, Store

LOG = logging.getLogger("cdi.pipeline")


@dataclass(frozen=True, slots=True)
class PushRequest:
    """How a file is pushed. `is_history`: the destination is told so, as in a backfill. `takes_now`: events without a
    time count as happening when the job began. `rate`: events per second, None for the destination's own. `limit`: lines to
    read at most.
    """

    is_history: bool = True
    takes_now: bool = False
    rate: float | None = None
    limit: int | None = None

    def asked(self, file: EventFile) -> str:
        """What makes two pushes the same job: the bytes of the file, and how they are taken."""
        return f"{HISTORY if self.is_history else ''}{'now ' if self.takes_now else ''}sha256:{file.digest}"


async def run_push(
    opened: Opened,
    store: Store,
    file: EventFile,
    request: PushRequest,
    progress: Progress,
    stop: Stop,
    hooks: Hooks | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> tuple[Report, CdiError | None]:
    """Push a file to its end, its limit, an error or a signal; returns the report and what stopped it, if anything.

    `opened` has the file as its source. Raises LockedError or StateError only before anything was sent.
    """
    started = clock.monotonic()
    hooks = hooks or Hooks()
    opened.follow(progress)
    job, is_resumed = _find_or_make_job(opened, store, file, request, clock.instant())
    hooks.on_job(job, is_resumed)
    progress.expected[PUSH_STREAM] = None
    run_id = store.start_run(job.id, plan_version=opened.plan.version)
    about = opened.about(job, run_id)
    LOG.info("push resumed" if is_resumed else "push started", extra={**about, "digest": file.digest})
    now = job.spec.server_started_at if request.takes_now else None
    messages = MessageReader(opened.plan, opened.builder, opened.require_consent, now)
    flow = make_flow(
        opened,
        store,
        run_id,
        progress,
        rate=request.rate,
        budget=Budget(request.limit),
        hooks=hooks,
        remade=lambda issuer: LineIssuer.of(issuer, messages),
    )
    left = [partition for partition in store.partitions(job.id) if not partition.is_done]
    with run_context(run_id=run_id), rare_garbage_collection():
        outcome = await work_through(flow, [(PUSH_STREAM, left)], 1, stop)
    remaining = sum(not partition.is_done for partition in store.partitions(job.id))
    worked = close_run(store, run_id, progress, outcome, kind="push", is_rest=remaining > 0, about=about)
    report = Report(
        pipeline=opened.pipeline,
        destination=opened.destination_name,
        job_id=job.id,
        run_id=run_id,
        since=job.spec.window.since,
        until=job.spec.window.until,
        status=worked.status,
        books=worked.books,
        elapsed_seconds=clock.monotonic() - started,
        retries=progress.retries,
        waited_seconds=progress.waited_seconds,
        requests=progress.requests,
        pages=progress.pages,
        remaining=remaining,
        is_resumed=is_resumed,
        warnings=dict(progress.warnings),
        problems=worked.problems,
        kind="push",
    )
    return report, worked.error


def _find_or_make_job(opened: Opened, store: Store, file: EventFile, request: PushRequest, now: Instant) -> tuple[Job, bool]:
    """The unfinished job of this very file under the present plan and settings, or a new one, and which of the two.

    After a change of these the file is read from its first line again, under them; the ledger keeps it from doubling.
    """
    asked, fingerprint = request.asked(file), _fingerprint(opened)
    for job in store.jobs(opened.pipeline, opened.destination_name, "push"):
        if job.status == "open" and (job.spec.asked, job.spec.fingerprint) == (asked, fingerprint):
            return job, True
    window = Window(now, shift(now, timedelta(milliseconds=1)))
    spec = opened.job_spec((PUSH_STREAM,), window, now, kind="push", asked=asked, fingerprint=fingerprint)
    return store.create_job(spec, [Partition(0, PUSH_STREAM, window)]), False


def _fingerprint(opened: Opened) -> str:
    """What shapes pushed events: all that shapes others, and the events of the plan that only others send."""
    return sha256(msgspec.json.encode([opened.fingerprint, _others(opened.plan)], order="sorted")).hexdigest()


def _others(plan: CompiledPlan) -> list[object]:
    return [
        [rule.type, rule.name, rule.on_violation, rule.on_unplanned, event_schema(rule.planned, allows_unplanned=False)]
        for rule in plan.others
    ]
