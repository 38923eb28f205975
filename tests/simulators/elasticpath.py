"""The sandbox's Elastic Path store for the contract tests: some hundred records, many of equal times among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from cdi_cli.clock import Instant, Window
from cdi_cli.errors import AuthError, RefusedError, TransientError
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sandbox.elasticpath.options import ElasticPathOptions
from cdi_cli.sandbox.elasticpath.times import instant_of
from simulators import Mistake, Row

NOW = Instant("2026-06-01T00:00:00.000Z")
ORDERS = 160
PAGES = 6
SECRET = "canary-s3cret+/of the key"
_VARIABLE = "CONTRACT_APPLICATION_KEY"
DEAD = "http://127.0.0.1:9"
"""The discard port: nothing listens there."""
_KINDS = {"account_members": "account-members"}
"""What the store calls a stream, where that is something else."""


class ElasticPathSimulator:
    """One sandbox; see `simulators.SourceSimulator`."""

    window = Window(Instant("2023-01-01T00:00:00.000Z"), Instant("2027-01-01T00:00:00.000Z"))
    environment = {_VARIABLE: SECRET}  # noqa: RUF012 - never changed

    def __init__(self, sandbox: SandboxThread) -> None:
        self._sandbox = sandbox

    @property
    def mistakes(self) -> Mapping[str, Mistake]:
        """Unreachable, wrong secret, an address that is not that of the API."""
        nowhere = f"{self._sandbox.url}/elasticpath/nowhere"
        return {
            "dead port": Mistake({"base_url": DEAD}, "127.0.0.1", error=TransientError),
            "wrong secret": Mistake({}, "client_secret", {_VARIABLE: "wrong-s3cret"}, error=AuthError),
            "wrong address": Mistake({"base_url": nowhere}, "base_url", error=RefusedError),
        }

    def settings(self, stream: str = "") -> dict[str, Any]:
        """The store of the sandbox; pages of a sixth of the stream."""
        rows = len(self.rows(stream)) if stream else 0
        return {
            "base_url": f"{self._sandbox.url}/elasticpath",
            "client_id": self._sandbox.options.elasticpath.client_id,
            "client_secret": f"${{{_VARIABLE}}}",
            "page_size": max(1, rows // PAGES) if stream else 100,
            "rate": 100.0,
        }

    def rows(self, stream: str) -> Sequence[Row]:
        """What the store holds."""
        rows = self._sandbox.elasticpath.store.rows(_KINDS.get(stream, stream))
        return [Row(row.id, instant_of(row.created), instant_of(row.updated)) for row in rows]

    def secrets_served(self) -> Sequence[str]:
        """The tokens that are alive."""
        return self._sandbox.elasticpath.office.tokens

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
        """Every record has its `id`."""
        return str(record["id"])

    def break_type(self, stream: str, record: dict[str, Any]) -> None:
        """Text where an object must be."""
        record["attributes" if stream == "products" else "meta"] = "not of this type"

    def belongs(self, stream: str, record: Mapping[str, Any], entity: Any) -> bool:
        """A record is its entity; a product is known by its SKU."""
        if stream == "products":
            return bool(entity.product_id == record["id"] and entity.sku == record["attributes"]["sku"])
        return bool(entity.id == record["id"])


@contextmanager
def _run() -> Iterator[ElasticPathSimulator]:
    options = ElasticPathOptions(client_secret=SECRET)
    with SandboxThread(SandboxOptions(sources=("elasticpath",), orders=ORDERS, now=NOW, elasticpath=options)) as sandbox:
        yield ElasticPathSimulator(sandbox)


SOURCE_SIMULATOR = _run
