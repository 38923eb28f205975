"""Reading a document of another system: JSON, of bounded size and depth, whose shape is not trusted.

A plan comes out of it as `ImportedPlan`: the plan's own file format as plain data, one mapping per file, not yet written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from cdi_cli.errors import ConfigError
from cdi_cli.plan.model import holder_of

DOCUMENT_BYTES_MAX = 20_000_000
"""More than twice what mParticle allows a data plan to be (10 MB; sheet "mParticle", section 2)."""

DEPTH_MAX = 100


@dataclass(slots=True)
class ImportedEvent:
    """One event file as plain data; `table` is "properties" or "traits", the key under which its properties stand."""

    name: str
    type: str
    description: str
    properties: dict[str, Any]
    extra: dict[str, Any] = field(default_factory=dict)
    todo: tuple[str, ...] = ()
    """What keeps the event from being made by cdi: required properties of which nobody knows where they come from."""

    @property
    def table(self) -> str:
        """The key under which the properties stand."""
        return holder_of(self.type)

    def file(self) -> dict[str, Any]:
        """The content of the event's file."""
        head: dict[str, Any] = {"event": self.name, "type": self.type, "trigger": "none", "description": self.description}
        written = {key: value for key, value in (head | self.extra).items() if value != ""}
        return written | ({self.table: self.properties} if self.properties else {})


@dataclass(slots=True)
class ImportedPlan:
    """A plan as another system describes it, in terms of our files."""

    name: str
    version: str
    description: str
    forbids_unplanned: bool
    events: list[ImportedEvent]
    templates: dict[str, str] = field(default_factory=dict)
    """File name -> text of the templates that events may name."""

    def head(self) -> dict[str, Any]:
        """The content of `plan.yaml`."""
        unplanned = "forbid" if self.forbids_unplanned else "allow"
        head = {"name": self.name, "version": self.version, "description": self.description}
        return {key: value for key, value in head.items() if value} | {"unplanned_properties": unplanned}


def read_document(path: Path) -> Any:
    """The JSON value of a file; raises ConfigError for one that cannot be read, is too large or nested too deep."""
    where = str(path)
    try:
        if path.stat().st_size > DOCUMENT_BYTES_MAX:
            raise ConfigError(f"the file is larger than {DOCUMENT_BYTES_MAX:,} bytes", where=where)
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror}", where=where, hint="check its name") from None
    try:
        value = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the file is not JSON: {error}", where=where, hint="export it as JSON and try again") from None
    except RecursionError:
        raise ConfigError("the file is nested too deep", where=where) from None
    if _depth(value) > DEPTH_MAX:
        raise ConfigError(f"the file is nested deeper than {DEPTH_MAX} levels", where=where)
    return value


def _depth(value: Any) -> int:
    """How many levels of objects and lists there are, counted without recursion; stops counting beyond the limit."""
    level, depth = [value], 0
    while level and depth <= DEPTH_MAX:
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        depth += 1
    return depth


def text_of(value: Any) -> str:
    """A text as it is, anything else as no text."""
    return value if isinstance(value, str) else ""


def table_of(value: Any) -> dict[str, Any]:
    """An object as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """A list as it is, anything else as an empty one."""
    return value if isinstance(value, list) else []
