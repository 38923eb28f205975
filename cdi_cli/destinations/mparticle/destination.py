"""Delivery to mParticle: a batch of events leaves in at most two requests, by the age of the events at that moment.

| what | where | why |
|---|---|---|
| profiles, events younger than `historical_after` | `/v2/bulkevents` | forwarded to event outputs |
| events older than that | `/v2/bulkevents/historical` | for events over 30 days the other "should not be used" |

The historical endpoint drops a batch with an event under 72 hours in it, and answers 202 (sheet "mParticle", section 2). The
age is taken by this machine's clock when the request is made, and an hour is kept clear of that limit.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cdi_cli.checks import Check
from cdi_cli.clock import SYSTEM_CLOCK, Clock
from cdi_cli.destinations._base import (
    ACCEPTED,
    DestinationContext,
    Filtered,
    Limits,
    Outcome,
    PartialDeliveryError,
    Rejected,
)
from cdi_cli.destinations.mparticle.answers import (
    ACCELERATION,
    EXCEEDED_HEADER,
    RETRY,
    check_accepted,
    judge,
    pace_after,
)
from cdi_cli.destinations.mparticle.encode import BATCH_BYTES_MAX, Encoder
from cdi_cli.destinations.mparticle.settings import BATCH_EVENTS_MAX, MparticleSettings
from cdi_cli.errors import CdiError, RefusedError, StoppedError, TooLargeError
from cdi_cli.events import Event
from cdi_cli.http import HttpClient, HttpLimits, Response, RetryPolicy

BODY_BYTES_MAX = 255_999
"""A request must be smaller than 256 KB, whatever it holds; read as thousands, the stricter way."""
OVERHEAD_BYTES = len(b"[]")
REGULAR, HISTORICAL = "/v2/bulkevents", "/v2/bulkevents/historical"
HISTORICAL_AGES = {"30d": timedelta(days=30), "72h": timedelta(hours=73)}
"""By the setting `historical_after`; an hour more than 72, since mParticle judges by its own clock."""
_CHECK_RETRY = RetryPolicy(attempts=2, total_seconds=20.0, retry_after_max_seconds=5.0, statuses=RETRY.statuses)


class MparticleDestination:
    """An open mParticle destination; see `destinations/_base.py` for the contract."""

    def __init__(
        self,
        settings: MparticleSettings,
        context: DestinationContext,
        *,
        clock: Clock = SYSTEM_CLOCK,
        retry: RetryPolicy = RETRY,
    ) -> None:
        """Raises ConfigError when the secret or `ca_file` cannot be read."""
        self._settings = settings
        self._clock = clock
        self._secret = settings.secret.resolve()
        self._encoder = Encoder(settings)
        self._on_pace = context.on_pace
        self._http = HttpClient(
            limits=HttpLimits(total_seconds=30.0, decoded_bytes_max=1024 * 1024, connections=settings.in_flight),
            # Never final: it is where the headers of an answer that is going to be repeated can be read.
            retry=replace(retry, is_final=self._is_final),
            ca_file=settings.ca_file,
            on_retry=context.on_retry,
            on_wait=context.on_wait,
        )
        self.limits = Limits(
            batch_events=settings.batch_events,
            batch_bytes=BODY_BYTES_MAX,
            event_bytes=BATCH_BYTES_MAX,
            overhead_bytes=OVERHEAD_BYTES,
            events_per_second=settings.events_per_second,
            in_flight=settings.in_flight,
            ramp_up_seconds=settings.ramp_up_seconds,
        )

    def encode(self, event: Event) -> bytes | Rejected | Filtered:
        """The event as a batch of its own, or why mParticle would refuse, cut or drop it."""
        return self._encoder.event(event)

    async def send(self, events: Sequence[bytes]) -> list[Outcome]:
        """Deliver one batch, the younger events first; mParticle tells nothing about single events.

        When the request with the older events fails after the other was accepted, PartialDeliveryError says so.
        """
        _refuse_oversize(events)
        outcomes: list[Outcome | None] = [None] * len(events)
        least_age = HISTORICAL_AGES[self._settings.historical_after]
        for path, numbers in route(events, self._encoder, self._clock.now(), least_age).items():
            try:
                await self._post(
                    path, b",".join(events[number] for number in numbers), f"mParticle {path.rpartition('/')[2]}"
                )
            except StoppedError as error:
                if not any(outcomes):
                    raise
                raise PartialDeliveryError(error, outcomes) from error
            for number in numbers:
                outcomes[number] = ACCEPTED
        return [outcome for outcome in outcomes if outcome is not None]

    async def confirm(self, events: Sequence[Event]) -> list[bool | None]:
        """Nothing can be read back through the Events API; a repeat does no harm."""
        return [None] * len(events)

    async def _post(self, path: str, joined: bytes, what: str, retry: RetryPolicy | None = None) -> Response:
        response = await self._http.request(
            "POST",
            self._settings.base_url + path,
            what=what,
            headers=self._headers,
            content=b"[" + joined + b"]",
            accept=check_accepted,
            retry=retry,
        )
        judge(response)
        if (factor := pace_after(response)) is not None:
            self._on_pace(factor)
        return response

    def _headers(self) -> dict[str, str]:
        pair = f"{self._settings.key}:{self._secret.reveal()}".encode()
        return {"content-type": "application/json", "authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def _is_final(self, response: Response) -> bool:
        """False; when mParticle says that we sped up too fast, the pace is to grow more slowly."""
        if response.headers.get(EXCEEDED_HEADER, "").strip().lower() == ACCELERATION:
            self._on_pace(1.0)
        return False

    async def check(self) -> list[Check]:
        """Send a request of no batches: it shows whether the credentials are known, and delivers nothing."""
        try:
            await self._post(REGULAR, b"", "mParticle empty request", _CHECK_RETRY)
            answer = Check("mparticle credentials", True, f"`{self._settings.base_url}` took an empty request with this key")
        except RefusedError as error:
            if error.status != 400:
                return [Check("mparticle endpoint", False, error.message, error.hint or "check `pod` or `endpoint`")]
            # Whether mParticle takes a request of no batches is documented nowhere; credentials are looked at before it.
            answer = Check("mparticle credentials", True, "not refused; the empty request was, as holding nothing (400)")
        except CdiError as error:
            return [Check("mparticle endpoint", False, error.message, error.hint)]
        return [answer, *self._notes()]

    def _notes(self) -> list[Check]:
        """What cannot be tested from here and has to be known."""
        settings = self._settings
        days = "30 days" if settings.historical_after == "30d" else "72 hours"
        plan = settings.data_plan_id
        version = settings.data_plan_version or "its latest active version"
        notes = [
            Check("mparticle environment", True, f"events count as `{settings.environment}`"),
            Check(
                "mparticle history",
                True,
                f"events older than {days} go to the historical endpoint and are not forwarded to event outputs",
                "profiles and audiences are updated all the same",
            ),
            Check(
                "mparticle attributes",
                True,
                "lists of objects are left out where they are no products of a commerce event: attributes are flat",
            ),
        ]
        if plan is not None:
            notes.append(Check("mparticle data plan", True, f"batches name `{plan}`, {version}; not confirmed from here"))
        if purposes := [target.gdpr for target in settings.consent.values() if target.gdpr is not None]:
            named = ", ".join(f"`{purpose}`" for purpose in purposes)
            hint = "make them in mParticle's privacy settings before the first run; names are compared exactly"
            notes.append(Check("mparticle consent", True, f"GDPR purposes: {named}; not confirmed from here", hint))
        return notes

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def route(events: Sequence[bytes], encoder: Encoder, now: datetime, least_age: timedelta) -> dict[str, list[int]]:
    """The places of encoded events by the path that they take now: what has reached the least age is history.

    A path without events is left out.
    """
    limit_ms = int((now - least_age).timestamp() * 1000)
    routes: dict[str, list[int]] = {REGULAR: [], HISTORICAL: []}
    for number, encoded in enumerate(events):
        occurred_ms = encoder.occurred_ms(encoded)
        is_history = occurred_ms is not None and occurred_ms <= limit_ms
        routes[HISTORICAL if is_history else REGULAR].append(number)
    return {path: numbers for path, numbers in routes.items() if numbers}


def _refuse_oversize(events: Sequence[bytes]) -> None:
    size = sum(map(len, events)) + max(len(events) - 1, 0) + OVERHEAD_BYTES
    if len(events) > BATCH_EVENTS_MAX or size > BODY_BYTES_MAX:
        raise TooLargeError(
            f"mParticle batch: {len(events):,} events in {size:,} bytes are more than mParticle takes at once",
            status=413,
            code="not_sent",
        )
