"""What the source offers, and how each stream is asked for (sheet "elasticpath", section 2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cdi_cli.sources._base import Stream

STREAMS = (
    Stream("customers", "customer", description="customer accounts as profiles"),
    Stream(
        "account_members",
        "customer",
        is_default=False,
        description="members of business accounts as profiles; the list has no filter and is read whole",
    ),
    Stream(
        "orders",
        "order",
        by_reconcile=True,
        description="orders with their lines, and the refunds that their transactions tell",
    ),
    Stream(
        "products",
        "product",
        is_default=False,
        by_reconcile=True,
        description="the catalogue: texts, images, and prices of the price books",
    ),
)
"""In the order of reading. Elastic Path's application keys have no scopes.

Orders are reconciled for the refunds that do not move `updated_at`, products for the prices, which never do.
"""

Walk = Literal["keyset", "slices", "descending"]


@dataclass(frozen=True, slots=True)
class Listing:
    """How a list is asked for: its path, what comes along, and how it can be read.

    `keyset`: filtered and sorted by time; `slices`: filtered by time, in no order that could be relied on; `descending`: no
    filter at all, only the latest change first. `times_in`: where a record keeps its times.
    """

    path: str
    walk: Walk = "keyset"
    include: tuple[str, ...] = ()
    times_in: tuple[str, ...] = ("meta", "timestamps")


LISTINGS: dict[str, Listing] = {
    "customers": Listing("/v2/customers"),
    "account_members": Listing("/v2/account-members", walk="descending"),
    "orders": Listing("/v2/orders", include=("items",)),
    "products": Listing("/pcm/products", walk="slices", include=("main_image", "files"), times_in=("meta",)),
}
