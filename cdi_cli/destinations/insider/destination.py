"""Delivery to Insider: users in one upsert, products in one catalogue request per call and locale.

An upsert is sent once. Where its answer does not say what became of it, its events are `Unknown`; after three such answers
in a row the run stops, as a service that is down would make doubts of everything there is to send.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cdi_cli.checks import Check
from cdi_cli.clock import SYSTEM_CLOCK, Clock
from cdi_cli.destinations._base import (
    ACCEPTED,
    DestinationContext,
    Filtered,
    Limits,
    Outcome,
    PartialDeliveryError,
    Planned,
    Rejected,
    Unknown,
)
from cdi_cli.destinations.insider.answers import ingested, may_have_arrived, raise_refusal, upserted
from cdi_cli.destinations.insider.checks import check_account
from cdi_cli.destinations.insider.client import InsiderClient
from cdi_cli.destinations.insider.confirm import confirm
from cdi_cli.destinations.insider.encode import BATCH_BYTES, CATALOG, EVENT_BYTES, Encoder, joined
from cdi_cli.destinations.insider.preflight import preflight
from cdi_cli.destinations.insider.settings import USERS_MAX, InsiderSettings
from cdi_cli.errors import LostAnswerError, ProtocolError, StoppedError, TooLargeError
from cdi_cli.events import Event
from cdi_cli.http import RetryPolicy

RECORDS_MAX = 10_000
"""Records in one request to the catalogue (sheet "Insider", section 2); its 5 MB are those of the upsert."""
DOUBTS_IN_A_ROW_MAX = 3


class _Head(msgspec.Struct):
    item_id: str
    locale: str


class _Fragment(msgspec.Struct):
    catalog: str
    records: list[msgspec.Raw]


_fragment = msgspec.json.Decoder(_Fragment).decode
_head = msgspec.json.Decoder(_Head).decode


def catalog_parts(products: Sequence[bytes]) -> dict[tuple[str, str], list[tuple[int, str, bytes]]]:
    """The records of encoded products by call and locale, each with its product's place in the list and its item id."""
    parts: dict[tuple[str, str], list[tuple[int, str, bytes]]] = {}
    for number, product in enumerate(products):
        fragment = _fragment(product)
        for record in fragment.records:
            head = _head(record)
            parts.setdefault((fragment.catalog, head.locale), []).append((number, head.item_id, bytes(record)))
    return parts


class InsiderDestination:
    """An open Insider account; see `destinations/_base.py` for the contract."""

    def __init__(
        self,
        settings: InsiderSettings,
        context: DestinationContext,
        *,
        clock: Clock = SYSTEM_CLOCK,
        retry: RetryPolicy | None = None,
    ) -> None:
        """`retry` replaces attempts and waits. Raises ConfigError when a token or `ca_file` cannot be read."""
        self._settings = settings
        self._is_backfill = context.is_backfill
        self._client = InsiderClient(settings, context, clock, retry)
        self._encoder = Encoder(settings, clock)
        self._head = self._encoder.head(is_backfill=context.is_backfill)
        self._doubts_in_a_row = 0
        self.limits = Limits(
            batch_events=settings.batch_events,
            batch_bytes=BATCH_BYTES,
            event_bytes=EVENT_BYTES,
            overhead_bytes=len(joined(self._head, [])),
            events_per_second=settings.events_per_second,
            in_flight=settings.in_flight,
        )

    def encode(self, event: Event) -> bytes | Rejected | Filtered:
        """The event's place in a batch, why Insider would refuse it, or why it would not keep it."""
        return self._encoder.event(event)

    async def send(self, events: Sequence[bytes]) -> list[Outcome]:
        """Deliver one batch of users and products; each part of it says what became of its own."""
        outcomes: list[Outcome | None] = [None] * len(events)
        users = [number for number, event in enumerate(events) if not event.startswith(CATALOG)]
        products = [number for number, event in enumerate(events) if event.startswith(CATALOG)]
        try:
            if users:
                for number, outcome in zip(users, await self._upsert([events[each] for each in users]), strict=True):
                    outcomes[number] = outcome
            if products:
                for number, outcome in zip(products, await self._ingest([events[each] for each in products]), strict=True):
                    outcomes[number] = outcome
        except PartialDeliveryError as partial:
            for number, known in zip(users, partial.outcomes, strict=True):
                outcomes[number] = known
            raise PartialDeliveryError(partial.cause, outcomes) from None
        except StoppedError as error:
            if any(outcome is not None for outcome in outcomes):
                raise PartialDeliveryError(error, outcomes) from None
            raise
        return [outcome for outcome in outcomes if outcome is not None]

    async def _upsert(self, users: Sequence[bytes]) -> list[Outcome]:
        body = joined(self._head, users)
        if len(users) > USERS_MAX or len(body) > BATCH_BYTES:
            raise TooLargeError(
                f"Insider upsert: {len(users):,} users in {len(body):,} bytes are more than Insider takes at once",
                status=413,
                code="not_sent",
            )
        try:
            response = await self._client.upsert(body)
            if may_have_arrived(response):
                return self._doubtful(len(users), LostAnswerError(f"Insider upsert: the server answered {response.status}"))
            if response.status != 200:
                raise_refusal(response, token="request_token")  # noqa: S106 - the name of a setting
            outcomes = upserted(response, len(users))
        except (LostAnswerError, ProtocolError) as error:
            return self._doubtful(len(users), error)
        except TooLargeError as error:
            if error.status == 200:
                return self._doubtful(len(users), error)
            raise
        self._doubts_in_a_row = 0
        return outcomes

    def _doubtful(self, count: int, error: StoppedError) -> list[Outcome]:
        """All is unknown; raises it with the error once that has become the rule, or where the answer is not Insider's."""
        self._doubts_in_a_row += 1
        outcomes: list[Outcome] = [Unknown(error.message)] * count
        if isinstance(error, ProtocolError) or self._doubts_in_a_row >= DOUBTS_IN_A_ROW_MAX:
            error.hint = error.hint or "check Insider's status page, then run the same command again"
            raise PartialDeliveryError(error, outcomes)
        return outcomes

    async def _ingest(self, products: Sequence[bytes]) -> list[Outcome]:
        """Send products by call and locale; an event is accepted when every one of its records is."""
        outcomes: list[Outcome] = [ACCEPTED] * len(products)
        for (mode, locale), records in catalog_parts(products).items():
            for first in range(0, len(records), RECORDS_MAX):
                some = records[first : first + RECORDS_MAX]
                response = await self._client.catalog(mode, b"[" + b",".join(record for _, _, record in some) + b"]")
                for (number, _, _), wrong in zip(some, ingested(response, [item for _, item, _ in some]), strict=True):
                    if wrong is not None and outcomes[number] is ACCEPTED:
                        outcomes[number] = Rejected(wrong.reason, f"{wrong.detail} (locale `{locale}`)")
        return outcomes

    async def confirm(self, events: Sequence[Event]) -> list[bool | None]:
        """Whether each event is in its user's profile; see `confirm`. Ask after `confirm_after_seconds`."""
        return await confirm(self._client, self._encoder, events)

    async def check(self) -> list[Check]:
        """Ask for the defined attributes and events, and send the catalogue nothing; nothing is delivered."""
        return await check_account(self._client, self._settings, is_backfill=self._is_backfill)

    async def preflight(self, planned: Sequence[Planned]) -> list[Check]:
        """What of a plan nobody has defined in Insider's panel; raises what asking raises."""
        return await preflight(self._client, self._encoder, self._settings, planned)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
