"""The JSON Schema of plan files: what the loader takes it takes, and unknown keys are refused by both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from plan_tools import HEAD, copy_default_plan, write_plan
from typer.testing import CliRunner

from cdi_cli.cli.app import app
from cdi_cli.data import data_folder
from cdi_cli.plan import PlanError, load_plan
from cdi_cli.plan.file_schema import FOLDERS, add_schemas, file_schema

FULL = {
    "plan.yaml": HEAD
    + "owner: me\ndescription: x\nconventions: {event_case: title, event_tense: past}\non_violation: strip\n"
    + "unplanned_properties: warn\nunplanned_events: block\n",
    "groups/ids.yaml": "description: Ids\nproperties: {number: {type: string, from: order.number}}\n",
    "definitions/tier.yaml": 'type: [string, "null"]\nenum: [gold, silver]\ndescription: Tier\n',
    "definitions/line.yaml": "type: object\nproperties: {sku: {type: string, from: item.sku}}\n",
    "events/a.yaml": """
event: Order Completed
trigger: order.completed
since: "1.0.0"
deprecated: {since: "1.1.0", reason: old}
groups: ids
destinations: {a: false, b: {rename: Purchase, properties: {exclude: [tier], rename: {number: id}}}}
properties:
  tier: {$ref: tier, from: [record.a, "record.b[0].c"], pii: none, deprecated: "1.2.0"}
  lines: {type: array, from: order.lines, minItems: 1, items: {$ref: line}}
  any: {from: record.z, type: object, anyOf: [{required: [x]}, {properties: {y: {type: string, maxLength: 3}}}]}
""",
}


def validators() -> dict[str, Any]:
    """One validator per kind of file."""
    return {kind: jsonschema.Draft7Validator(file_schema(kind)) for kind in FOLDERS}


def findings(folder: Path) -> list[str]:
    """What the schemas find wrong with the files of a plan, each checked by the schema of its folder."""
    found = []
    for kind, validator in validators().items():
        for path in sorted(folder.glob(FOLDERS[kind])):
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
            found += [f"{path.name}: {error.message}" for error in validator.iter_errors(data)]
    return found


@pytest.mark.parametrize("kind", [None, *FOLDERS])
def test_each_schema_is_valid_and_refers_to_itself_only(kind: str | None) -> None:
    """Every schema is sound draft-07 without a reference to anywhere else."""
    schema = file_schema(kind)

    jsonschema.Draft7Validator.check_schema(schema)
    text = json.dumps(schema)
    assert text.count('"$ref": "#/definitions/') == text.count('"$ref": "')


def test_the_shipped_plan_fits_its_schema() -> None:
    """No file of the shipped plan breaks the schema of its kind, and all kinds of the folder were looked at."""
    folder = data_folder("tracking_plan")

    assert findings(folder) == []
    assert len(list(folder.glob("events/*.yaml"))) >= 8


def test_every_part_of_the_format_fits(tmp_path: Path) -> None:
    """A plan that uses all keys is taken by the loader and by the schema."""
    folder = write_plan(tmp_path, FULL)

    assert len(load_plan(folder).events) == 1
    assert findings(folder) == []


MISTAKEN = [
    ("plan.yaml", "owner: me", "ownr: me"),
    ("plan.yaml", '"1.2.3"', '"1.2"'),
    ("plan.yaml", "unplanned_properties: warn", "unplanned_properties: drop"),
    ("plan.yaml", "event_tense: past", "event_tense: present"),
    ("groups/ids.yaml", "properties:", "propertys:"),
    ("groups/ids.yaml", "description: Ids", "traits: {a: {type: string, from: order.id}}"),
    ("definitions/tier.yaml", "enum: [gold, silver]", "enum: gold"),
    ("definitions/tier.yaml", "description: Tier", "descripton: Tier"),
    ("events/a.yaml", "trigger: order.completed", "trigger: order.done"),
    ("events/a.yaml", 'since: "1.0.0"', "since: 1"),
    ("events/a.yaml", "reason: old", "why: old"),
    ("events/a.yaml", "a: false", "a: 0"),
    ("events/a.yaml", "exclude: [tier]", "exclud: [tier]"),
    ("events/a.yaml", "properties:\n  tier", "traits:\n  tier"),
    ("events/a.yaml", "pii: none", "pii: maybe"),
    ("events/a.yaml", "minItems: 1", "minItems: -1"),
    ("events/a.yaml", "maxLength: 3", "maxLenght: 3"),
    ("events/a.yaml", "type: array, ", ""),
]


@pytest.mark.parametrize(("file", "old", "new"), MISTAKEN)
def test_a_mistake_is_seen_by_the_loader_and_by_the_editor(tmp_path: Path, file: str, old: str, new: str) -> None:
    """What is wrong with the shape of a file is refused by the loader and by its schema alike."""
    assert FULL[file].count(old) == 1
    folder = write_plan(tmp_path, {**FULL, file: FULL[file].replace(old, new)})

    with pytest.raises(PlanError):
        load_plan(folder)
    assert findings(folder) != []


def test_the_command_prints_each_schema() -> None:
    """`cdi plan schema` prints one for all kinds, `--kind` the one that was asked for."""
    runner = CliRunner()

    assert json.loads(runner.invoke(app, ["plan", "schema"]).stdout) == file_schema()
    for kind in FOLDERS:
        assert json.loads(runner.invoke(app, ["plan", "schema", "--kind", kind]).stdout) == file_schema(kind)
    assert runner.invoke(app, ["plan", "schema", "--kind", "evnt"]).exit_code == 2


def test_a_copied_plan_leads_editors_to_its_schemas(tmp_path: Path) -> None:
    """Each file's first line names a schema that exists; the plan is still the same plan."""
    folder = copy_default_plan(tmp_path)
    before = load_plan(folder)

    add_schemas(folder)

    for path in [folder / "plan.yaml", *folder.glob("*/*.yaml")]:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        mark, _, target = first.partition("$schema=")
        assert mark == "# yaml-language-server: "
        assert json.loads((path.parent / target).read_text(encoding="utf-8"))["title"] in FOLDERS.values()
    assert [event.name for event in load_plan(folder).events] == [event.name for event in before.events]
