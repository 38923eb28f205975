"""The sandbox's Magento shop for the contract tests: some hundred records, many of equal times among them.

It is read with an admin's login, the one way in which the shop itself hands out a secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from cdi_cli.clock import Instant, Window
from cdi_cli.errors import AuthError, RefusedError, ScopeError, TransientError
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sandbox.magento.options import MagentoOptions
from cdi_cli.sandbox.magento.times import instant_of
from simulators import Mistake, Row

NOW = Instant("2026-06-01T00:00:00.000Z")
ORDERS = 160
PAGES = 6
PASSWORD = "canary-p4ssword+/of the admin"
_VARIABLE = "CONTRACT_ADMIN_PASSWORD"
_ACL = (
    "Magento_Backend::store", "Magento_Customer::customer", "Magento_Customer::group", "Magento_Catalog::products",
    "Magento_Catalog::categories", "Magento_Cart::manage", "Magento_Sales::sales_creditmemo", "Magento_Sales::shipment",
)  # fmt: skip
"""What an integration may use that may not read orders."""
DEAD = "http://127.0.0.1:9"
"""The discard port: nothing listens there."""
_BROKEN = {
    "orders": "items",
    "creditmemos": "order_id",
    "customers": "addresses",
    "carts": "items",
    "products": "custom_attributes",
}


class MagentoSimulator:
    """One sandbox; see `simulators.SourceSimulator`."""

    window = Window(Instant("2023-01-01T00:00:00.000Z"), Instant("2027-01-01T00:00:00.000Z"))
    environment = {_VARIABLE: PASSWORD}  # noqa: RUF012 - never changed

    def __init__(self, sandbox: SandboxThread, narrow: SandboxThread) -> None:
        """`narrow`: a second one, whose admin may not read orders."""
        self._sandbox = sandbox
        self._narrow = narrow

    @property
    def mistakes(self) -> Mapping[str, Mistake]:
        """Unreachable, wrong password, no such store view, an ACL resource too few."""
        narrow = {"base_url": f"{self._narrow.url}/magento"}
        return {
            "dead port": Mistake({"base_url": DEAD}, "127.0.0.1", error=TransientError),
            "wrong password": Mistake({}, "password", {_VARIABLE: "wrong-p4ssword"}, error=AuthError),
            "unknown store view": Mistake({"store_views": ["nowhere"]}, "nowhere", error=RefusedError),
            "missing ACL": Mistake(narrow, "Magento_Sales::actions_view", error=ScopeError, stream="orders"),
        }

    def settings(self, stream: str = "") -> dict[str, Any]:
        """The shop of the sandbox; pages of a sixth of the stream."""
        rows = len(self.rows(stream)) if stream else 0
        return {
            "base_url": f"{self._sandbox.url}/magento",
            "auth": "admin",
            "username": self._sandbox.options.magento.username,
            "password": "${CONTRACT_ADMIN_PASSWORD}",
            "page_size": max(1, rows // PAGES) if stream else 300,
        }

    def rows(self, stream: str) -> Sequence[Row]:
        """What the shop holds."""
        rows = self._sandbox.magento.shop.rows(stream)
        return [Row(str(row.id), instant_of(row.created), instant_of(row.updated)) for row in rows]

    def secrets_served(self) -> Sequence[str]:
        """The tokens that are alive."""
        return self._sandbox.magento.gatekeeper.tokens

    def server_now(self) -> Instant:
        """The sandbox clock."""
        return self._sandbox.clock.instant()

    @contextmanager
    def clock_shifted(self, by: timedelta) -> Iterator[None]:
        """Move the sandbox clock, and back."""
        self._sandbox.clock.advance(by.total_seconds())
        try:
            yield
        finally:
            self._sandbox.clock.advance(-by.total_seconds())

    def id_of(self, record: Mapping[str, Any]) -> str:
        """Orders and their papers have an `entity_id`, everything else an `id`."""
        return str(record.get("entity_id", record.get("id")))

    def break_type(self, stream: str, record: dict[str, Any]) -> None:
        """Text where a number or a list must be."""
        record[_BROKEN[stream]] = "not of this type"

    def belongs(self, stream: str, record: Mapping[str, Any], entity: Any) -> bool:
        """A record is its entity; a credit memo is one of its order's; an edited order is the first of its chain; a product
        is known by its SKU."""
        if stream == "creditmemos":
            return str(record["entity_id"]) in {refund.id for refund in entity.refunds}
        if stream == "orders" and "original_increment_id" in record:
            return bool(entity.number == record["original_increment_id"])
        if stream == "products":
            return bool(entity.product_id == self.id_of(record) and entity.id == record["sku"])
        return bool(entity.id == self.id_of(record))


@contextmanager
def _run() -> Iterator[MagentoSimulator]:
    common: dict[str, Any] = {"sources": ("magento",), "now": NOW}
    login = MagentoOptions(password=PASSWORD)
    narrow = MagentoOptions(password=PASSWORD, acl=_ACL)
    with (
        SandboxThread(SandboxOptions(orders=ORDERS, magento=login, **common)) as sandbox,
        SandboxThread(SandboxOptions(orders=8, magento=narrow, **common)) as few,
    ):
        yield MagentoSimulator(sandbox, few)


SOURCE_SIMULATOR = _run
