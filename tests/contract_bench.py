"""How contract tests open a connector: by nothing but its specification, against its simulator."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from simulators import DestinationSimulator, SourceSimulator

from cdi_cli import destinations, sources
from cdi_cli.checks import Check
from cdi_cli.clock import Window
from cdi_cli.commerce import Cart, Customer, Order, Product
from cdi_cli.destinations import Destination, DestinationContext, DestinationSpec
from cdi_cli.errors import CdiError
from cdi_cli.sources import Cursor, Departed, Page, Source, SourceContext, SourceSpec

ENTITIES: dict[str, type] = {"customer": Customer, "order": Order, "cart": Cart, "product": Product}
SAYINGS: tuple[type, ...] = (*ENTITIES.values(), Departed)
"""What a readable record can come to: something that events are made of, or that a customer is gone."""
_STREAMS = [(name, stream) for name in sources.names() for stream in sources.load(name).streams]

each_source = pytest.mark.parametrize("_source_name", sources.names(), indirect=True)
each_destination = pytest.mark.parametrize("_destination_name", destinations.names(), indirect=True)
each_stream = pytest.mark.parametrize(
    ("_source_name", "stream"),
    [pytest.param(name, stream.name, id=f"{name}-{stream.name}") for name, stream in _STREAMS],
    indirect=["_source_name"],
)
each_walk = pytest.mark.parametrize(
    ("_source_name", "stream", "by"),
    [
        pytest.param(name, stream.name, by, id=f"{name}-{stream.name}-{by}")
        for name, stream in _STREAMS
        for by, is_offered in (("created", stream.by_creation), ("modified", stream.by_change))
        if is_offered
    ],
    indirect=["_source_name"],
)


@dataclass
class SourceBench:
    """A source under test."""

    spec: SourceSpec
    simulator: SourceSimulator
    _monkeypatch: pytest.MonkeyPatch
    waits: list[float] = field(default_factory=list)

    def settings(self, stream: str = "", changes: Mapping[str, Any] | None = None) -> Any:
        """The settings model, filled in; secrets are in the environment from here on."""
        return self.spec.settings.model_validate(self.simulator.settings(stream) | dict(changes or {}))

    @asynccontextmanager
    async def opened(
        self, stream: str = "", changes: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
    ) -> AsyncIterator[Source]:
        """An open source; `stream` makes its pages small."""
        for name, value in {**self.simulator.environment, **(environment or {})}.items():
            self._monkeypatch.setenv(name, value)
        context = SourceContext(run_id="contract", on_retry=self.waits.append)
        source = self.spec.open(self.settings(stream, changes), context)
        try:
            yield source
        finally:
            await source.close()

    async def walk(self, stream: str, window: Window, cursor: Cursor | None = None, *, by: str = "created") -> list[Page]:
        """All pages of a window, read by a source that was opened for it."""
        async with self.opened(stream) as source:
            return [page async for page in source.pages(stream, window, cursor, by=by)]

    async def records(self, stream: str) -> list[bytes]:
        """All raw records of a stream."""
        return [bytes(record) for page in await self.walk(stream, self.simulator.window) for record in page.records]

    def ids(self, records: Sequence[bytes] | Sequence[Page]) -> list[str]:
        """The ids of raw records, or of all records of pages, in order."""
        raw = [record for item in records for record in (item.records if isinstance(item, Page) else [item])]
        return [self.simulator.id_of(json.loads(record)) for record in raw]

    def secrets(self) -> list[str]:
        """Every form of every secret that the source came to know."""
        return forms_of([*self.simulator.environment.values(), *self.simulator.secrets_served()])


@dataclass
class DestinationBench:
    """A destination under test."""

    spec: DestinationSpec
    simulator: DestinationSimulator
    _monkeypatch: pytest.MonkeyPatch
    waits: list[float] = field(default_factory=list)

    def settings(self, changes: Mapping[str, Any] | None = None) -> Any:
        """The settings model, filled in."""
        return self.spec.settings.model_validate(self.simulator.settings() | dict(changes or {}))

    @asynccontextmanager
    async def opened(
        self,
        changes: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        *,
        is_backfill: bool = False,
    ) -> AsyncIterator[Destination]:
        """An open destination."""
        for name, value in {**self.simulator.environment, **(environment or {})}.items():
            self._monkeypatch.setenv(name, value)
        context = DestinationContext(is_backfill=is_backfill, on_wait=self.waits.append, on_retry=self.waits.append)
        destination = self.spec.open(self.settings(changes), context)
        try:
            yield destination
        finally:
            await destination.close()

    def applied_ids(self) -> list[str]:
        """The ids of the events that took effect, in order."""
        return [self.simulator.event_id(applied) for applied in self.simulator.applied()]

    def secrets(self) -> list[str]:
        """Every form of every secret that the destination knows."""
        return forms_of(list(self.simulator.environment.values()))


def forms_of(secrets: Sequence[str]) -> list[str]:
    """Secrets as they are and as they look in a URL, in Basic credentials and in JSON; made here independently of `cdi`."""
    forms: list[str] = []
    for secret in secrets:
        assert len(secret) >= 8, "a secret this short would be found by chance"
        forms += [secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]]
        # Base64 without the first and last group, which mix with the neighbours (`client:secret`), at each alignment.
        for shift in range(3):
            encoded = base64.b64encode(b"x" * shift + secret.encode()).decode()
            forms.append(encoded[4:-4])
    return list(dict.fromkeys(forms))


def told_by(error: BaseException) -> str:
    """Everything that an error could show: message, place, hint, and the traceback with all causes and contexts."""
    parts = traceback.format_exception(error)
    if isinstance(error, CdiError):
        parts += [error.message, error.where or "", error.hint or ""]
    return "\n".join([*parts, repr(error), repr(error.args)])


def failed_texts(checks: Sequence[Check]) -> list[str]:
    """What the failed checks say, one text each."""
    return [f"{check.name}: {check.detail} ({check.hint})" for check in checks if not check.is_ok]


def undescribed_fields(schema: Mapping[str, Any]) -> list[str]:
    """The fields of a settings model's JSON Schema, those of nested models included, that say nothing about themselves."""
    models = {"": schema, **schema.get("$defs", {})}
    return [
        f"{model}.{name}".lstrip(".")
        for model, definition in models.items()
        for name, field_schema in definition.get("properties", {}).items()
        if not field_schema.get("description") and not (model == "" and name == "type")
    ]
