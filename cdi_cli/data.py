"""Where the data that ships with `cdi` lies: inside the wheel, or beside the package in a checkout.

The wheel carries `tracking_plan/` and `examples/` under `cdi_cli/_data/` (see `force-include` in `pyproject.toml`); a
checkout and an editable install have them next to the package folder.
"""

from __future__ import annotations

from pathlib import Path

from cdi_cli.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent


def data_folder(name: str) -> Path:
    """The folder `name` (`tracking_plan`, `examples`) that came with this installation; raises ConfigError if it is gone."""
    for place in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise ConfigError(
        f"the folder `{name}` that ships with cdi is missing",
        where=str(_PACKAGE / "_data"),
        hint="reinstall cdi-cli",
    )
