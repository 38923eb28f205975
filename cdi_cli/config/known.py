"""What a settings file may name of the layers above, handed down by the caller: this layer imports none of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from cdi_cli.config.switches import Switches


@dataclass(frozen=True, slots=True)
class Connectors:
    """The sources, or the destinations, that can be named as a `type`; `model` gives the settings model of one."""

    names: Sequence[str]
    model: Callable[[str], type[BaseModel]]


@dataclass(frozen=True, slots=True)
class Known:
    """What the layers above offer: connectors, the streams of a source type, lifecycle kinds, fields of an event id.

    `switches`: what a source type can tell of the switches of a `lifecycle`.
    """

    sources: Connectors
    destinations: Connectors
    streams: Callable[[str], Sequence[str]]
    kinds: Collection[str]
    id_fields: Collection[str]
    switches: Callable[[str], Switches] = field(default=lambda _source_type: Switches())
