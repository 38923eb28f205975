"""The Elastic Path source: pages, records to entities, look-ups, checks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace

from cdi_cli.checks import Check
from cdi_cli.clock import SYSTEM_CLOCK, Clock, Instant, Window
from cdi_cli.http import HttpClient, HttpLimits, RetryPolicy
from cdi_cli.sources._base import ConsentField, Cursor, FindBy, Page, Reading, SourceContext
from cdi_cli.sources._records import scrubbed
from cdi_cli.sources.elasticpath.check import run_checks
from cdi_cli.sources.elasticpath.client import Client
from cdi_cli.sources.elasticpath.denied import DENIED_FIELDS
from cdi_cli.sources.elasticpath.envelope import Composer
from cdi_cli.sources.elasticpath.find import Finder
from cdi_cli.sources.elasticpath.lookups import References
from cdi_cli.sources.elasticpath.pace import Pace
from cdi_cli.sources.elasticpath.pager import Pager
from cdi_cli.sources.elasticpath.reading import Reader
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings
from cdi_cli.sources.elasticpath.streams import STREAMS


class ElasticPathSource:
    """An open store; see `sources._base.Source` for the contract."""

    def __init__(
        self,
        settings: ElasticPathSettings,
        context: SourceContext,
        *,
        clock: Clock = SYSTEM_CLOCK,
        limits: HttpLimits = HttpLimits(),  # noqa: B008 - immutable
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - immutable
        client: Client | None = None,
    ) -> None:
        """Raises ConfigError when the secret cannot be read, which a `client` of one's own makes needless."""
        self._settings = settings
        if context.attempts_max is not None:
            retry = replace(retry, attempts=context.attempts_max)
        if client is None:
            pace = Pace(settings.rate, clock)
            http = HttpClient(limits=limits, retry=retry, on_retry=context.on_retry)
            client = Client(settings, http, clock, pace=pace, retry=retry)
        self._client = client
        composer = Composer((*settings.flow_fields, *_roots(context.consent.values())))
        self._references = References(client, settings)
        self._reader = Reader(client, settings, context, self._references, composer)
        self._finder = Finder(client, composer)
        self._pagers = {stream.name: Pager(client, composer, stream.name, settings.page_size) for stream in STREAMS}

    async def check(self) -> list[Check]:
        """Credentials, each list that is read and how it can be, look-ups and the clock."""
        return await run_checks(self._client, self._settings, self._pagers, self._references)

    async def server_now(self) -> Instant:
        """The store's clock, as the `Date` of its answers tells it."""
        return await self._client.server_now()

    async def count(self, stream: str, window: Window) -> int | None:
        """How many records were created in a window; None where the store cannot say."""
        return await self._pagers[stream].count(window)

    def pages(self, stream: str, window: Window, cursor: Cursor | None, *, by: str = "created") -> AsyncIterator[Page]:
        """Read a window by `created_at` or `updated_at`; "reconcile" reads as "created" does, whole records."""
        return self._pagers[stream].pages(window, cursor, by)

    async def read(self, stream: str, records: Sequence[bytes]) -> list[list[Reading]]:
        """Turn raw records into entities."""
        return await self._reader.read(stream, records) if records else []

    async def find(self, stream: str, by: FindBy, value: str) -> list[bytes]:
        """The records with this id, number, customer or e-mail."""
        return await self._finder.find(stream, by, value)

    def scrub(self, stream: str, record: bytes) -> bytes | None:  # noqa: ARG002 - the contract's; all are scrubbed alike
        """The record without secrets and without what points to a payment at its provider."""
        return scrubbed(record, DENIED_FIELDS)

    async def close(self) -> None:
        """Give back connections."""
        await self._client.close()


def _roots(fields: Iterable[ConsentField]) -> list[str]:
    """The top-level fields that consent is read from: they are kept, without being named a second time."""
    paths = [path for field in fields for path in (field.path, field.customer_path) if path]
    return [path.partition(".")[0] for path in paths]
