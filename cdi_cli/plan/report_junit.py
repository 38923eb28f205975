"""A report as JUnit XML, which every CI system shows: one suite per event, one test case per finding.

An error is a failure. A warning is a failure too where warnings fail the run, else a case that passes and says it in
`system-out`. What was checked without a finding is a case that passes.
"""

from __future__ import annotations

from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from cdi_cli.plan.findings import Finding, Report, Severity, relative


def junit(report: Report, findings_max: int, fail_on: Severity) -> str:
    """The report as a document; at most `findings_max` findings are listed."""
    findings = relative(report.findings[:findings_max])
    suites = [_steps(report)]
    for event, group in groupby(findings, key=lambda finding: finding.event):
        suites.append(_suite(event or "plan and project", list(group), fail_on))
    failures = sum(_is_failure(finding, fail_on) for finding in findings)
    total = len(findings) + len(report.steps)
    head = f'<testsuites name="cdi validate" tests="{total}" failures="{failures}">'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *suites, "</testsuites>"])


def _steps(report: Report) -> str:
    cases = [
        f'    <testcase classname="cdi.validate" name={_quoted(step.name)}>'
        f"<system-out>{_text(step.detail)}</system-out></testcase>"
        for step in report.steps
    ]
    return "\n".join([f'  <testsuite name="checked" tests="{len(cases)}" failures="0">', *cases, "  </testsuite>"])


def _suite(name: str, findings: list[Finding], fail_on: Severity) -> str:
    failures = sum(_is_failure(finding, fail_on) for finding in findings)
    head = f'  <testsuite name={_quoted(name)} tests="{len(findings)}" failures="{failures}">'
    return "\n".join([head, *(_case(name, finding, fail_on) for finding in findings), "  </testsuite>"])


def _case(suite: str, finding: Finding, fail_on: Severity) -> str:
    name = " ".join(part for part in (finding.rule, finding.path, finding.where) if part)
    place = f" file={_quoted(finding.file)} line={_quoted(str(finding.line))}" if finding.line else ""
    facts = [finding.message]
    facts += [f"{word}: {value}" for word, value in _facts(finding) if value]
    body = _text("\n".join([*facts, *finding.details]))
    if _is_failure(finding, fail_on):
        inner = f"<failure type={_quoted(finding.rule)} message={_quoted(finding.message)}>{body}</failure>"
    else:
        inner = f"<system-out>{body}</system-out>"
    return f"    <testcase classname={_quoted(suite)} name={_quoted(name)}{place}>{inner}</testcase>"


def _facts(finding: Finding) -> list[tuple[str, str]]:
    times = f"{finding.count:,}" if finding.count > 1 else ""
    return [("times", times), ("seen at", finding.seen_at), ("found", finding.sample), ("fix", finding.fix)]


def _is_failure(finding: Finding, fail_on: Severity) -> bool:
    return finding.severity == "error" or fail_on == "warning"


def _clean(text: str) -> str:
    """A text without the characters that XML 1.0 cannot hold."""
    return "".join(character if _is_xml(ord(character)) else "�" for character in text)


def _is_xml(code: int) -> bool:
    return code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or code > 0xFFFF


def _text(text: str) -> str:
    return escape(_clean(text))


def _quoted(text: str) -> str:
    return quoteattr(_clean(text))
