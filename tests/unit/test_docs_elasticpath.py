"""`docs/elasticpath.md` is true: its settings load, its switches and events are all that there are, its example agrees."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdi_cli.config.settings import LifecyclePolicy, PipelineSettings, Settings
from cdi_cli.data import data_folder
from cdi_cli.errors import ConfigError
from cdi_cli.events import KINDS
from cdi_cli.pipeline.project import load_project
from cdi_cli.plan import load_plan
from cdi_cli.plan.scripts import FOLDER
from cdi_cli.sources.elasticpath import SOURCE
from cdi_cli.sources.elasticpath.settings import RATE_MAX, ElasticPathSettings
from cdi_cli.sources.elasticpath.streams import LISTINGS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "elasticpath.md").read_text(encoding="utf-8")
CODE = re.compile(r"`([^`]+)`")
SECRETS = ("ELASTICPATH_CLIENT_SECRET", "SEGMENT_WRITE_KEY")
PARTS = {"pipeline": PipelineSettings, "source": ElasticPathSettings}


class Yaml(yaml.SafeLoader):
    """YAML as `cdi` reads it, where `off` is a word."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the name and the form are PyYAML's
        first: [(tag, form) for tag, form in forms if first in "tTfF" or not tag.endswith(":bool")]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def table(name: str) -> list[list[str]]:
    """The cells of a table between two marks, without its head."""
    marked = TEXT.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]
    rows = [line for line in marked.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[1:]]


def settings_in(text: str) -> list[dict[str, Any]]:
    """What is written in code as `key: value`, as YAML reads it."""
    found = [yaml.load(code, Yaml) for code in CODE.findall(text) if re.match(r"[a-z_]+: ", code)]
    return [each for each in found if isinstance(each, dict)]


def written() -> list[dict[str, Any]]:
    """All settings of the page but those of a plan's files."""
    return [each for each in settings_in(TEXT) if "template" not in each]


def text_of(given: dict[str, Any]) -> str:
    """A `cdi.yaml` with one setting of the page in it, wherever it belongs."""
    (key,) = given
    if key == "customer_updated":
        given, key = {"lifecycle": given}, "lifecycle"
    source: dict[str, Any] = {
        "type": "elasticpath",
        "region": "eu",
        "client_id": "abc",
        "client_secret": f"${{{SECRETS[0]}}}",
    }
    destination: dict[str, Any] = {"type": "segment", "region": "eu", "write_key": f"${{{SECRETS[1]}}}"}
    pipeline: dict[str, Any] = {"source": "shop", "destinations": ["out"]}
    if key in PipelineSettings.model_fields:
        pipeline |= given
    elif key in ElasticPathSettings.model_fields:
        source |= given
        if key == "base_url":
            del source["region"]
    else:
        destination |= given
    parts = {"sources": {"shop": source}, "destinations": {"out": destination}, "pipelines": {"main": pipeline}}
    return yaml.safe_dump({"workspace": "docs", **parts})


def load(folder: Path, text: str) -> Settings:
    """The settings that a text is."""
    file = folder / "cdi.yaml"
    file.write_text(text, encoding="utf-8")
    return load_project(file).settings


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's settings refer to them."""
    for name in SECRETS:
        monkeypatch.setenv(name, "placeholder")


@pytest.mark.parametrize("given", written(), ids=str)
def test_every_setting_of_the_page_loads(given: dict[str, Any], tmp_path: Path) -> None:
    """As it is written there, in the part that it belongs to; what the page calls refused is refused."""
    if given == {"customer_updated": "deleted"}:
        with pytest.raises(ConfigError):
            load(tmp_path, text_of(given))
    else:
        assert load(tmp_path, text_of(given)).pipelines["main"].source == "shop"


def test_the_page_has_settings() -> None:
    """So that the test above is about something."""
    assert len(written()) > 25
    assert {key for given in written() for key in given} > {"lifecycle", "lookups", "shipping_skus", "identity", "sync"}


