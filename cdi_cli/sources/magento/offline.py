"""Reading records without a connection: look-ups are answered by what was recorded, and find nothing else.

The answers are those of the API, by path below `/V1`: `{"/creditmemos": {"items": [...]}, "/store/storeViews": [...]}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from cdi_cli.errors import ProtocolError
from cdi_cli.sources._base import SourceContext
from cdi_cli.sources.magento.client import Ask, Client
from cdi_cli.sources.magento.refusals import NoRouteError
from cdi_cli.sources.magento.settings import MagentoSettings
from cdi_cli.sources.magento.source import MagentoSource

T = TypeVar("T")

_GROUPS_MAX = 8
_NOTHING = (b'{"items": []}', b"[]")
_DEFAULTS = {"base_url": "https://offline.example", "access_token": "${OFFLINE}"}


class RecordedClient(Client):
    """A client that never connects; it has no secret and needs none."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers
        self.rows_max = 100

    async def get(self, ask: Ask, kind: type[T]) -> tuple[T, int]:
        """The recorded answer of the path, as far as it was asked for; an empty list without one.

        Raises NoRouteError where there is neither, ProtocolError for an answer of another shape.
        """
        answer = self._answers.get(ask.path)
        bodies = _NOTHING if answer is None else (msgspec.json.encode(_asked_for(answer, ask)),)
        for body in bodies:
            try:
                return msgspec.json.decode(body, type=kind), len(body)
            except msgspec.ValidationError as error:
                reason = str(error)
        if answer is None:
            raise NoRouteError(f"{ask.what}: no answer was recorded", status=404)
        raise ProtocolError(f"{ask.what}: the recorded answer cannot be read: {reason}")

    async def close(self) -> None:
        """Nothing is open."""


def _asked_for(answer: Any, ask: Ask) -> Any:
    """The recorded answer with only the records that hold one of the values of a filter, as the shop would serve.

    The first filter that names values counts; spans of time do not, as everything was recorded for one record.
    """
    params = dict(ask.params)
    starts = (f"searchCriteria[filter_groups][{number}][filters][0]" for number in range(_GROUPS_MAX))
    named = (start for start in starts if params.get(f"{start}[condition_type]") in ("eq", "in"))
    start = next(named, None)
    if not isinstance(answer, dict) or not isinstance(answer.get("items"), list) or start is None:
        return answer
    name, values = params[f"{start}[field]"], params[f"{start}[value]"].split(",")
    rows = [row for row in answer["items"] if isinstance(row, dict) and _value(row, name) in values]
    return {**answer, "items": rows, "total_count": len(rows)}


def _value(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name, row.get("id") if name == "entity_id" else None)
    return str(value)


def open_offline(settings: MagentoSettings | None, context: SourceContext, answers: Mapping[str, Any]) -> MagentoSource:
    """A source that reads records as `settings` say, without a connection."""
    chosen = settings if settings is not None else MagentoSettings.model_validate(_DEFAULTS)
    return MagentoSource(chosen, context, client=RecordedClient(answers))
