"""The parts of `cdi validate`: collecting findings, reading files, differences, redaction, judging without a connection."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from plan_tools import copy_default_plan
from segment_events import event as an_event

from cdi_cli.destinations import DestinationContext, Rejected, load
from cdi_cli.errors import ProtocolError, RefusedError
from cdi_cli.pipeline import validate_files
from cdi_cli.pipeline.validate_diff import differences
from cdi_cli.pipeline.validate_files import BadLine, read_messages
from cdi_cli.plan import compile_plan, findings, load_plan
from cdi_cli.plan.findings import Finding, Findings, Report
from cdi_cli.plan.redact import redacted
from cdi_cli.sources.commercetools.client import Ask
from cdi_cli.sources.commercetools.offline import RecordedClient
from cdi_cli.sources.commercetools.paging import Envelope, Total

RULE = compile_plan(load_plan()).rules("customer.created")[0]


def test_equal_findings_are_one_with_a_count() -> None:
    """The same rule, place and message count together; another line is another finding."""
    found = Findings()
    for line in (3, 3, 7):
        found.add(Finding("error", "plan/bounds", "no number", file="a.yaml", line=line, column=1))

    assert [(one.line, one.count) for one in found.sorted()] == [(3, 2), (7, 1)]


def test_distinct_findings_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with any number of different mistakes fills no memory; what is not kept is counted and fails the run."""
    monkeypatch.setattr(findings, "DISTINCT_MAX", 3)
    found = Findings()
    for number in range(10):
        found.add(Finding("warning", "event/unplanned", f"event {number}"))

    assert (len(found.sorted()), found.dropped) == (3, 7)
    assert Report((), found.sorted(), found.dropped).fails("error")


@pytest.mark.parametrize(
    ("severities", "on_error", "on_warning", "summary"),
    [
        ([], False, False, "no findings"),
        (["warning"], False, True, "1 warning"),
        (["error", "error", "warning"], True, True, "2 errors and 1 warning"),
    ],
)
def test_what_fails_a_run(severities: list[str], on_error: bool, on_warning: bool, summary: str) -> None:
    """Errors always fail, warnings where it is asked for."""
    found = tuple(Finding(one, "r", f"{number}") for number, one in enumerate(severities))  # type: ignore[arg-type]

    report = Report((), found)

    assert (report.fails("error"), report.fails("warning"), report.summary()) == (on_error, on_warning, summary)


def test_a_line_that_is_too_long_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line beyond the limit is told in its place, and the lines after it are read."""
    monkeypatch.setattr(validate_files, "LINE_BYTES_MAX", 50)
    path = tmp_path / "events.jsonl"
    path.write_text(f'{{"a": 1}}\n{{"a": "{"x" * 500}"}}\n{{"a": 3}}\n', encoding="utf-8")

    found = list(read_messages(str(path)))

    assert found == [({"a": 1}, 1, 0), (BadLine("the line is longer than 8 MB"), 2, 0), ({"a": 3}, 3, 0)]


def test_a_whole_document_on_one_long_line_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of events without line ends is read whole, up to the limit of documents."""
    path = tmp_path / "events.json"
    path.write_text(f"[{', '.join(['{}'] * 100)}]", encoding="utf-8")
    monkeypatch.setattr(validate_files, "LINE_BYTES_MAX", 50)

    assert len(list(read_messages(str(path)))) == 100
    monkeypatch.setattr(validate_files, "DOCUMENT_BYTES_MAX", 100)
    assert list(read_messages(str(path))) == [(BadLine("the line is larger than 256 MB"), 1, 0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b"\n \n", []),
        (b"[]", []),
        (b"{}", [({}, 1, 0)]),
        (b"[\n{},\n{}\n]", [({}, 1, 1), ({}, 1, 2)]),
        (b'{"batch": [{}]}', [({}, 1, 1)]),
        (b"{\n", [(BadLine("not valid JSON"), 1, 0)]),
        (b"\xff\n{}", [(BadLine("not valid JSON"), 1, 0), ({}, 2, 0)]),
        (b"[" * 100_000, [(BadLine("nested too deeply"), 1, 0)]),
    ],
)
def test_what_a_file_holds(tmp_path: Path, text: bytes, expected: list[object]) -> None:
    """Empty, broken, hostile and odd files are read to their end without an exception."""
    path = tmp_path / "events"
    path.write_bytes(text)

    assert list(read_messages(str(path))) == expected


