"""A report as SARIF 2.1.0 (OASIS), the format of code scanning: a result per finding, at the file and line of the plan.

Files are URIs relative to the working folder; run it from the root of the repository. The fingerprint of a result does not
hold its line, so that a finding that moves stays the same finding.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from cdi_cli import __version__
from cdi_cli.plan.findings import Finding, Report, relative

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(report: Report, findings_max: int) -> str:
    """The report as a document; at most `findings_max` findings are listed."""
    findings = relative(report.findings[:findings_max])
    rules = list(dict.fromkeys(finding.rule for finding in findings))
    driver = {
        "name": "cdi validate",
        "semanticVersion": __version__,
        "rules": [{"id": rule, "shortDescription": {"text": rule.replace("/", ": ").replace("-", " ")}} for rule in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, rules) for finding in findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _result(finding: Finding, rules: list[str]) -> dict[str, Any]:
    identity = "\n".join((finding.rule, finding.file, finding.event, finding.path, finding.message))
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": finding.severity,
        "message": {"text": _message(finding)},
        "occurrenceCount": finding.count,
        "partialFingerprints": {"cdi/v1": sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32]},
    }
    if finding.file:
        physical: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.file)}}
        if finding.line:
            physical["region"] = {"startLine": finding.line, "startColumn": max(finding.column, 1)}
        result["locations"] = [{"physicalLocation": physical}]
    return result


def _message(finding: Finding) -> str:
    parts = [f"{finding.event}: {finding.message}" if finding.event else finding.message]
    parts += [f"Seen at {finding.seen_at}."] if finding.seen_at else []
    parts += [f"Found {finding.sample}."] if finding.sample else []
    parts += [f"Fix: {finding.fix}."] if finding.fix else []
    return " ".join([parts[0] if len(parts) == 1 else f"{parts[0]}.", *parts[1:]])
