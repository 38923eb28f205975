"""The projects under `examples/`: their fixtures come out as expected, and they run against the simulators they name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi_cli.clock import SYSTEM_CLOCK
from cdi_cli.data import data_folder
from cdi_cli.sandbox import SandboxOptions, SandboxThread, cdi_environment

SOURCES = {"quickstart": "commercetools", "magento": "magento", "elasticpath": "elasticpath"}
ADDRESS = "http://127.0.0.1:8137/"


def cdi(folder: Path, *arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    return subprocess.run(
        (sys.executable, "-m", "cdi_cli", *arguments),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(params=SOURCES)
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A copy of each example."""
    return shutil.copytree(data_folder("examples") / request.param, tmp_path / request.param)


def test_examples_are_all_here() -> None:
    """Every project of the folder is tried below."""
    assert {file.parent.name for file in data_folder("examples").glob("*/cdi.yaml")} == set(SOURCES)


def test_the_fixtures_of_an_example_come_out_as_expected(example: Path) -> None:
    """Without a connection, without a secret, and with nothing found."""
    done = cdi(example, "validate", environment={})

    assert done.returncode == 0, done.stdout
    assert "no findings" in done.stdout
    counted = re.search(r"fixtures:  (\d+) records made (\d+) events", done.stdout)
    assert counted is not None
    assert int(counted[1]) >= 6
    assert int(counted[2]) > int(counted[1])


def test_an_example_runs_as_its_page_says(example: Path) -> None:
    """`cdi check` finds nothing, a backfill delivers everything, and the books close; the same again sends nothing."""
    options = SandboxOptions(sources=(SOURCES[example.name],), orders=60, now=SYSTEM_CLOCK.instant())
    with SandboxThread(options) as sandbox:
        settings = example / "cdi.yaml"
        text = settings.read_text(encoding="utf-8")
        assert ADDRESS in text
        settings.write_text(text.replace(ADDRESS, f"{sandbox.url}/"), encoding="utf-8")
        environment = cdi_environment(options)

        check = cdi(example, "check", environment=environment)
        first = cdi(example, "backfill", "--since", "2020-01-01", "--rate", "100000", environment=environment)
        delivered = len(sandbox.segment.applied)
        again = cdi(example, "backfill", "--since", "2020-01-01", "--rate", "100000", environment=environment)

        assert check.returncode == 0, check.stdout
        assert first.returncode == 0, first.stdout + first.stderr
        assert "books close" in first.stdout
        assert " 0 rejected" in first.stdout
        assert delivered > 100
        assert again.returncode == 0
        assert len(sandbox.segment.applied) == delivered
        secrets = environment.values()
        assert not any(secret in done.stdout + done.stderr for done in (check, first, again) for secret in secrets)
