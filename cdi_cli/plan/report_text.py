"""A report for people: what was checked, then the findings by event, each with its place, what was found and the fix."""

from __future__ import annotations

from collections.abc import Iterator

from cdi_cli.plan.findings import Finding, Report, counted, relative

DETAILS_MAX = 40


def text(report: Report, findings_max: int) -> str:
    """The report as lines of plain text; at most `findings_max` findings are shown, all are counted."""
    lines = [f"{step.name + ':':<10} {step.detail}" for step in report.steps]
    event: str | None = None
    for finding in relative(report.findings[:findings_max]):
        if finding.event != event:
            event = finding.event
            lines += ["", event or "Plan and project"]
        lines += _finding(finding)
    hidden = len(report.findings) - findings_max
    if hidden > 0:
        lines += ["", f"{counted(hidden, 'more finding')}: `--max-findings {len(report.findings)}` shows all"]
    if report.dropped:
        lines += ["", f"{counted(report.dropped, 'finding')} more were not kept apart"]
    lines += ["", report.summary()]
    return "\n".join(lines)


def _finding(finding: Finding) -> Iterator[str]:
    times = f" ({finding.count:,} times)" if finding.count > 1 else ""
    yield f"  {finding.severity}{times}: {finding.message} [{finding.rule}]"
    place = "  ".join(part for part in (finding.where, finding.path) if part)
    if place:
        yield f"    --> {place}"
    if finding.seen_at:
        yield f"    {'first' if finding.count > 1 else 'seen'} at: {finding.seen_at}"
    if finding.sample:
        yield f"    found: {finding.sample}"
    yield from (f"    {line}" for line in finding.details[:DETAILS_MAX])
    if len(finding.details) > DETAILS_MAX:
        yield f"    ... {len(finding.details) - DETAILS_MAX} more lines"
    if finding.fix:
        yield f"    fix: {finding.fix}"
