"""Reading records without a connection: look-ups are answered by what was recorded, and find nothing else.

The answers are those of the API, by path: `{"/v2/orders/{id}/transactions": {"data": [...]}, "/v2/currencies": {...}}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from cdi_cli.clock import SYSTEM_CLOCK, Instant
from cdi_cli.errors import ProtocolError, RefusedError
from cdi_cli.sources._base import SourceContext
from cdi_cli.sources.elasticpath.client import Ask, Client
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings
from cdi_cli.sources.elasticpath.source import ElasticPathSource

T = TypeVar("T")

_NOTHING = b'{"data":[],"meta":{"results":{"total":0}}}'
_DEFAULTS = {"base_url": "https://offline.example", "client_id": "offline", "client_secret": "${OFFLINE}"}


class RecordedClient(Client):
    """A client that never connects; it has no secret and needs none."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers

    async def get(self, ask: Ask, kind: type[T]) -> T:
        """The recorded answer of the path, an empty list without one.

        Raises RefusedError (404) where there is neither, ProtocolError for an answer of another shape.
        """
        answer = self._answers.get(ask.path)
        body = _NOTHING if answer is None else msgspec.json.encode(answer)
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.ValidationError as error:
            reason = str(error)
        if answer is None:
            raise RefusedError(f"{ask.what}: no answer was recorded", status=404)
        raise ProtocolError(f"{ask.what}: the recorded answer cannot be read: {reason}")

    async def server_now(self) -> Instant:
        """This machine's clock."""
        return SYSTEM_CLOCK.instant()

    async def close(self) -> None:
        """Nothing is open."""


def open_offline(
    settings: ElasticPathSettings | None, context: SourceContext, answers: Mapping[str, Any]
) -> ElasticPathSource:
    """A source that reads records as `settings` say, without a connection."""
    chosen = settings if settings is not None else ElasticPathSettings.model_validate(_DEFAULTS)
    return ElasticPathSource(chosen, context, client=RecordedClient(answers))
