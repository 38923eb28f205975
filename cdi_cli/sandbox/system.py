"""The contract of a simulated system, and where simulated systems are found.

A system is a folder beside this file that holds a `system.py` with `SYSTEM`, a `SystemSpec`; the folder's name is its name,
the first part of the path of its requests (`/magento/...`) and of its routes in the admin API (`/_sandbox/magento/...`). A
sandbox opens a system when it is first needed: those that its options name before it serves, any other with its first
request. Nothing outside the folder needs to know it, but for its own options (see `options`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from cdi_cli.sandbox.clock import SandboxClock
    from cdi_cli.sandbox.http_server import Request, Response
    from cdi_cli.sandbox.options import SandboxOptions

AdminRoute = Callable[["Request"], Any]
"""Answers a request of the admin API with a `Response`, or with anything that has a JSON form."""


class System(Protocol):
    """A running imitation of one platform or product; its methods may be called from any thread."""

    def handle(self, request: Request) -> Response:
        """The answer to a request; its path still begins with the system's name."""
        ...

    def failed(self, request: Request, /, status: int) -> Response:
        """What the imitated system sends with an error status when a fault names only the status."""
        ...

    def admin_routes(self) -> Mapping[tuple[str, str], AdminRoute]:
        """Routes of its own below `/_sandbox/{name}/`: (method, rest of the path) -> what answers."""
        ...

    def stats(self) -> dict[str, Any]:
        """What it holds and what it was asked, in numbers."""
        ...

    def more_orders(self, count: int, /) -> dict[str, int]:
        """Add seed data; returns how many records of each kind there are now. A destination adds nothing."""
        ...


@dataclass(frozen=True, slots=True)
class SystemSpec:
    """What a system's folder says about itself.

    `settings(url, options)` is the YAML of a `cdi.yaml` part that points at it (without indentation), `environment(options)`
    the variables that this text refers to. `pipeline` is the YAML that a pipeline which reads it needs besides. `is_source`
    tells platforms that are read from products that are fed.
    """

    name: str
    title: str
    is_source: bool
    open: Callable[[SandboxOptions, SandboxClock], System]
    settings: Callable[[str, SandboxOptions], str]
    environment: Callable[[SandboxOptions], dict[str, str]]
    pipeline: str = ""


@cache
def names() -> tuple[str, ...]:
    """The names of all systems, sorted."""
    return tuple(sorted(path.parent.name for path in Path(__file__).parent.glob("*/system.py")))


def spec_of(name: str) -> SystemSpec:
    """What a system's folder says; raises ValueError for a name that has no folder."""
    if name not in names():
        msg = f"no simulated system `{name}`: one of {', '.join(names())}"
        raise ValueError(msg)
    found = import_module(f"cdi_cli.sandbox.{name}.system").SYSTEM
    assert isinstance(found, SystemSpec)
    return found


def source_names() -> list[str]:
    """The names of the systems that are read."""
    return [name for name in names() if spec_of(name).is_source]
