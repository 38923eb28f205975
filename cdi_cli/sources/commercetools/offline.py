"""Reading records without a connection: look-ups are answered by what was recorded, and find nothing else.

The answers are those of the API, by path: `{"/discount-codes": {"results": [...]}, "/orders": {"results": [...]}}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from cdi_cli.errors import ProtocolError, RefusedError
from cdi_cli.sources._base import SourceContext
from cdi_cli.sources.commercetools.client import Ask, Client
from cdi_cli.sources.commercetools.settings import CommercetoolsSettings
from cdi_cli.sources.commercetools.source import CommercetoolsSource

T = TypeVar("T")

_NOTHING = b'{"results": []}'
_DEFAULTS = {"project_key": "offline", "region": "europe-west1.gcp", "client_id": "offline", "client_secret": "${OFFLINE}"}


class RecordedClient(Client):
    """A client that never connects; it has no secret and needs none."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers

    async def get(self, ask: Ask, kind: type[T]) -> tuple[T, int]:
        """The recorded answer of the path, an empty list of results without one.

        Raises RefusedError where there is neither, ProtocolError for an answer of another shape.
        """
        answer = self._answers.get(ask.path)
        body = _NOTHING if answer is None else msgspec.json.encode(answer)
        try:
            return msgspec.json.decode(body, type=kind), len(body)
        except msgspec.ValidationError as error:
            if answer is None:
                raise RefusedError(f"{ask.what}: no answer was recorded", status=404) from None
            raise ProtocolError(f"{ask.what}: the recorded answer cannot be read: {error}") from None

    async def close(self) -> None:
        """Nothing is open."""


def open_offline(
    settings: CommercetoolsSettings | None, context: SourceContext, answers: Mapping[str, Any]
) -> CommercetoolsSource:
    """A source that reads records as `settings` say, without a connection."""
    chosen = settings if settings is not None else CommercetoolsSettings.model_validate(_DEFAULTS)
    return CommercetoolsSource(chosen, context, client=RecordedClient(answers))
