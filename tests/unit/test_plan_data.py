"""Where shipped data is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdi_cli import data
from cdi_cli.errors import ConfigError
from cdi_cli.plan import load_plan


def test_the_default_plan_is_found() -> None:
    """The plan that ships with cdi is found and is the one that is loaded by default."""
    folder = data.data_folder("tracking_plan")

    assert (folder / "plan.yaml").is_file()
    assert load_plan().folder == folder


def test_the_wheel_comes_before_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside an installed package the data lies under `_data`; only without it the folder beside the package counts."""
    package = tmp_path / "cdi_cli"
    beside, inside = tmp_path / "examples", package / "_data" / "examples"
    monkeypatch.setattr(data, "_PACKAGE", package)

    beside.mkdir()
    assert data.data_folder("examples") == beside
    inside.mkdir(parents=True)
    assert data.data_folder("examples") == inside


def test_missing_data_says_what_to_do() -> None:
    """An installation without its data is named, with the next step."""
    with pytest.raises(ConfigError, match="`nothing` that ships with cdi is missing") as caught:
        data.data_folder("nothing")

    assert caught.value.hint == "reinstall cdi-cli"
