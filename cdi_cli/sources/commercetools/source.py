"""The commercetools source: pages by keyset, records to entities, checks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from cdi_cli.checks import Check
from cdi_cli.clock import SYSTEM_CLOCK, Clock, Instant, Window
from cdi_cli.errors import RefusedError, ScopeError, TooLargeError
from cdi_cli.http import HttpClient, HttpLimits, RetryPolicy
from cdi_cli.sources._base import Cursor, FindBy, Page, Reading, SourceContext
from cdi_cli.sources._records import scrubbed
from cdi_cli.sources.commercetools.catalogue import CatalogueReader
from cdi_cli.sources.commercetools.check import PROJECT, Project, run_checks
from cdi_cli.sources.commercetools.client import Ask, Client, SlowAnswerError
from cdi_cli.sources.commercetools.deletions import read_deletions
from cdi_cli.sources.commercetools.find import condition, find_records
from cdi_cli.sources.commercetools.paging import Envelope, PageSize, Total, Walk, cursor_of, page_params, predicate
from cdi_cli.sources.commercetools.product_deletions import ProductDeletionReader
from cdi_cli.sources.commercetools.reading import Reader
from cdi_cli.sources.commercetools.records import DENIED_FIELDS
from cdi_cli.sources.commercetools.references import References
from cdi_cli.sources.commercetools.refunds import RefundReader
from cdi_cli.sources.commercetools.settings import CommercetoolsSettings
from cdi_cli.sources.commercetools.shop import Shop
from cdi_cli.sources.commercetools.sku_lookups import SkuLookups
from cdi_cli.sources.commercetools.streams import CONDITIONS, EXPANSIONS, NEVER_CHANGED, STREAMS, path_of


class CommercetoolsSource:
    """An open commercetools project; see `sources._base.Source` for the contract."""

    def __init__(
        self,
        settings: CommercetoolsSettings,
        context: SourceContext,
        *,
        clock: Clock = SYSTEM_CLOCK,
        limits: HttpLimits = HttpLimits(),  # noqa: B008 - immutable
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - immutable
        client: Client | None = None,
    ) -> None:
        """Raises ConfigError when the client's secret cannot be read, which a `client` of one's own makes needless."""
        self._settings = settings
        if context.attempts_max is not None:
            retry = replace(retry, attempts=context.attempts_max)
        if client is None:
            http = HttpClient(limits=limits, retry=retry, on_retry=context.on_retry)
            client = Client(settings, http, clock, run_id=context.run_id, limits=limits, retry=retry)
        self._client = client
        self._shop = Shop(
            locale=settings.locale or context.locale,
            brand_attribute=settings.brand_attribute,
            product_url_template=settings.product_url_template,
        )
        references = References(self._client, self._shop, customers_path=path_of("customers", settings.store_key))
        self._reader = Reader(references, self._shop, settings.lookups, context.consent)
        by_sku = SkuLookups(self._client)
        self._catalogue = CatalogueReader(references, by_sku, self._shop, settings, clock)
        self._product_deletions = ProductDeletionReader(by_sku)
        self._refunds = RefundReader(
            self._client, self._reader, path_of("orders", settings.store_key), is_one_store=settings.store_key is not None
        )
        self._sizes = {stream.name: PageSize(settings.page_size) for stream in STREAMS}
        self._permissions = {stream.name: stream.scope for stream in STREAMS}
        self._languages_lock = asyncio.Lock()
        self._has_languages = False

    async def check(self) -> list[Check]:
        """Credentials, scopes of each stream, the project and the clock."""
        return await run_checks(self._client, self._settings)

    async def server_now(self) -> Instant:
        """The platform's clock, as its token service tells it."""
        return await self._client.tokens.server_now()

    async def count(self, stream: str, window: Window) -> int | None:
        """How many records were created in a window; at most 10,000, where the platform stops counting."""
        where = [("where", predicate("created", window, None)), *CONDITIONS.get(stream, ())]
        params = [*where, ("limit", "0"), ("withTotal", "true")]
        answer, _ = await self._client.get(self._ask(stream, "count", params), Total)
        return answer.total

    async def pages(self, stream: str, window: Window, cursor: Cursor | None, *, by: str = "created") -> AsyncIterator[Page]:
        """Read a window by `createdAt` or `lastModifiedAt`, in pages of about 4 MB.

        By "reconcile" it is all records of a creation window: a price or stock that changed leaves its product's times.
        """
        walk = Walk("created" if stream in NEVER_CHANGED or by == "reconcile" else by, window, cursor)
        while True:
            envelope, rows_asked = await self._page(stream, walk)
            rows = envelope.results
            position = walk.advance(rows)
            rows_max = min(rows_asked, envelope.limit) if envelope.limit > 0 else rows_asked
            is_last = len(rows) < rows_max
            # Copies: a slice held anywhere would keep the whole page of 4 MB alive.
            page = Page([bytes(row) for row in rows], cursor_of(position), is_last)
            del envelope, rows
            yield page
            del page
            if is_last:
                return

    async def read(self, stream: str, records: Sequence[bytes]) -> list[list[Reading]]:
        """Turn raw records into entities; payments become the orders whose money went back."""
        if stream == "deletions":
            return [[reading] for reading in read_deletions(records)]
        if stream == "product_deletions":
            return await self._product_deletions.read(records)
        await self._learn_languages()
        if stream == "payments":
            return await self._refunds.read(records)
        if stream == "products":
            return await self._catalogue.read(records)
        return [[reading] for reading in await self._reader.read(stream, records)]

    async def find(self, stream: str, by: FindBy, value: str) -> list[bytes]:
        """The records with this id, number, customer or e-mail, at most 500; none where the stream has no such field."""
        where = condition(stream, by, value)
        if where is None:
            return []
        extra = (*CONDITIONS.get(stream, ()), *EXPANSIONS.get(stream, ()))
        return await find_records(self._client, self._ask(stream, "look-up", ()), where, extra)

    def scrub(self, stream: str, record: bytes) -> bytes | None:  # noqa: ARG002 - the contract's; all are scrubbed alike
        """The record without password hashes, payment tokens and what payment providers told."""
        return scrubbed(record, DENIED_FIELDS)

    async def close(self) -> None:
        """Give back connections."""
        await self._client.close()

    async def _page(self, stream: str, walk: Walk) -> tuple[Envelope, int]:
        """The next page, in fewer rows each time the server cannot serve so many; and the rows it was asked for."""
        size = self._sizes[stream]
        while True:
            rows = size.rows
            params = [
                *page_params(walk.by, walk.window, walk.position, rows),
                *CONDITIONS.get(stream, ()),
                *EXPANSIONS.get(stream, ()),
            ]
            try:
                envelope, size_bytes = await self._client.get(
                    self._ask(stream, "page", params, is_divisible=rows > 1), Envelope
                )
            except (TooLargeError, SlowAnswerError):
                if rows == 1:
                    raise
                size.shrink(rows)
            else:
                size.observe(len(envelope.results), size_bytes)
                return envelope, rows

    def _ask(self, stream: str, purpose: str, params: Sequence[tuple[str, str]], *, is_divisible: bool = False) -> Ask:
        return Ask(
            path=path_of(stream, self._settings.store_key),
            what=f"commercetools {stream} {purpose}",
            params=params,
            permission=self._permissions[stream],
            is_divisible=is_divisible,
        )

    async def _learn_languages(self) -> None:
        """The project's first language is a fallback for names; a project that does not tell it has none."""
        if self._has_languages:
            return
        async with self._languages_lock:
            if not self._has_languages:
                try:
                    project, _ = await self._client.get(PROJECT, Project)
                    self._shop.languages = project.languages
                except (ScopeError, RefusedError):
                    self._shop.languages = ()
                self._has_languages = True
