"""A report as JSON: stable keys, for scripts.

{"ok": false, "errors": 1, "warnings": 0, "not_kept": 0, "steps": [{"name", "detail"}], "findings": [{...}]}
"""

from __future__ import annotations

import json
from typing import Any

from cdi_cli.plan.findings import Finding, Report, Severity, relative


def as_json(report: Report, findings_max: int, fail_on: Severity) -> str:
    """The report as an indented JSON document; at most `findings_max` findings are listed, all are counted."""
    value = {
        "ok": not report.fails(fail_on),
        "errors": report.total("error"),
        "warnings": report.total("warning"),
        "distinct": len(report.findings),
        "not_kept": report.dropped,
        "steps": [{"name": step.name, "detail": step.detail} for step in report.steps],
        "findings": [_finding(finding) for finding in relative(report.findings[:findings_max])],
    }
    return json.dumps(value, indent=2, ensure_ascii=False)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "rule": finding.rule,
        "event": finding.event or None,
        "path": finding.path or None,
        "message": finding.message,
        "fix": finding.fix or None,
        "file": finding.file or None,
        "line": finding.line or None,
        "column": finding.column or None,
        "count": finding.count,
        "seen_at": finding.seen_at or None,
        "sample": finding.sample or None,
        "details": list(finding.details),
    }
