"""Requests to Insider: addresses, headers, retries; what an answer means is `answers`' business."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cdi_cli.clock import Clock
from cdi_cli.destinations._base import DestinationContext
from cdi_cli.destinations.insider.answers import RETRY, UPSERT_RETRY, raise_refusal
from cdi_cli.destinations.insider.pace import RequestPace
from cdi_cli.destinations.insider.settings import InsiderSettings
from cdi_cli.errors import ConfigError
from cdi_cli.http import HttpClient, HttpLimits, Response, RetryPolicy
from cdi_cli.secrets import Secret

ATTEMPTS_WHEN_ASKED = 2
"""A person waits for a check."""


class InsiderClient:
    """Speaks to one account; `catalog_pace` and `read_pace` keep the limits that are on requests."""

    def __init__(
        self, settings: InsiderSettings, context: DestinationContext, clock: Clock, retry: RetryPolicy | None = None
    ) -> None:
        """`retry` replaces attempts and waits, not which answers are repeated. Raises ConfigError for a missing secret."""
        self._settings = settings
        self._token = settings.request_token.resolve()
        self._catalog_token = settings.catalog_token.resolve() if settings.catalog_token is not None else None
        self._retry = retry
        self.catalog_pace = RequestPace(settings.catalog_requests_per_minute, clock)
        self.read_pace = RequestPace(settings.profile_reads_per_minute, clock)
        self._http = HttpClient(
            limits=HttpLimits(total_seconds=60.0, decoded_bytes_max=16 * 1024 * 1024, connections=settings.in_flight),
            ca_file=settings.ca_file,
            on_retry=context.on_retry,
            on_wait=context.on_wait,
        )

    async def upsert(self, body: bytes) -> Response:
        """Send users, and again only where it is certain that nothing was done. Raises LostAnswerError where it is not."""
        return await self._post("/api/user/v1/upsert", body, "Insider upsert", UPSERT_RETRY)

    async def read(self, path: str, body: Mapping[str, Any], what: str, *, is_check: bool = False) -> Response:
        """Ask the user API for something; any status but 200 and 404 raises."""
        await self.read_pace.admit()
        response = await self._post(path, msgspec.json.encode(body), what, RETRY, is_check=is_check)
        if response.status not in (200, 404):
            raise_refusal(response, token="request_token")  # noqa: S106 - the name of a setting
        return response

    async def catalog(self, mode: str, body: bytes, *, is_check: bool = False) -> Response:
        """Send records of one locale to the catalogue; any status but 200 raises."""
        if self._catalog_token is None:
            raise ConfigError("`catalog_token` is missing, which products need", hint="name it in the settings of Insider")
        await self.catalog_pace.admit()
        address = f"{self._settings.catalog_endpoint}/v2/{mode}"
        response = await self._send(
            address, body, "Insider catalogue", RETRY, self._catalog_token, is_check=is_check, pace=self.catalog_pace
        )
        if response.status != 200:
            raise_refusal(response, token="catalog_token")  # noqa: S106 - the name of a setting
        return response

    async def _post(self, path: str, body: bytes, what: str, policy: RetryPolicy, *, is_check: bool = False) -> Response:
        return await self._send(f"{self._settings.endpoint}{path}", body, what, policy, self._token, is_check=is_check)

    async def _send(
        self,
        address: str,
        body: bytes,
        what: str,
        policy: RetryPolicy,
        token: Secret,
        *,
        is_check: bool,
        pace: RequestPace | None = None,
    ) -> Response:
        attempts = 0

        def headers() -> dict[str, str]:
            nonlocal attempts
            attempts += 1
            if pace is not None and attempts > 1:
                pace.note()
            return {
                "content-type": "application/json",
                "x-partner-name": self._settings.partner_name,
                "x-request-token": token.reveal(),
            }

        chosen = _merged(policy, self._retry, is_check=is_check)
        return await self._http.request("POST", address, what=what, headers=headers, content=body, retry=chosen)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _merged(policy: RetryPolicy, own: RetryPolicy | None, *, is_check: bool) -> RetryPolicy:
    """The policy with other attempts and waits: those given, or those for a person who waits."""
    if own is None and not is_check:
        return policy
    times = own or RetryPolicy(attempts=ATTEMPTS_WHEN_ASKED, total_seconds=20.0, retry_after_max_seconds=5.0)
    return RetryPolicy(
        attempts=min(times.attempts, ATTEMPTS_WHEN_ASKED) if is_check else times.attempts,
        total_seconds=times.total_seconds,
        wait_initial_seconds=times.wait_initial_seconds,
        wait_max_seconds=times.wait_max_seconds,
        retry_after_max_seconds=times.retry_after_max_seconds,
        statuses=policy.statuses,
        is_final=policy.is_final,
        is_repeatable=policy.is_repeatable,
    )
