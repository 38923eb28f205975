"""A project's plans: one per pipeline where it says so, and routing that leads to destinations that exist."""

from __future__ import annotations

from pathlib import Path

import pytest
from plan_tools import HEAD, an_order, completed, write_plan

from cdi_cli.pipeline.opening import open_pipeline
from cdi_cli.pipeline.project import Project, load_project
from cdi_cli.plan import PlanError

TEXT = """\
workspace: acme
plan: ./first
sources:
  shop: {type: commercetools, project_key: shop, region: europe-west1.gcp, client_id: c, client_secret: "${S}"}
destinations:
  live: {type: segment, region: eu, write_key: "${K}"}
  trial: {type: segment, region: eu, write_key: "${K}"}
pipelines:
  main: {source: shop, destinations: [live, trial]}
  next: {source: shop, destinations: [trial], plan: ./second}
"""
EVENT = "event: Order Completed\ntrigger: order.completed\nproperties:\n  order_id: {type: string, from: order.id}\n"


def project(folder: Path, routing: str = "", text: str = TEXT) -> Project:
    """A project of two versions of a plan side by side; the first has this routing."""
    write_plan(folder / "first", {"events/a.yaml": EVENT + routing})
    write_plan(folder / "second", {"plan.yaml": HEAD.replace("1.2.3", "2.0.0"), "events/a.yaml": EVENT})
    (folder / "cdi.yaml").write_text(text, encoding="utf-8")
    return load_project(folder / "cdi.yaml", environment={})


def test_two_versions_live_side_by_side(tmp_path: Path) -> None:
    """A pipeline's own plan wins over that of the file; both paths are relative to the settings file."""
    found = project(tmp_path)

    assert (found.plan("main").version, found.plan("next").version) == ("1.2.3", "2.0.0")
    assert found.plan_folder("next") == tmp_path / "second"


def test_routing_to_nowhere_is_told_at_its_line(tmp_path: Path) -> None:
    """A destination that neither the settings nor the installed types know is a mistake, with the nearest name."""
    found = project(tmp_path, "destinations:\n  segment: true\n  trail: false\n")

    with pytest.raises(PlanError) as caught:
        found.plan("main")

    assert [(Path(problem.file).name, problem.line, problem.hint) for problem in caught.value.problems] == [
        ("a.yaml", 7, "did you mean `trial`?")
    ]
    assert "`trail` is no destination of cdi.yaml" in caught.value.problems[0].message
    assert found.plan("next").version == "2.0.0"


async def test_a_job_follows_the_routing_to_its_own_destination(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New routing to one destination changes what is sent there, and the fingerprint of that destination's jobs only."""
    monkeypatch.setenv("S", "x" * 20)
    monkeypatch.setenv("K", "y" * 20)

    async def opened(folder: Path, routing: str, destination: str, text: str = TEXT) -> tuple[str, dict[str, bool]]:
        async with open_pipeline(project(folder, routing, text), "main", destination) as pipeline:
            return pipeline.fingerprint, {event: route.is_sent for event, route in pipeline.routes.items()}

    routing = "destinations: {trial: false}\n"
    before = await opened(tmp_path / "a", "", "live"), await opened(tmp_path / "a", "", "trial")
    after = await opened(tmp_path / "b", routing, "live"), await opened(tmp_path / "b", routing, "trial")
    own = TEXT.replace("plan: ./first\n", "").replace("[live, trial]}", "[live, trial], plan: ./first}")

    assert before == ((before[0][0], {}), (before[0][0], {}))
    assert after[0] == before[0]
    assert after[1][1] == {"Order Completed": False}
    assert after[1][0] != before[1][0]
    assert await opened(tmp_path / "c", "", "live", own) == before[0]


async def test_a_pipeline_stamps_its_events_with_its_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The builder of an open pipeline puts name and version of the plan into the context."""
    monkeypatch.setenv("S", "x" * 20)
    monkeypatch.setenv("K", "y" * 20)
    found = project(tmp_path)

    async with open_pipeline(found, "next", "trial") as pipeline:
        event = pipeline.builder.build(completed(an_order(customer_id="c")), "Order Completed", "track", {})

    assert event is not None
    assert event.context["trackingPlan"] == {"name": "test", "version": "2.0.0"}
    assert event.context["protocols"] == {"event_version": 2}
