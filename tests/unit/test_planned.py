"""What a plan may send to one destination, as the plan's routing and the pipeline's rules have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from push_tools import storefront_plan
from routing_bench import compiled, default_plan

from cdi_cli.destinations import Planned
from cdi_cli.events import LifecycleSettings
from cdi_cli.pipeline.planned import planned_for
from cdi_cli.plan import CompiledPlan, compile_plan, load_plan

ALL = ("customer", "order", "cart", "product")
TARGET = ("target", "segment")


def planned(
    *rules: dict[str, Any],
    plan: CompiledPlan | None = None,
    families: tuple[str, ...] = ALL,
    lifecycle: LifecycleSettings = LifecycleSettings(),  # noqa: B008 - immutable
    is_push: bool = False,
) -> dict[str, Planned]:
    """Events by their names there, under these rules of the pipeline."""
    chosen = plan or default_plan()
    found = planned_for(chosen, TARGET, compiled(*rules, plan=chosen), lifecycle, families, is_push=is_push)
    return {each.name: each for each in found}


def test_without_routing_all_goes_as_the_plan_has_it() -> None:
    """Kind, type, and every path that the plan walks."""
    found = planned()
    rule = default_plan().rules("order.completed")[0]

    names = {each.name for kind in default_plan().kinds for each in default_plan().rules(kind)}
    assert set(found) == names - {"Product Updated"}  # which the plan itself keeps from Segment
    assert found["Order Completed"] == Planned(
        "order.completed", "track", "Order Completed", tuple(path for path, _ in rule.planned.walk())
    )


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({"families": ("customer",)}, {"Order Completed", "Checkout Started"}),
        ({"families": ("order",)}, {"identify", "Signed Up"}),
        ({"lifecycle": LifecycleSettings(off=("order.updated",))}, {"Order Updated"}),
        ({"lifecycle": LifecycleSettings(groups=())}, {"group"}),
    ],
)
def test_what_is_never_made_is_not_planned(options: dict[str, Any], missing: set[str]) -> None:
    """Of records that are not read, and what is switched off."""
    found = planned(**options)

    assert missing.isdisjoint(found)
    assert found


@pytest.mark.parametrize(
    ("rule", "is_sent"),
    [
        ({"when": {"event": "Order Updated"}, "then": {"filter": "noise"}}, False),
        ({"when": {"event": ["Order Updated", "Signed Up"]}, "then": {"block": "noise"}}, False),
        ({"when": {"event": "Order Updated"}, "then": {"not": "target"}}, False),
        ({"when": {"event": "Order Updated"}, "then": {"only": "other"}}, False),
        ({"when": {"event": "Order Updated"}, "then": {"quarantine": "look"}}, True),
        ({"when": {"event": "Order Updated", "country": "DE"}, "then": {"filter": "noise"}}, True),
        ({"when": {"event": "Order Updated", "destination": "other"}, "then": {"filter": "noise"}}, True),
        ({"when": {"event": "Order Completed"}, "then": {"filter": "noise"}}, True),
    ],
)
def test_a_rule_that_always_keeps_an_event_away_is_heeded(rule: dict[str, Any], is_sent: bool) -> None:
    """One that asks for more may let it pass, and what is in quarantine may be released."""
    assert ("Order Updated" in planned(rule)) is is_sent


def test_what_is_dropped_and_renamed_for_all_is_not_there_under_its_own_name() -> None:
    """An object goes with all that is in it; inside a list the path has the new names of both."""
    found = planned(
        {"then": {"drop": ["coupon", "products[].coupon"], "rename": {"products": "items", "products[].sku": "code"}}}
    )["Order Completed"].properties

    assert {"coupon", "products", "products[].sku", "items[].coupon", "items[].sku"}.isdisjoint(found)
    assert {"items", "items[].code", "items[].name"} <= set(found)


def test_what_a_condition_changes_is_planned_both_ways() -> None:
    """Whether it holds is not known before."""
    when = {"country": "DE"}
    found = planned({"when": when, "then": {"drop": "coupon"}}, {"when": when, "then": {"rename": {"tax": "vat"}}})

    assert {"coupon", "tax", "vat"} <= set(found["Order Completed"].properties)


def test_the_plans_own_routing_and_pushed_events_are_heeded(tmp_path: Path) -> None:
    """Under the name that it has there, without what stays behind; events of others only where a file may hold them."""
    plan = compile_plan(load_plan(storefront_plan(tmp_path)))
    own, pushed = planned(plan=plan), planned(plan=plan, is_push=True, families=())

    assert {"page", "Viewed", "Product Viewed"}.isdisjoint(own)
    assert pushed["Viewed"] == Planned("none", "track", "Viewed", ("sku",))
    assert {"page", "Order Completed"} <= set(pushed)
