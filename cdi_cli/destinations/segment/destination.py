"""Delivery to Segment: one POST per batch, repeated while it may help, judged by status.

| answer | what it means here |
|---|---|
| 200 `{"success":true}` | all events accepted: received, that is; see the package docstring |
| 408, 410, 429, 460, 5xx but 501, 505, 511, network, unreadable 200 | repeated, with a fresh `sentAt` and the same ids |
| 401, 403 | AuthError |
| 400 "Exceed payload limit", 413 | TooLargeError |
| 3xx and every other status | RefusedError |

The table is the one of Segment's own SDK 2.4.0 (sheet "Segment", section 4).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime

import msgspec

from cdi_cli.checks import Check
from cdi_cli.clock import SYSTEM_CLOCK, Clock
from cdi_cli.destinations._base import ACCEPTED, DestinationContext, Filtered, Limits, Outcome, Rejected
from cdi_cli.destinations.segment.encode import BATCH_BYTES, BODY_BYTES_MAX, Encoder
from cdi_cli.destinations.segment.settings import BATCH_EVENTS_MAX, SegmentSettings
from cdi_cli.errors import AuthError, CdiError, ProtocolError, RefusedError, TooLargeError
from cdi_cli.events import Event
from cdi_cli.http import HttpClient, HttpLimits, Response, RetryPolicy, gzip

RETRY = RetryPolicy(attempts=10, statuses=frozenset({408, 410, 429, 460, *range(500, 600)} - {501, 505, 511}))
_CHECK_RETRY = RetryPolicy(attempts=2, total_seconds=20.0, retry_after_max_seconds=5.0, statuses=RETRY.statuses)
_PLAIN_WORDS = re.compile(r"[A-Za-z][A-Za-z ]{0,59}")
_SKEW_SECONDS_MAX = 60.0


class _Answer(msgspec.Struct):
    success: bool | None = None
    message: str = ""


class SegmentDestination:
    """An open Segment destination; see `destinations/_base.py` for the contract."""

    def __init__(
        self,
        settings: SegmentSettings,
        context: DestinationContext,
        *,
        clock: Clock = SYSTEM_CLOCK,
        retry: RetryPolicy = RETRY,
    ) -> None:
        """Raises ConfigError when the write key or `ca_file` cannot be read."""
        self._settings = settings
        self._is_backfill = context.is_backfill
        self._clock = clock
        self._integrations = settings.integrations_for(is_backfill=context.is_backfill)
        self._encoder = Encoder(settings.write_key.resolve(), self._integrations)
        self._url = f"{settings.base_url}/v1/batch"
        self._headers = {"content-type": "application/json"} | ({"content-encoding": "gzip"} if settings.gzip else {})
        self._http = HttpClient(
            limits=HttpLimits(total_seconds=30.0, decoded_bytes_max=1024 * 1024, connections=settings.in_flight),
            retry=retry,
            ca_file=settings.ca_file,
            on_retry=context.on_retry,
            on_wait=context.on_wait,
        )
        self.limits = Limits(
            batch_events=settings.batch_events,
            batch_bytes=BATCH_BYTES,
            event_bytes=self._encoder.event_bytes_max,
            overhead_bytes=self._encoder.overhead_bytes,
            events_per_second=settings.events_per_second,
            in_flight=settings.in_flight,
        )

    def encode(self, event: Event) -> bytes | Rejected | Filtered:
        """The event's place in a batch, or why Segment would drop it."""
        return self._encoder.event(event)

    async def send(self, events: Sequence[bytes]) -> list[Outcome]:
        """Deliver one batch; Segment tells nothing about single events, so all have the same outcome."""
        if not events:
            return []
        joined = b",".join(events)
        size = len(joined) + self.limits.overhead_bytes
        if len(events) > BATCH_EVENTS_MAX or size > BODY_BYTES_MAX:
            raise TooLargeError(
                f"Segment batch: {len(events):,} events in {size:,} bytes are more than Segment takes at once",
                status=413,
                code="not_sent",
            )
        _judge(await self._post(joined, "Segment batch"))
        return [ACCEPTED] * len(events)

    async def _post(self, joined: bytes, what: str, retry: RetryPolicy | None = None) -> Response:
        def content() -> bytes:
            body = self._encoder.body(joined, self._clock.instant())
            return gzip(body) if self._settings.gzip else body

        return await self._http.request(
            "POST", self._url, what=what, headers=self._headers, content=content, accept=_check_success, retry=retry
        )

    async def check(self) -> list[Check]:
        """Send a batch of no events: it shows that the Tracking API answers, and nothing about the write key."""
        started = self._clock.now()
        try:
            response = await self._post(b"", "Segment empty batch", _CHECK_RETRY)
            _judge(response)
        except CdiError as error:
            return [Check("segment endpoint", False, error.message, error.hint)]
        return [
            Check("segment endpoint", True, f"`{self._settings.base_url}` took an empty batch (nothing was delivered)"),
            Check(
                "segment write key",
                True,
                "present, but not confirmed: Segment answers 200 to any key, also in the wrong region",
                "after the first run look for its events in the source's Debugger tab",
            ),
            self._check_integrations(),
            _check_clock(response, started, self._clock.now()),
        ]

    def _check_integrations(self) -> Check:
        hint = "names are compared exactly, and a misspelt one is ignored by Segment"
        chosen = self._integrations
        if chosen is None:
            return Check("segment integrations", True, "events go to every destination that is connected to the source")
        on = ", ".join(f"`{name}`" for name, is_on in chosen.items() if is_on) or "none"
        off = ", ".join(f"`{name}`" for name, is_on in chosen.items() if not is_on) or "none"
        prefix = "backfill: " if self._is_backfill else ""
        return Check("segment integrations", True, f"{prefix}on: {on}; off: {off}", hint)

    async def confirm(self, events: Sequence[Event]) -> list[bool | None]:
        """Cannot be told, and need not be: Segment recognises a repeat by its messageId."""
        return [None] * len(events)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _check_success(response: Response) -> None:
    """Refuse a 2xx answer that is not Segment's (a proxy's page, a cut body), so that the batch is sent again."""
    if not 200 <= response.status < 300:
        return
    if response.status != 200 or response.json(type=_Answer).success is not True:
        raise ProtocolError(
            f"{response.what}: answered {response.status} without `success`, which Segment does not do",
            hint="check that `endpoint` is Segment's Tracking API and that no proxy answers in its place",
        )


