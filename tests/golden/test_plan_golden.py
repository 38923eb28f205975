"""The default plan, exactly: what full entities become under it, and the code that maps them.

The expected files were read line by line when they were written. After a wanted change, run `python -m pytest
tests/golden/test_plan_golden.py` with `CDI_GOLDEN=write` in the environment and read the difference.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from plan_tools import a_cart, a_full_customer, a_full_order, a_product, a_refund, a_shipment, occurrence

from cdi_cli.plan import compile_plan, load_plan

FOLDER = Path(__file__).parent / "plan"
IS_WRITING = os.environ.get("CDI_GOLDEN") == "write"
SUBJECTS: dict[str, dict[str, Any]] = {
    "customer.profile": {"customer": a_full_customer()},
    "customer.created": {"customer": a_full_customer()},
    "cart.checkout_started": {"cart": a_cart()},
    "order.completed": {"order": a_full_order()},
    "order.updated": {"order": a_full_order()},
    "order.cancelled": {"order": a_full_order()},
    "order.refunded": {"order": a_full_order(), "refund": a_refund()},
    "order.fulfilled": {"order": a_full_order(), "shipment": a_shipment()},
    "product.snapshot": {"product": a_product()},
}


def assert_golden(name: str, actual: str) -> None:
    """The text is that of the golden file."""
    path = FOLDER / name
    if IS_WRITING:
        path.parent.mkdir(exist_ok=True)
        path.write_text(actual, encoding="utf-8")

    assert path.read_text(encoding="utf-8") == actual


@pytest.mark.parametrize("kind", SUBJECTS)
def test_full_entities_become_exactly_these_events(kind: str) -> None:
    """Each event of the default plan, mapped from entities with every field filled."""
    rules = compile_plan(load_plan()).rules(kind)

    events = {rule.name: rule.map(occurrence(kind, **SUBJECTS[kind]), b"{}") for rule in rules}

    assert_golden(f"{kind}.json", json.dumps(events, indent=2) + "\n")


def test_the_generated_code_is_exactly_this() -> None:
    """The mapping of Order Fulfilled as generated: straight, null-safe, each path read once."""
    (rule,) = compile_plan(load_plan()).rules("order.fulfilled")

    assert_golden("order.fulfilled.py.txt", rule.source)