def test_differences_name_places_and_hide_people() -> None:
    """Values are shown by class; what is missing, new or of another type is one line each; 1 is 1.0 and not true."""
    wanted = {"type": "track", "event": "Signed Up", "userId": "u1", "properties": {"email": "a@x.de", "n": 1, "b": 1}}
    found = {"type": "track", "event": "Signed In", "userId": "u2", "properties": {"email": "b@y.com", "n": 1.0, "b": True}}

    assert differences([wanted], [found], [RULE]) == [
        "Signed In (1 of 1)",
        '- event: "Signed Up"',
        '+ event: "Signed In"',
        "- userId: <identifier: text of 2>",
        "+ userId: <identifier: text of 2>",
        "- properties.email: <contact: text of 6>",
        "+ properties.email: <contact: text of 7>",
        "- properties.b: <unclassified: a number>",
        "+ properties.b: true",
    ]


def test_differences_of_lists_and_events() -> None:
    """Missing and additional events and list elements are told; what an expected message leaves out is not compared."""
    assert differences([{"event": "A"}, {"event": "B"}], [{"event": "A", "properties": {}}], [RULE]) == ["- the event `B`"]
    assert differences([], [{"type": "identify"}], [RULE]) == ["+ the event `identify`"]
    assert differences([{"context": {"a": [1]}}], [{"context": {"a": [1, 2]}}], [RULE]) == [
        "event (1 of 1)",
        "+ context.a[1]: <identifier: a number>",
    ]
    assert differences([{"event": "A"}], [{"event": "A", "userId": "u"}], [RULE]) == []


@pytest.mark.parametrize(
    ("value", "pii", "shown"),
    [
        ("jo@example.com", "contact", "<contact: text of 14>"),
        ("jo@example.com", None, "<unclassified: text of 14>"),
        ("gold", "none", '"gold"'),
        ("x" * 100, "none", f'"{"x" * 58}…'),
        (17, "sensitive", "<sensitive: a number>"),
        (None, None, "null"),
        (True, "sensitive", "true"),
        ({"a": "secret"}, "none", "an object with 1 field"),
        (["secret"], None, "a list of 1"),
    ],
)
def test_redaction(value: object, pii: str | None, shown: str) -> None:
    """Only values of which the plan says `pii: none` are shown; of all others only the kind."""
    assert redacted(value, pii) == shown  # type: ignore[arg-type]


@pytest.mark.parametrize("properties", [{"a": 1}, {"a": "x" * 40_000}, {str(number): 1 for number in range(10_001)}])
def test_segment_judges_as_it_encodes(properties: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    """What Segment's judge says without a write key is what encoding says with one."""
    monkeypatch.setenv("KEY", "a-write-key")
    spec = load("segment")
    settings = spec.settings.model_validate({"region": "eu", "write_key": "${KEY}"})
    event = an_event(properties=properties, body=msgspec.json.encode(properties))
    assert spec.judge is not None

    encoded = spec.open(settings, DestinationContext(is_backfill=True)).encode(event)
    judged = spec.judge(settings)(event)

    assert judged == (encoded if isinstance(encoded, Rejected) else None)


async def test_a_recorded_client_answers_by_path() -> None:
    """A recorded path has its answer, any other has no results; what is no list and not recorded is refused."""
    client = RecordedClient({"/orders": {"results": [{"id": "1"}]}, "/bad": {"results": 1}})

    recorded, _ = await client.get(Ask("/orders", "orders"), Envelope)
    nothing, _ = await client.get(Ask("/carts", "carts"), Envelope)

    assert [bytes(one) for one in recorded.results] == [b'{"id":"1"}']
    assert nothing.results == []
    with pytest.raises(ProtocolError, match="cannot be read"):
        await client.get(Ask("/bad", "bad"), Envelope)
    with pytest.raises(RefusedError, match="no answer was recorded"):
        await client.get(Ask("/carts", "count of carts"), Total)


def test_a_keyword_is_found_after_a_definition_of_a_definition(tmp_path: Path) -> None:
    """`$ref` to a definition that itself takes another is followed to where the keyword stands."""
    from cdi_cli.plan.lint_places import Places
    from cdi_cli.plan.problems import Place

    plan = copy_default_plan(tmp_path)
    (plan / "definitions" / "outer.yaml").write_text("$ref: inner\n", encoding="utf-8")
    (plan / "definitions" / "inner.yaml").write_text("type: string\npattern: a\n", encoding="utf-8")
    event = plan / "events" / "signed_up.yaml"
    lines = event.read_text(encoding="utf-8").splitlines()
    event.write_text("\n".join([*lines, "  code: {$ref: outer, from: customer.id}"]), encoding="utf-8")
    own = Place(str(event), len(lines) + 1, 3)

    assert Places(plan).of(own, "pattern") == Place(str(plan / "definitions" / "inner.yaml"), 2, 1)
    assert Places(plan).of(own, "minimum") == own
