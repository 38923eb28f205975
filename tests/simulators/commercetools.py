"""The sandbox's commercetools project for the contract tests: some hundred records, many of equal times among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from cdi_cli.clock import Instant, Window
from cdi_cli.errors import AuthError, RefusedError, ScopeError, TransientError
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sandbox.commercetools.mutate import customer_deleted
from simulators import Mistake, Row

NOW = Instant("2026-06-01T00:00:00.000Z")
ORDERS = 160
PAGES = 6
DELETED = 36
SECRET = "canary-s3cret+/of the client"
_VARIABLE = "CONTRACT_CLIENT_SECRET"
_UNWELCOME = ("view_customers", "view_products", "view_discount_codes", "view_customer_groups", "view_payments")
DEAD = "http://127.0.0.1:9"
"""The discard port: nothing listens there."""


class CommercetoolsSimulator:
    """One sandbox; see `simulators.SourceSimulator`."""

    window = Window(Instant("2023-01-01T00:00:00.000Z"), Instant("2027-01-01T00:00:00.000Z"))
    environment = {_VARIABLE: SECRET}  # noqa: RUF012 - never changed

    def __init__(self, sandbox: SandboxThread, narrow: SandboxThread) -> None:
        """`narrow`: a second one, whose client may not read orders."""
        self._sandbox = sandbox
        self._narrow = narrow

    @property
    def mistakes(self) -> Mapping[str, Mistake]:
        """Unreachable, wrong secret, no such project, a scope too few."""
        urls = {"api_url": DEAD, "auth_url": DEAD}
        narrow = {name: self._address(self._narrow, name) for name in ("api_url", "auth_url")}
        return {
            "dead port": Mistake(urls, "127.0.0.1", error=TransientError),
            "wrong secret": Mistake({}, "client_secret", {_VARIABLE: "wrong-s3cret"}, error=AuthError),
            "unknown project": Mistake({"project_key": "nowhere"}, "project_key", error=RefusedError),
            "missing scope": Mistake(narrow, "view_orders:sandbox", error=ScopeError, stream="orders"),
        }

    def settings(self, stream: str = "") -> dict[str, Any]:
        """The project of the sandbox; pages of a sixth of the stream."""
        rows = len(self.rows(stream)) if stream else 0
        return {
            "project_key": self._sandbox.options.project_key,
            "api_url": self._address(self._sandbox, "api_url"),
            "auth_url": self._address(self._sandbox, "auth_url"),
            "client_id": self._sandbox.options.client_id,
            "client_secret": "${CONTRACT_CLIENT_SECRET}",
            "page_size": max(1, rows // PAGES) if stream else 500,
        }

    def rows(self, stream: str) -> Sequence[Row]:
        """What the shop holds."""
        documents = self._sandbox.shop.documents("messages" if stream == "deletions" else stream)
        return [
            Row(record["id"], record["createdAt"], record["lastModifiedAt"])
            for record in documents
            if stream != "deletions" or record["type"] == "CustomerDeleted"
        ]

    def secrets_served(self) -> Sequence[str]:
        """The access tokens that are alive."""
        return list(self._sandbox.tokens._tokens)

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
        """Every resource has its `id`."""
        return str(record["id"])

    def break_type(self, stream: str, record: dict[str, Any]) -> None:
        """Text where an object or a number must be."""
        record[{"payments": "transactions", "deletions": "resource"}.get(stream, "version")] = "not of this type"

    def belongs(self, stream: str, record: Mapping[str, Any], entity: Any) -> bool:
        """A record is its entity; a payment is one of those that its order's refunds name, a message is about a customer."""
        if stream == "deletions":
            return bool(entity.customer_id == record["resource"]["id"] and entity.email == record["email"])
        if stream == "payments":
            return record["id"] in {refund.payment_id for refund in entity.refunds}
        return bool(entity.id == record["id"])

    def _address(self, sandbox: SandboxThread, name: str) -> str:
        return f"{sandbox.url}/commercetools/{name.removesuffix('_url')}"


def delete_some(sandbox: SandboxThread) -> None:
    """Messages about customers that were deleted in the past, a third of them in one crowd at one time."""
    gone = sandbox.shop.documents("customers")[:DELETED]
    times = [customer["createdAt"] for customer in gone]
    times = [*times[: DELETED // 3], *[times[DELETED // 3]] * (DELETED // 3), *times[2 * DELETED // 3 :]]
    sandbox.shop.seed("messages", [customer_deleted(customer, at=at) for customer, at in zip(gone, times, strict=False)])


@contextmanager
def _run() -> Iterator[CommercetoolsSimulator]:
    common: dict[str, Any] = {"now": NOW, "client_secret": SECRET}
    with (
        SandboxThread(SandboxOptions(orders=ORDERS, messages=True, **common)) as sandbox,
        SandboxThread(SandboxOptions(orders=8, scopes=_UNWELCOME, **common)) as narrow,
    ):
        delete_some(sandbox)
        yield CommercetoolsSimulator(sandbox, narrow)


SOURCE_SIMULATOR = _run
