"""The real Elastic Path source against its simulator: one store's life, see `source_life`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from source_life import SourceLife

from cdi_cli.clock import SYSTEM_CLOCK
from cdi_cli.events import LifecycleSettings
from cdi_cli.http import HttpLimits, RetryPolicy
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sandbox.elasticpath.basket import SHIPPING
from cdi_cli.sandbox.elasticpath.options import ElasticPathOptions
from cdi_cli.sources import ConsentField, SourceContext
from cdi_cli.sources.elasticpath import SOURCE, ElasticPathSettings
from cdi_cli.sources.elasticpath.source import ElasticPathSource

SECRET_VARIABLE = "ELASTICPATH_LIFE_SECRET"
CONSENT = {"ads": ConsentField("marketing_consent")}
STREAMS = ("customers", "orders")
LIFECYCLE = LifecycleSettings("paid", checkout_started="created")
"""What a pipeline of this source has by default."""


QUICK = RetryPolicy(attempts=12, wait_initial_seconds=0.001, wait_max_seconds=0.005, retry_after_max_seconds=0.01)


def source_of(
    url: str, *, limits: HttpLimits | None = None, retry: RetryPolicy = QUICK, **changes: Any
) -> ElasticPathSource:
    """The real source, open, with the sandbox's application key; nobody waits for its pace."""
    options = ElasticPathOptions()
    os.environ[SECRET_VARIABLE] = options.client_secret
    values = {"base_url": f"{url}/elasticpath", "client_id": options.client_id, "client_secret": f"${{{SECRET_VARIABLE}}}"}
    values |= {"page_size": 40, "rate": 100_000, "shipping_skus": [SHIPPING], **changes}
    context = SourceContext(run_id="life", consent=CONSENT)
    return ElasticPathSource(ElasticPathSettings.model_validate(values), context, limits=limits or HttpLimits(), retry=retry)


class ElasticPathLife(SourceLife):
    """A running Elastic Path store."""

    source_spec = SOURCE
    streams = STREAMS

    def __init__(self, sandbox: SandboxThread, folder: Path) -> None:
        super().__init__(sandbox, folder)
        self.changes["lifecycle"] = LIFECYCLE

    def open(self) -> ElasticPathSource:
        """The real source, open."""
        return source_of(self.sandbox.url, **self.source_options)

    def change(self, change: dict[str, Any]) -> Any:
        """One change; the first of the records as they are now."""
        return self.sandbox.elasticpath.mutate(change)[0]

    def paid_orders(self) -> list[Any]:
        """Orders that were paid at once, of which nothing went back, and that were not cancelled."""
        orders = [row.whole() for row in self.sandbox.elasticpath.store.orders()]
        return [
            order
            for order in orders
            if order.payment == "paid" and order.status == "complete" and not order.is_anonymised
            and len(order.transactions) == 1 and not order.transactions[0].refunded
        ]  # fmt: skip

    def told(self) -> dict[str, dict[str, Decimal]]:
        """What the destination was told to have been sold and given back, by currency."""
        found: dict[str, dict[str, Decimal]] = {"sales": {}, "refunds": {}}
        for event in self.sent():
            name = {"Order Completed": "sales", "Order Refunded": "refunds"}.get(event.get("event", ""))
            if name is not None:
                amounts, properties = found[name], event["properties"]
                before = amounts.get(properties["currency"], Decimal(0))
                amounts[properties["currency"]] = before + Decimal(str(properties["total"]))
        return found

    def books(self) -> dict[str, dict[str, Decimal]]:
        """The same by the store's own books."""
        books = self.sandbox.elasticpath.books()
        return {
            name: {currency: Decimal(part["amount"]) for currency, part in books[name].items()}
            for name in ("sales", "refunds")
        }


@contextmanager
def elasticpath_life(folder: Path, orders: int = 60, **options: Any) -> Iterator[ElasticPathLife]:
    """A small store whose data ends now."""
    with SandboxThread(
        SandboxOptions(sources=("elasticpath",), orders=orders, now=SYSTEM_CLOCK.instant(), **options)
    ) as sandbox:
        yield ElasticPathLife(sandbox, folder)
