"""Writing an imported plan: a new folder, whole or not at all, and never over something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cdi_cli.errors import ConfigError
from cdi_cli.plan import PlanError, load_plan
from cdi_cli.plan.export_losses import Losses
from cdi_cli.plan.import_document import ImportedEvent, ImportedPlan
from cdi_cli.plan.import_files import dump, file_name, write_plan
from cdi_cli.plan.problems import Problems
from cdi_cli.plan.yaml_nodes import read_yaml


def a_plan(*names: str, **properties: Any) -> ImportedPlan:
    """A plan of events with these names and properties."""
    events = [ImportedEvent(name, "track", "", dict(properties)) for name in names]
    return ImportedPlan("shop", "1.0.0", "", True, events)


def test_a_folder_with_anything_in_it_is_not_touched(tmp_path: Path) -> None:
    """Nothing is overwritten and nothing is added."""
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "mine.txt").write_text("mine", encoding="utf-8")

    with pytest.raises(ConfigError, match="nothing is overwritten"):
        write_plan(a_plan("A"), tmp_path / "plan", Losses(), origin="Imported")

    assert [path.name for path in tmp_path.rglob("*")] == ["plan", "mine.txt"]


def test_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    """A link that leads nowhere is something that exists."""
    (tmp_path / "plan").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError, match="nothing is overwritten"):
        write_plan(a_plan("A"), tmp_path / "plan", Losses(), origin="Imported")

    assert not (tmp_path / "elsewhere").exists()


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    """A folder that was just made may be used; nothing is left beside it."""
    (tmp_path / "plan").mkdir()

    plan = write_plan(a_plan("A"), tmp_path / "plan", Losses(), origin="Imported from there")

    assert [event.name for event in plan.events] == ["A"]
    assert [path.name for path in tmp_path.iterdir()] == ["plan"]
    assert (tmp_path / "plan" / "plan.yaml").read_text(encoding="utf-8").startswith("# Imported from there\nname: shop\n")


def test_an_event_that_the_loader_refuses_is_told(tmp_path: Path) -> None:
    """It is left out with the loader's own words; the others are written."""
    losses = Losses()
    plan = a_plan("A", "B", a={"type": "string"})
    plan.events[0].properties = {"a": {"type": "nothing"}}

    found = write_plan(plan, tmp_path / "plan", losses, origin="Imported")

    assert [event.name for event in found.events] == ["B"]
    assert [(loss.event, loss.hint) for loss in losses.rules()] == [("A", "`nothing` is not a type")]


def test_without_any_event_nothing_is_written(tmp_path: Path) -> None:
    """A document of which nothing can be taken leaves no folder behind."""
    with pytest.raises(ConfigError, match="no event that a plan can have"):
        write_plan(a_plan("A", a={"type": "nothing"}), tmp_path / "plan", Losses(), origin="Imported")

    assert list(tmp_path.iterdir()) == []


def test_a_mistake_in_the_head_is_no_endless_search(tmp_path: Path) -> None:
    """What no event is to blame for is told as it is."""
    plan = a_plan("A")
    plan.version = "one"

    with pytest.raises(PlanError):
        write_plan(plan, tmp_path / "plan", Losses(), origin="Imported")

    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A file where the folder's parent should be."""
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(ConfigError, match="cannot be written"):
        write_plan(a_plan("A"), tmp_path / "file" / "plan", Losses(), origin="Imported")


def test_file_names_are_safe_and_their_own() -> None:
    """Letters, digits and underscores, short, and never the same twice, not even on a disk that ignores case."""
    taken: set[str] = set()

    names = [
        file_name(name, taken) for name in ("Order Completed", "order_completed", "../../etc", "注文", "完了", "x" * 300)
    ]

    assert names == ["order_completed", "order_completed_2", "etc", "event", "event_2", "x" * 60]


def test_short_properties_stand_on_one_line() -> None:
    """What has no parts and fits is written as in the plan that ships with cdi; what does not fit is not."""
    table = {
        "id": {"type": "string", "required": True, "enum": ["a", "no"]},
        "long": {"type": "string", "description": "x" * 200},
    }

    text = dump({"event": "Thing Done", "properties": table})

    assert text.splitlines() == [
        "event: Thing Done",
        "properties:",
        '  id: {type: string, required: true, enum: [a, "no"]}',
        "  long:",
        "    type: string",
        f"    description: {'x' * 200}",
    ]


def test_a_thousand_events_are_written(tmp_path: Path) -> None:
    """As many as mParticle allows; each in a file of its own."""
    plan = write_plan(
        a_plan(*(f"Event {number}" for number in range(1_000))), tmp_path / "plan", Losses(), origin="Imported"
    )

    assert len(plan.events) == 1_000
    assert load_plan(tmp_path / "plan").events == plan.events


def test_half_a_number_is_text(tmp_path: Path) -> None:
    """A word like `e5` in a plan's YAML is text, not a number without digits before its exponent."""
    file = tmp_path / "a.yaml"
    file.write_text("[e5, E+12, 1e3, -.5, .5e1, 1.5]", encoding="utf-8")

    node = read_yaml(file, Problems())

    assert node is not None
    assert node.plain() == ["e5", "E+12", 1000.0, -0.5, 5.0, 1.5]
