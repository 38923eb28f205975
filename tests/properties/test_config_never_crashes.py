"""Whatever a settings file holds, reading it ends in settings or in a ConfigError that says where."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import yaml
from config_connectors import GOOD, KNOWN, write
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.cli.errors import error_lines
from cdi_cli.config.load import load_settings
from cdi_cli.config.problems import SettingsError
from cdi_cli.config.settings import Settings
from cdi_cli.config.show import show_json, show_yaml
from cdi_cli.errors import ConfigError

BREAKS = re.compile("[\n\r\x85\u2028\u2029]")
LINES = GOOD.splitlines()
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PLACES: list[tuple[str, ...]] = [
    ("workspace",),
    ("plan",),
    ("log",),
    ("sources",),
    ("sources", "main"),
    ("sources", "main", "type"),
    ("sources", "main", "project_key"),
    ("sources", "main", "client_secret"),
    ("sources", "main", "tokens"),
    ("sources", "main", "lookups"),
    ("destinations",),
    ("destinations", "sink"),
    ("destinations", "sink", "require_consent"),
    ("pipelines",),
    ("pipelines", "daily"),
    ("pipelines", "daily", "source"),
    ("pipelines", "daily", "destinations"),
    ("pipelines", "daily", "streams"),
    ("pipelines", "daily", "consent"),
    ("pipelines", "daily", "consent", "Ads"),
    ("pipelines", "daily", "lifecycle"),
    ("pipelines", "daily", "ids"),
]


def read(text: str) -> Settings | ConfigError:
    """The settings, or the error, after checking that the error can be told."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return load_settings(write(Path(folder), text), known=KNOWN, environment={})
        except ConfigError as error:
            found = error
    assert list(error_lines(found))
    lines_max = len(BREAKS.findall(text)) + 2
    problems = found.problems if isinstance(found, SettingsError) else ()
    assert all(1 <= problem.line <= lines_max and problem.column >= 1 for problem in problems)
    return found


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    """Arbitrary text, which is hardly ever YAML, never crashes the reader."""
    read(text.encode("utf-8", "replace").decode())


@given(st.integers(0, len(LINES) - 1), st.text(max_size=30))
def test_a_good_file_with_one_broken_line(number: int, line: str) -> None:
    """A line replaced by anything never crashes the reader."""
    lines = [*LINES[:number], line.encode("utf-8", "replace").decode(), *LINES[number + 1 :]]

    read("\n".join(lines) + "\n")


@given(st.sampled_from(PLACES), VALUES)
def test_any_value_at_any_place(place: tuple[str, ...], value: Any) -> None:
    """A value of any shape at any place is taken or reported; what is taken can be shown."""
    data: dict[str, Any] = yaml.safe_load(GOOD)
    owner = data
    for part in place[:-1]:
        owner = owner.setdefault(part, {})
    owner[place[-1]] = value

    result = read(yaml.safe_dump(data, allow_unicode=True))

    if isinstance(result, Settings):
        assert show_json(result)
        assert yaml.safe_load(show_yaml(result))