def test_every_switch_is_in_the_table() -> None:
    """Each value of each switch that the source can tell; what is `when absent` is what a pipeline has by itself."""
    found: dict[str, set[str]] = {name: set() for name in SOURCE.switches.choices}
    absent: dict[str, str] = {}
    for _, ours in table("settings"):
        for given in settings_in(ours):
            for name, value in given.get("lifecycle", {}).items():
                if name in found:
                    found[name].add(value)
                    absent |= {name: value} if "(when absent)" in ours else {}
    assert found == {name: set(values) for name, values in SOURCE.switches.choices.items()}
    assert absent == {name: values[0] for name, values in SOURCE.switches.choices.items()}


def test_every_event_is_in_the_table(tmp_path: Path) -> None:
    """Each event of the plan that ships with cdi and that this source can make, each kind once; all can be switched off."""
    switches = load(tmp_path, text_of({"region": "eu"})).pipelines["main"].lifecycle
    families = {stream.family for stream in SOURCE.streams if stream.is_default}
    made = {
        event.name
        for event in load_plan().events
        if KINDS[event.trigger].origins & families
        or (event.trigger.startswith("cart.") and switches.checkout_started != "cart")
    }
    assert {event for event, _, _ in table("events")} == made

    off = list(
        chain(*(given.get("lifecycle", {}).get("off", ()) for _, ours in table("settings") for given in settings_in(ours)))
    )
    optional = {event.trigger for event in load_plan().events if event.name in made} - {
        "cart.checkout_started",
        "order.completed",
    }
    assert set(off) == optional
    assert set(off) <= KINDS.keys()
    assert set(LifecyclePolicy.model_fields) >= SOURCE.switches.choices.keys()


def test_the_requests_of_the_page_are_those_of_the_source() -> None:
    """Every list that is read is named, and every stream."""
    assert {listing.path for listing in LISTINGS.values()} <= set(CODE.findall(TEXT))
    named = {name for line in TEXT.splitlines() for name in re.findall(r"[Ss]tream `(\w+)`", line)}
    assert named == {stream.name for stream in SOURCE.streams}


def test_the_numbers_of_the_page_are_those_of_the_source() -> None:
    """The pace, the overlap and the settling time by default, and what a store allows."""
    assert {"rate": ElasticPathSettings.model_fields["rate"].default} in written()
    assert {
        "sync": {"settle": f"{SOURCE.settle_seconds // 60}m", "overlap": f"{SOURCE.overlap_seconds // 60}m"}
    } in written()
    assert f"{RATE_MAX:g} requests per second in production" in TEXT


def test_the_example_has_a_template_for_each_event() -> None:
    """Every event of the example's plan that the vendor sends, too, is made by a template of its own."""
    plan = load_plan(data_folder("examples") / "elasticpath" / "tracking_plan")
    templates = {event.name: event.template.name for event in plan.events if event.template is not None}
    theirs = {event for event, there, _ in table("events") if there != "none"}
    assert set(templates) == theirs
    assert len(set(templates.values())) == len(templates)
    assert sorted(templates.values()) == sorted(file.name for file in (plan.folder / FOLDER).iterdir())


def test_the_example_sets_what_the_page_says(tmp_path: Path) -> None:
    """Its switches are written out, at the values that the vendor's page has by default."""
    text = (data_folder("examples") / "elasticpath" / "cdi.yaml").read_text(encoding="utf-8")
    lifecycle = yaml.load(text, Yaml)["pipelines"]["main"]["lifecycle"]
    assert {name: lifecycle.get(name) for name in ("checkout_started", "order_completed")} == {
        "checkout_started": "created",
        "order_completed": "paid",
    }
    theirs = {event for event, there, _ in table("events") if there == "none"} - {"Signed Up"}
    beyond = {event.trigger for event in load_plan().events if event.name in theirs}
    assert set(lifecycle["off"]) == beyond
