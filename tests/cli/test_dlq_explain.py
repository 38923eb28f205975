"""`cdi dlq explain`: what failed, the line of the plan, what the record holds there, what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import canary
import pytest
from cli_project import CliProject
from dlq_project import COMPLETED, left_behind, set_minimum, settled, too_strict
from plan_tools import copy_default_plan

from cdi_cli.sandbox import SandboxThread


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliProject]:
    """A project whose plan took none of the completed orders."""
    with too_strict(tmp_path_factory.mktemp("strict")) as made:
        yield made


def canary_letter(project: CliProject) -> str:
    """The number of the canary's dead letter."""
    (letter,) = project.run("dlq", "list", "--entity", project.order["id"], "--json").json()
    return str(letter["id"])


def test_a_violation(strict: CliProject) -> None:
    """The sentence, the value, the line of the plan, the mapping, what the record holds there, and the next commands."""
    number = canary_letter(strict)

    run = strict.run("dlq", "explain", number)

    line = (strict.place / "plan" / COMPLETED).read_text(encoding="utf-8").splitlines().index("  total:") + 1
    total = strict.order["taxedPrice"]["totalGross"]["centAmount"] / 100
    assert (run.code, run.err) == (0, "")
    assert settled(run.out) == VIOLATION.format(number=number, total=f"{total:g}", line=line)


VIOLATION = """\
dead letter {number}: Order Completed: `total` must be at least 10000000, found {total}
  failed:  at the check against the tracking plan (plan_violation)
  when:    once, THEN in run 1
  from:    shop orders, record 0000ca0b-0000-4000-8000-00000000ca0b
  to:      segment (pipeline main)
  event:   cdi:sandbox:shop:order:0000ca0b-0000-4000-8000-00000000ca0b:order-completed
  plan:    V

  `total` must be at least 10000000, found {total} (rule: minimum)
    value:   {total}
    planned: plan/events/order_completed.yaml:{line}, from order.total
    record:  order.total holds an amount
    fix:     correct the value, or the rule in the plan

  next:    correct the record in the shop, or the event's rule in the tracking plan (plan/events/order_completed.yaml:{line})
           `cdi dlq recheck {number}` tells whether it would pass now
           `cdi dlq replay {number}` sends it
           a record that is corrected in the shop is sent by the next sync, and this leaves by itself
"""


def test_a_violation_as_json(strict: CliProject) -> None:
    """The same as data, for whoever writes tickets of it."""
    shown = strict.run("dlq", "explain", canary_letter(strict), "--json").json()

    (violation,) = shown["violations"]
    assert (violation["path"], violation["rule"], violation["from"]) == ("total", "minimum", ["order.total"])
    assert violation["planned_at"].startswith("plan/events/order_completed.yaml:")
    assert violation["record"] == [{"path": "order.total", "holds": "an amount"}]
    assert (shown["stage"], shown["can_be_replayed"], shown["why_not"]) == ("plan", True, None)


def test_values_are_shown_on_request(strict: CliProject) -> None:
    """`--show-data` adds what the record holds, an amount as people write it."""
    run = strict.run("dlq", "explain", canary_letter(strict), "--show-data")

    price = strict.order["taxedPrice"]["totalGross"]
    assert f'order.total holds an amount: "{price["centAmount"] / 100:.2f} {price["currencyCode"]}"' in run.out


def test_personal_data_is_masked(tmp_path: Path) -> None:
    """A value that the plan classes as personal is told by its kind, and shown only on request."""
    with SandboxThread(canary.options(orders=20)) as sandbox, CliProject(tmp_path, sandbox, top="plan: plan") as made:
        file = copy_default_plan(made.place) / "events" / "identify.yaml"
        text = file.read_text(encoding="utf-8").replace("on_violation: strip ", "on_violation: block ")
        file.write_text(text.replace("lastName: {type: string,", "lastName: {type: string, maxLength: 3,"), encoding="utf-8")
        made.backfill()
        (letter,) = made.run("dlq", "list", "--entity", canary.CUSTOMER_ID, "--event", "identify", "--json").json()

        run = made.run("dlq", "explain", str(letter["id"]))
        shown = made.run("dlq", "explain", str(letter["id"]), "--show-data")

        assert "value:   <contact: text of 10>\n" in run.out
        assert "record:  customer.last_name holds text of 10\n" in run.out
        assert canary.PERSON["family name"] not in run.out
        assert f'customer.last_name holds text of 10: "{canary.PERSON["family name"]}"' in shown.out
        made.runs.remove(shown)  # personal data was asked for


def test_an_element_of_a_list(tmp_path: Path) -> None:
    """A violation inside a list is traced to the element's own path, and the element that is meant."""
    with SandboxThread(canary.options(orders=20)) as sandbox, CliProject(tmp_path, sandbox, top="plan: plan") as made:
        file = copy_default_plan(made.place) / "definitions" / "product_line.yaml"
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("from: item.quantity", "maximum: 0, from: item.quantity"), encoding="utf-8")
        made.backfill()
        (letter,) = made.run("dlq", "list", "--entity", made.order["id"], "--event", "Order Completed", "--json").json()

        shown = made.run("dlq", "explain", str(letter["id"]), "--show-data", "--json").json()

        spot = next(one for one in shown["violations"] if one["path"].startswith("products[0]."))
        assert spot["path"] == "products[0].quantity"
        assert spot["planned_at"].startswith("plan/definitions/product_line.yaml:")
        assert spot["record"] == [{"path": "item.quantity", "holds": "a number", "value": spot["value"]}]


def test_an_unreadable_record(tmp_path: Path) -> None:
    """What stands at the place that could not be read, told by its kind."""
    with left_behind(tmp_path) as made:
        run = made.run("dlq", "explain", "1")
        shown = made.run("dlq", "explain", "1", "--show-data")

        assert "  failed:  at reading the record (unreadable_record)\n" in run.out
        assert "  record:  totalPrice.centAmount holds text of 5\n" in run.out
        assert '  record:  totalPrice.centAmount holds text of 5: "12.34"\n' in shown.out


def test_how_often_and_under_which_plan(tmp_path: Path) -> None:
    """After a replay in vain: how often, since when, and that the plan is another by now."""
    with too_strict(tmp_path) as made:
        number = canary_letter(made)
        assert made.run("dlq", "replay", number).code == 1
        head = made.place / "plan" / "plan.yaml"
        head.write_text(head.read_text(encoding="utf-8").replace('version: "1.0.0"', 'version: "1.0.1"'), encoding="utf-8")
        set_minimum(made, 0)

        text = settled(made.run("dlq", "explain", number).out)

        assert "  when:    2 times since THEN, last THEN in run 2\n" in text
        assert "  plan:    V, now 1.0.1\n" in text


def test_a_letter_of_a_pipeline_that_is_gone(tmp_path: Path) -> None:
    """What can no longer be replayed is said, and how to give it up."""
    with left_behind(tmp_path) as made:
        made.settings.write_text(made.settings.read_text(encoding="utf-8").replace("  main:", "  other:"), encoding="utf-8")

        run = made.run("dlq", "explain", "1")
        replay = made.run("dlq", "replay", "1")

        assert "it cannot be replayed: there is no pipeline `main` any more; `cdi dlq drop 1` gives it up\n" in run.out
        assert replay.code == 1
        assert "not replayed: 1 dead letter of main -> segment, which the settings no longer have: they stay\n" in replay.err
