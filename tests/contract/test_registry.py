"""Connectors are found by folder and by entry point, and by nothing else (`registry.py`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdi_cli import destinations, sources
from cdi_cli.destinations import DestinationSpec
from cdi_cli.sources import SourceSpec

LOADERS = [pytest.param(sources.load, id="source"), pytest.param(destinations.load, id="destination")]
STRANGE = [
    "",
    ".",
    "..",
    "../x",
    "../commercetools",
    "commercetools/../segment",
    "/etc",
    "os",
    "os.path",
    "cdi_cli.sources.commercetools",
    "commercetools.client",
    "_base",
    "__init__",
    "__pycache__",
    "commercetools ",
    "Commercetools",
    "Segment",
    "commercetools\x00",
    "no_such_connector",
    "x" * 10_000,
    "ｓegment",
]
_SOURCE = """
from cdi_cli.config.types import ConnectorSettings
from cdi_cli.sources import SourceSpec, Stream

SOURCE = SourceSpec("fakeshop", "Fake shop", ConnectorSettings, lambda settings, context: None, (Stream("orders", "order"),))
"""
_DESTINATION = """
from cdi_cli.config.types import ConnectorSettings
from cdi_cli.destinations import DestinationSpec

DESTINATION = DestinationSpec("fakesink", "Fake sink", ConnectorSettings, lambda settings, context: None, True)
"""
_PROBE = """
import json, sys
from cdi_cli import destinations, sources
names = [sources.names(), destinations.names()]
early = sorted(
    name for name in sys.modules if name.startswith(("fake_connectors", "cdi_cli.sources.")) and "_base" not in name
)
print(json.dumps({"names": names, "early": early, "titles": [
    sources.load("fakeshop").title, destinations.load("fakesink").title]}))
"""


def test_what_is_listed_can_be_loaded() -> None:
    """Each name gives a specification of that name; the lists are sorted and hold what this package ships."""
    assert sources.names() == sorted(set(sources.names())) != []
    assert destinations.names() == sorted(set(destinations.names())) != []
    loaded = [(name, sources.load(name)) for name in sources.names()]
    delivered = [(name, destinations.load(name)) for name in destinations.names()]

    assert all(isinstance(spec, SourceSpec) and spec.name == name for name, spec in loaded)
    assert all(isinstance(spec, DestinationSpec) and spec.name == name for name, spec in delivered)


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("name", STRANGE)
def test_a_name_that_is_not_listed_is_refused(load: Callable[[str], Any], name: str) -> None:
    """Whatever it looks like, it never becomes a path or a module: nothing is imported for it."""
    before = set(sys.modules)

    with pytest.raises(KeyError):
        load(name)

    assert set(sys.modules) == before


@pytest.fixture
def with_package(tmp_path: Path) -> dict[str, str]:
    """An environment in which a package with two connectors of its own is installed."""
    package = tmp_path / "fake_connectors"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "shop.py").write_text(_SOURCE, encoding="utf-8")
    (package / "sink.py").write_text(_DESTINATION, encoding="utf-8")
    metadata = tmp_path / "fake_connectors-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-connectors\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(
        "[cdi.sources]\nfakeshop = fake_connectors.shop:SOURCE\n\n"
        "[cdi.destinations]\nfakesink = fake_connectors.sink:DESTINATION\n",
        encoding="utf-8",
    )
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return inherited | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}


def test_connectors_of_an_installed_package_are_found(with_package: dict[str, str]) -> None:
    """Entry points add to what the folders hold; listing names imports no connector, loading gives theirs."""
    probe = subprocess.run(
        [sys.executable, "-c", _PROBE], env=with_package, capture_output=True, text=True, check=False, timeout=60
    )

    assert probe.stderr == ""
    found = json.loads(probe.stdout)
    assert found["names"] == [sorted([*sources.names(), "fakeshop"]), sorted([*destinations.names(), "fakesink"])]
    assert found["early"] == []
    assert found["titles"] == ["Fake shop", "Fake sink"]


def test_a_package_that_is_not_installed_is_not_found() -> None:
    """The names of the test before exist only where that package is."""
    assert "fakeshop" not in sources.names()
    assert "fakesink" not in destinations.names()


def test_no_installed_package_hides_a_folder(with_package: dict[str, str], tmp_path: Path) -> None:
    """A package that claims the name of a built-in connector does not replace it."""
    name = sources.names()[0]
    (tmp_path / "fake_connectors-1.0.dist-info" / "entry_points.txt").write_text(
        f"[cdi.sources]\n{name} = fake_connectors.shop:SOURCE\n", encoding="utf-8"
    )
    script = f"from cdi_cli import sources; print(sources.names().count({name!r}), sources.load({name!r}).name)"
    probe = subprocess.run(
        [sys.executable, "-c", script], env=with_package, capture_output=True, text=True, check=False, timeout=60
    )

    assert probe.stdout.split() == ["1", name], probe.stderr
