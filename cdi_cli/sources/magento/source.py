"""The Magento source: pages by keyset, records to entities, checks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from cdi_cli.checks import Check
from cdi_cli.clock import SYSTEM_CLOCK, Clock, Instant, Window
from cdi_cli.errors import RefusedError
from cdi_cli.http import HttpClient, HttpLimits, RetryPolicy
from cdi_cli.sources._base import Cursor, FindBy, Page, Reading, SourceContext
from cdi_cli.sources._records import scrubbed
from cdi_cli.sources._together import Once
from cdi_cli.sources.magento.auth import proof_of
from cdi_cli.sources.magento.catalogue import ProductReader
from cdi_cli.sources.magento.check import run_checks
from cdi_cli.sources.magento.client import ALL_STORES, Ask, Client
from cdi_cli.sources.magento.credit_memos import RefundReader
from cdi_cli.sources.magento.denied import DENIED_FIELDS
from cdi_cli.sources.magento.find import condition, find_records, is_wanted
from cdi_cli.sources.magento.known import Shop
from cdi_cli.sources.magento.lookups import References
from cdi_cli.sources.magento.pager import Pager
from cdi_cli.sources.magento.paging import PageSize, Total, Walk, keyset
from cdi_cli.sources.magento.parents import ParentReader
from cdi_cli.sources.magento.reading import Reader
from cdi_cli.sources.magento.refusals import NoRouteError, ServerFaultError
from cdi_cli.sources.magento.scoped import customers_in_their_views
from cdi_cli.sources.magento.search import Group, Params, criteria, one_of, sql_time
from cdi_cli.sources.magento.settings import MagentoSettings
from cdi_cli.sources.magento.stores import Stores, discover
from cdi_cli.sources.magento.streams import LISTINGS, SCOPED_STREAMS, STREAMS

LIMITS = HttpLimits(total_seconds=120.0)
"""A page of large orders takes a shop its time (sheet "magento", section 4)."""


class MagentoSource:
    """An open shop; see `sources._base.Source` for the contract."""

    def __init__(
        self,
        settings: MagentoSettings,
        context: SourceContext,
        *,
        clock: Clock = SYSTEM_CLOCK,
        limits: HttpLimits = LIMITS,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - immutable
        client: Client | None = None,
    ) -> None:
        """Raises ConfigError when a secret cannot be read, which a `client` of one's own makes needless."""
        self._settings = settings
        is_patient = context.attempts_max is None
        if context.attempts_max is not None:
            retry = replace(retry, attempts=context.attempts_max)
        if client is None:
            http = HttpClient(limits=limits, retry=retry, on_retry=context.on_retry)
            proof = proof_of(settings, http, clock)
            client = Client(settings, http, proof, clock, limits=limits, retry=retry, is_patient=is_patient)
        self._client = client
        self._with_paid_at = context.with_paid_at
        self._stores = Once(self._discover)
        self._references = References(client, settings.lookups, settings.brand_attribute)
        shop = Shop(
            locale=settings.locale or context.locale,
            bundles=settings.bundles,
            brand_attribute=settings.brand_attribute,
            product_url_suffix=settings.product_url_suffix,
        )
        self._reader = Reader(client, self._references, shop, context, clock)
        self._refunds = RefundReader(client, self._reader)
        parents = ParentReader(client, is_on=settings.lookups.parents)
        self._products = ProductReader(client, self._references, parents, self._reader)
        self._sizes = {stream.name: PageSize(settings.page_size) for stream in STREAMS}

    async def check(self) -> list[Check]:
        """Credentials, each list that is read, store views and the clock."""
        needs = (self._settings, self._references, self._stores)
        return await run_checks(self._client, *needs, with_paid_at=self._with_paid_at)

    async def server_now(self) -> Instant:
        """The shop's clock, as the `Date` of its answers tells it."""
        return await self._client.server_now()

    async def count(self, stream: str, window: Window) -> int | None:
        """How many records were created in a window; None where the shop fails to say."""
        stores = await self._stores()
        if not _holds_a_second(window):
            return 0
        listing = LISTINGS[stream]
        groups = [*keyset("created_at", listing.id_field, window, None), *_restriction(stores, stream)]
        params = criteria(groups, page_size=1, fields="total_count")
        try:
            answer, _ = await self._client.get(self._ask(stores, stream, "count", params), Total)
        except NoRouteError:
            return 0
        except ServerFaultError:
            return None
        return answer.total_count

    async def pages(self, stream: str, window: Window, cursor: Cursor | None, *, by: str = "created") -> AsyncIterator[Page]:
        """Read a window by `created_at` or `updated_at`; "reconcile" reads as "created" does.

        Reconciling reads whole records: which of their fields matter is known to the plan alone, and there is nothing here
        to compare them with. The ledger finds out what did not change. A stream whose module the shop lacks is empty.
        """
        listing = LISTINGS[stream]
        walk = Walk(by, listing.id_field, listing.record_id, window, cursor)
        stores = await self._stores()
        if not _holds_a_second(window):
            yield Page([], walk.cursor, is_last=True)
            return

        def ask_of(params: Params, is_divisible: bool) -> Ask:
            return replace(self._ask(stores, stream, "page", params), is_divisible=is_divisible)

        restrict = _restriction(stores, stream)
        pager = Pager(self._client, walk, self._sizes[stream], ask_of, listing.id_field, restrict)
        try:
            async for page in pager.pages():
                yield await customers_in_their_views(self._client, stores, page) if stream == "customers" else page
        except NoRouteError:
            yield Page([], walk.cursor, is_last=True)

    async def read(self, stream: str, records: Sequence[bytes]) -> list[list[Reading]]:
        """Turn raw records into entities; credit memos become the orders whose money went back."""
        if not records:
            return []
        self._reader.shop = replace(self._reader.shop, stores=await self._stores())
        if stream == "creditmemos":
            return await self._refunds.read(records)
        if stream == "products":
            return await self._products.read(records)
        return await self._reader.read(stream, records)

    async def find(self, stream: str, by: FindBy, value: str) -> list[bytes]:
        """The records with this id, number, customer or e-mail, of the chosen store views; customers under their own."""
        by = "id" if stream == "customers" and by == "customer_id" else by
        group = condition(stream, by, value)
        if group is None:
            return []
        stores = await self._stores()

        def ask_of(params: Params, is_divisible: bool) -> Ask:
            return replace(self._ask(stores, stream, "look-up", params), is_divisible=is_divisible)

        groups = [group, *_restriction(stores, stream)]
        rows = await find_records(self._client, LISTINGS[stream], groups, ask_of)
        found = [row for row in rows if is_wanted(row, by, group)]
        if stream != "customers" or not found:
            return found
        own = await customers_in_their_views(self._client, stores, Page(found, Cursor(""), is_last=True))
        return list(own.records)

    def scrub(self, stream: str, record: bytes) -> bytes | None:  # noqa: ARG002 - the contract's; all are scrubbed alike
        """The record without password hashes, payment data, tax numbers and dates of birth."""
        return scrubbed(record, DENIED_FIELDS)

    async def close(self) -> None:
        """Give back connections."""
        await self._client.close()

    async def _discover(self) -> Stores:
        try:
            return await discover(self._client, self._settings.store_views)
        except NoRouteError as error:
            # Every shop has this list: the address is wrong, not a module missing.
            hint = "check `base_url`: it does not lead to the API of a shop"
            raise RefusedError(error.message, status=error.status, code=error.code, where=error.where, hint=hint) from None

    def _ask(self, stores: Stores, stream: str, purpose: str, params: Params) -> Ask:
        listing = LISTINGS[stream]
        store_code = stores.home_code if stream in SCOPED_STREAMS else ALL_STORES
        return Ask(listing.path, f"Magento {stream} {purpose}", params, listing.scope, store_code)


def _restriction(stores: Stores, stream: str) -> list[Group]:
    field = LISTINGS[stream].store_field
    values = stores.restriction(field)
    return [one_of(field, values)] if field is not None and values else []


def _holds_a_second(window: Window) -> bool:
    """Whether a window holds any whole second, which is all that Magento's times can be."""
    return sql_time(window.since) < sql_time(window.until)
