"""Mistakes in a plan: each is reported at its file and line, with a sentence and a hint, and all at once."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from plan_tools import copy_default_plan, write_plan

from cdi_cli.errors import ExitCode
from cdi_cli.plan import PlanError, PlanProblem, load_plan

EVENT = "event: Order Completed\ntrigger: order.completed\nproperties:\n"
GOOD = EVENT + "  order_id: {type: string, from: order.id}\n"
SECTIONS = (Path(__file__).parents[1] / "data" / "plan" / "mistakes.txt").read_text(encoding="utf-8").split("\n=== ")[1:]

# (file of the shipped plan, what stands there once, the mistake)
PLANTED = [
    ("plan.yaml", "owner: data team", "ownr: data team"),
    ("plan.yaml", '"1.0.0"', '"1.0"'),
    ("plan.yaml", "unplanned_properties: forbid", "unplanned_properties: forbidden"),
    ("definitions/address.yaml", "item.street", "item.stret"),
    ("definitions/product_line.yaml", "from: item.price", "from: item.prices"),
    ("events/order_completed.yaml", "type: track", "tpye: track"),
    ("events/order_completed.yaml", "order.shipping,", "order.shiping,"),
    ("events/order_cancelled.yaml", "order.cancelled", "order.canceled"),
    ("events/order_refunded.yaml", "enum: [refund, chargeback]", "enum: refund"),
    ("events/order_refunded.yaml", "refund.is_full", "refund.full"),
    ("events/identify.yaml", "on_violation: strip ", "on_violation: stripp "),
    ("events/identify.yaml", "format: idn-email", "format: mail"),
    ("events/identify.yaml", "title: {type: string", "title: {type: sting"),
    ("events/order_updated.yaml", "$ref: product_line", "$ref: product"),
    ("events/order_fulfilled.yaml", "shipment.id, pii: identifier", "shipment.id, pii: identity"),
    ("events/order_fulfilled.yaml", "carrier: {", "Carrier: {"),
    ("events/signed_up.yaml", "event: Signed Up", "event: signed up"),
    ("events/signed_up.yaml", "phone: {type: string", "phone: {type: boolean"),
    ("events/checkout_started.yaml", 'cart.coupons, join: ", "', "cart.coupons"),
    ("events/checkout_started.yaml", "required: true, from: cart.id", "required: true"),
]


def cases() -> list[object]:
    """The cases of the data file: (files, words of the message, words of the hint)."""
    found = []
    for section in SECTIONS:
        (title, words), *parts = (part.split("\n", 1) for part in section.split("\n>>> "))
        files: dict[str, str] = dict(parts)
        if "properties" in files:
            files["events/a.yaml"] = EVENT + files.pop("properties")
        if not any(name.startswith("events/") for name in files):
            files["events/a.yaml"] = GOOD
        found.append(pytest.param(files, *(word.strip() for word in words.split(" | ")), id=title))
    return found


def problems_of(folder: Path, denied: frozenset[str] = frozenset()) -> tuple[PlanProblem, ...]:
    """The mistakes of a plan that has some."""
    with pytest.raises(PlanError) as caught:
        load_plan(folder, denied_fields=denied)
    return caught.value.problems


def marked_places(folder: Path) -> list[tuple[str, int]]:
    """Every file and line that carries a mark."""
    return [
        (str(path), number)
        for path in sorted(folder.rglob("*.y*ml"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if "# HERE" in line
    ]


@pytest.mark.parametrize(("files", "message", "hint"), cases())
def test_a_mistake_is_found_at_its_line(tmp_path: Path, files: dict[str, str], message: str, hint: str) -> None:
    """One mistake gives exactly one finding, at its file and line, with its words and a next step."""
    write_plan(tmp_path, {"definitions/shared_a.yaml": "type: string\n", **files})

    found = problems_of(tmp_path)

    assert marked_places(tmp_path) == [(problem.file, problem.line) for problem in found], [str(each) for each in found]
    assert message in found[0].message
    assert hint in (found[0].hint or "")


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    """Twenty mistakes planted in the shipped plan give twenty findings, each at its file and line, in reading order."""
    plan = copy_default_plan(tmp_path)
    for path, old, new in PLANTED:
        text = (plan / path).read_text(encoding="utf-8")
        assert text.count(old) == 1, (path, old)
        (plan / path).write_text(text.replace(old, new), encoding="utf-8")

    found = problems_of(plan)

    assert len(PLANTED) == 20
    assert sorted((str(plan / path), line_of(plan / path, new)) for path, _, new in PLANTED) == [
        (problem.file, problem.line) for problem in found
    ], [str(each) for each in found]


def line_of(path: Path, words: str) -> int:
    """The line at which the words stand first."""
    text = path.read_text(encoding="utf-8")
    return text[: text.index(words)].count("\n") + 1


def test_the_error_ends_the_program_as_a_usage_error_and_names_the_folder(tmp_path: Path) -> None:
    """A plan with mistakes is a configuration error (exit 2) that says how many and where, each with file:line:column."""
    write_plan(
        tmp_path, {"events/a.yaml": EVENT + "  a: {type: string, from: order.x}\n  b: {type: string, from: order.y}\n"}
    )

    with pytest.raises(PlanError, match=r"2 mistakes") as caught:
        load_plan(tmp_path)

    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.where == str(tmp_path)
    assert str(caught.value.problems[1]) == f"{tmp_path / 'events' / 'a.yaml'}:5:21: b: `order` has no field `y`"


def test_a_folder_without_a_plan_says_what_a_plan_is(tmp_path: Path) -> None:
    """A folder that holds no plan gives one finding that says what belongs there."""
    found = problems_of(tmp_path)

    assert [problem.message for problem in found] == ["there is no `plan.yaml`"]
    assert "events/" in (found[0].hint or "")


def test_a_plan_without_events_is_a_mistake(tmp_path: Path) -> None:
    """A plan that plans nothing is refused."""
    found = problems_of(write_plan(tmp_path, {}))

    assert [problem.message for problem in found] == ["the plan has no events"]


@pytest.mark.parametrize(
    "path",
    ["record.password", "record.a.password.hash", "record.attributes[code=password].value", "record.list[0].password"],
)
def test_a_denied_record_field_cannot_be_mapped(tmp_path: Path, path: str) -> None:
    """A field that the source protects is refused wherever a path names it."""
    write_plan(tmp_path, {"events/a.yaml": EVENT + f'  a: {{type: string, from: "{path}"}}\n'})

    found = problems_of(tmp_path, frozenset({"password"}))

    assert [(problem.line, problem.message) for problem in found] == [
        (4, "the record field `password` must never be mapped")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: " + "[" * 5000, "nested deeper than 40 levels"),
        ("{a: " * 5000, "nested deeper than 40 levels"),
        ("- " * 5000 + "x", "nested deeper than 40 levels"),
        ("a: [" + "x, " * 60_000 + "]", "more than 50,000 values"),
        ("#" * 1_000_001, "larger than 1,000,000 bytes"),
        (EVENT + "  p: " + "{type: object, properties: {p: " * 9 + "{type: string}" + "}}" * 9, "nested too deep"),
        (f"event: {'x' * 256}\ntrigger: order.completed\nproperties: {{a: {{type: string}}}}", "1 to 255 printable"),
        ("event: A\nevent: \x07", "not valid YAML"),
    ],
    ids=["lists", "mappings", "dashes", "values", "bytes", "properties", "name", "control character"],
)
def test_a_hostile_file_is_refused_within_its_bounds(tmp_path: Path, text: str, message: str) -> None:
    """Files made to exhaust the reader end in a finding, not in a crash."""
    found = problems_of(write_plan(tmp_path, {"events/a.yaml": text}))

    assert message in found[0].message


def test_definitions_that_multiply_are_refused(tmp_path: Path) -> None:
    """Definitions that use each other ten times over, level by level, are stopped by the limit on properties."""
    names = ["a", "b", "c", "d", "e", "f"]
    files = {"definitions/f.yaml": "type: string\n"}
    for name, inner in pairwise(names):
        uses = "".join(f"  p{number}: {{$ref: {inner}}}\n" for number in range(10))
        files[f"definitions/{name}.yaml"] = f"type: object\nproperties:\n{uses}"

    found = problems_of(write_plan(tmp_path, {**files, "events/a.yaml": EVENT + "  x: {$ref: a}\n"}))

    assert [problem.message for problem in found] == ["the plan has more than 10,000 properties"]


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    """A file in another encoding is named with what to do."""
    write_plan(tmp_path, {"events/a.yaml": GOOD})
    (tmp_path / "events" / "b.yaml").write_bytes(b"event: Caf\xe9")

    found = problems_of(tmp_path)

    assert [(problem.message, problem.hint) for problem in found] == [
        ("the file is not UTF-8 text (byte 10)", "save it as UTF-8")
    ]
