"""A project: names are picked, and own ids must fit the tracking plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdi_cli.config.problems import SettingsError
from cdi_cli.errors import ConfigError
from cdi_cli.pipeline.project import Project, load_project

TEXT = """\
workspace: acme
sources:
  shop: {type: commercetools, project_key: shop, region: europe-west1.gcp, client_id: c, client_secret: "${S}"}
destinations:
  segment: {type: segment, region: eu, write_key: "${K}"}
pipelines:
  main:
    source: shop
    destinations: [segment]
"""


def project(folder: Path, more: str = "") -> Project:
    """The project of the text above with something added."""
    file = folder / "cdi.yaml"
    file.write_text(TEXT + more)
    return load_project(file, environment={})


def test_the_only_pipeline_needs_no_name(tmp_path: Path) -> None:
    """One pipeline is meant when none is named; its source's streams are known."""
    found = project(tmp_path)

    assert found.pipeline_name() == "main"
    assert found.pipeline_name("main") == "main"
    assert {"customers", "orders"} <= set(found.stream_names("shop"))
    assert found.destination_spec("segment").name == "segment"


def test_several_pipelines_need_a_name(tmp_path: Path) -> None:
    """Without a name the choices are listed; a misspelt one gets a suggestion."""
    found = project(tmp_path, "  second: {source: shop, destinations: [segment]}\n")

    with pytest.raises(ConfigError) as several:
        found.pipeline_name()
    with pytest.raises(ConfigError) as unknown:
        found.pipeline_name("secnd")

    assert (several.value.message, several.value.hint) == (
        "there are several pipelines: `main`, `second`",
        "choose one with `--pipeline main`",
    )
    assert (unknown.value.message, unknown.value.hint) == ("there is no pipeline `secnd`", "did you mean `second`?")


def test_streams_of_the_real_source_are_checked(tmp_path: Path) -> None:
    """A stream that the connector does not offer is a mistake at its place."""
    with pytest.raises(SettingsError) as caught:
        project(tmp_path, "    streams: [orders, custmers]\n")

    assert (caught.value.message, caught.value.hint) == ("unknown stream `custmers`", "did you mean `customers`?")


def test_a_plan_without_own_ids_is_compiled(tmp_path: Path) -> None:
    """The built-in plan is used when the file names none."""
    plan = project(tmp_path).plan("main")

    assert {rule.name for kind in plan.kinds for rule in plan.rules(kind)} >= {"Order Completed", "Order Refunded"}


def test_own_ids_fit_the_plan(tmp_path: Path) -> None:
    """Ids of known events that happen once, and of repeating ones with a discriminator, are accepted."""
    found = project(
        tmp_path,
        '    ids: {Order Completed: "{entity_number}-done", Order Refunded: "{entity_number}-{discriminator}"}\n',
    )

    assert found.plan("main").version


def test_ids_that_do_not_fit_the_plan_are_told_at_their_line(tmp_path: Path) -> None:
    """An event that the plan lacks, and a repeating event without discriminator, are mistakes, both at once."""
    found = project(
        tmp_path,
        '    ids:\n      Order Complete: "{entity_number}-done"\n      Order Refunded: "{entity_number}-refund"\n',
    )

    with pytest.raises(SettingsError) as caught:
        found.plan("main")

    assert [(problem.line, problem.message, problem.hint) for problem in caught.value.problems] == [
        (11, "the tracking plan has no event `Order Complete`", "did you mean `Order Completed`?"),
        (
            12,
            "`Order Refunded` can happen more than once to one order: its ids would repeat",
            "add `{discriminator}` to the form",
        ),
    ]


def test_the_command_line_that_finds_the_file_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hints repeat `--config` only where it is needed, quoted for a shell."""
    folder = tmp_path / "my shop"
    folder.mkdir()
    project(folder)
    monkeypatch.chdir(folder)

    assert load_project(environment={}).config_flag == ""
    assert load_project(Path("cdi.yaml"), environment={}).config_flag == ""
    monkeypatch.chdir(tmp_path)
    assert load_project(Path("my shop/cdi.yaml"), environment={}).config_flag == " --config 'my shop/cdi.yaml'"
