"""A report as workflow commands of GitHub Actions: annotations at the plan's file and line, and the summary in the log.

    ::error file=tracking_plan/events/order_completed.yaml,line=12,col=3,title=plan/bounds::no number can satisfy ...

GitHub shows ten annotations of each kind per step; the log has them all.
"""

from __future__ import annotations

from cdi_cli.plan.findings import Finding, Report, counted, relative


def github(report: Report, findings_max: int) -> str:
    """The report as lines of a workflow's log; at most `findings_max` findings become annotations."""
    lines = [f"{step.name}: {step.detail}" for step in report.steps]
    lines += [_annotation(finding) for finding in relative(report.findings[:findings_max])]
    hidden = len(report.findings) - findings_max
    lines += [f"{counted(hidden, 'more finding')} not shown"] if hidden > 0 else []
    # A line of ours must not be taken for a command.
    return "\n".join(
        [*(line if line.startswith(("::error", "::warning")) else _inert(line) for line in lines), _last(report)]
    )


def _last(report: Report) -> str:
    return _inert(report.summary())


def _inert(line: str) -> str:
    return line.replace("::", ": :").replace("\n", " ")


def _annotation(finding: Finding) -> str:
    properties = []
    if finding.file:
        properties.append(f"file={_property(finding.file)}")
    if finding.line:
        properties += [f"line={finding.line}", f"col={max(finding.column, 1)}"]
    properties.append(f"title={_property(finding.rule)}")
    times = f" ({finding.count:,} times)" if finding.count > 1 else ""
    parts = [f"{f'{finding.event}: ' if finding.event else ''}{finding.message}{times}"]
    parts += [f"seen at {finding.seen_at}"] if finding.seen_at else []
    parts += [f"found: {finding.sample}"] if finding.sample else []
    parts += list(finding.details)
    parts += [f"fix: {finding.fix}"] if finding.fix else []
    message = "\n".join(parts)
    return f"::{finding.severity} {','.join(properties)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