def _judge(response: Response) -> None:
    """Raise what a final answer other than 200 means."""
    status, what = response.status, response.what
    if status == 200:
        return
    if status in (401, 403):
        raise AuthError(
            f"{what}: the credentials were refused ({status})",
            hint="check `write_key`; a source that is set to require OAuth does not take a write key alone",
        )
    reason = _reason(response)
    if status == 413 or (status == 400 and reason.lower().startswith("exceed payload limit")):
        raise TooLargeError(f"{what}: Segment found it too large ({status})", status=status, code="too_large")
    raise RefusedError(
        f"{what}: Segment answered {status}{f': {reason}' if reason else ''}",
        status=status,
        code=reason.lower().replace(" ", "_"),
        hint="check `region` or `endpoint`" if status in (404, 405, 501, 505) else None,
    )


def _reason(response: Response) -> str:
    """Segment's own words, if they are nothing but words: a text that quotes the request may hold personal data."""
    try:
        message = str(response.json(type=_Answer).message)
    except ProtocolError:
        return ""
    return message if _PLAIN_WORDS.fullmatch(message) else ""


def _check_clock(response: Response, started: datetime, ended: datetime) -> Check:
    """Compare this machine's clock with Segment's: it moves each event by `receivedAt - sentAt`."""
    name = "segment clock"
    try:
        theirs = parsedate_to_datetime(response.headers.get("date", ""))
        early, late = (started - theirs).total_seconds(), (ended - theirs).total_seconds()
    except (TypeError, ValueError):
        return Check(name, True, "not compared: the answer has no readable date")
    skew = 0.0 if early <= 0.0 <= late else min(early, late, key=abs)
    if abs(skew) > _SKEW_SECONDS_MAX:
        side = "ahead of" if skew > 0 else "behind"
        return Check(
            name,
            False,
            f"this machine's clock is {abs(skew):.0f} s {side} Segment's, and Segment moves each event's time by that",
            "set the clock, for example with NTP",
        )
    return Check(name, True, f"within {_SKEW_SECONDS_MAX:.0f} s of Segment's")
