"""What the source offers, and how each stream is asked for."""

from __future__ import annotations

from cdi_cli.sources._base import Stream

STREAMS = (
    Stream(
        "deletions",
        "customer",
        is_default=False,
        scope="view_messages",
        description="customers who were deleted, as the project's messages tell: nothing more is sent about them",
    ),
    Stream("customers", "customer", scope="view_customers", description="customer accounts as profiles"),
    Stream("carts", "cart", scope="view_orders", description="carts that reached checkout"),
    Stream("orders", "order", scope="view_orders", description="orders with their payments, refunds and deliveries"),
    Stream(
        "payments",
        "order",
        is_default=False,
        is_sync_default=True,
        scope="view_payments",
        description="changed payments, read as the orders whose money went back",
    ),
    Stream("products", "product", is_default=False, scope="view_products", description="the published catalogue"),
)

EXPAND_PAYMENTS = ("expand", "paymentInfo.payments[*]")

STORE_STREAMS = frozenset({"customers", "carts", "orders"})
"""Streams that can be read for one store (REF in-store.raml); payments and products belong to the whole project."""

EXPANSIONS: dict[str, tuple[tuple[str, str], ...]] = {"orders": (EXPAND_PAYMENTS,)}
"""Payments come with orders in both ways of reading: refunds of a backfill need them, and a changed order is then read with
the `paid_at` and refunds that it had before, so that its content does not seem to change."""

CONDITIONS: dict[str, tuple[tuple[str, str], ...]] = {"deletions": (("where", 'type = "CustomerDeleted"'),)}
"""What the records of a stream have in common that shares its path with others."""

NEVER_CHANGED = frozenset({"deletions"})
"""Streams whose records never change after they were made: both ways of reading go by `createdAt`."""

PATHS = {"deletions": "messages"}
"""Where a stream is read that is not called as its path."""


def path_of(stream: str, store_key: str | None) -> str:
    """The path of a stream below the project."""
    return (
        f"/in-store/key={store_key}/{stream}" if store_key and stream in STORE_STREAMS else f"/{PATHS.get(stream, stream)}"
    )
