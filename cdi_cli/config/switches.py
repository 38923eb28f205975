"""The switches of a pipeline's `lifecycle` that depend on its source: what the source can tell, and its defaults."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Switches:
    """The values that a source can serve; the first of each is its own default.

    `checkout_started`: `cart` where it has carts, `created` (an order exists from its checkout on), `authorized` (an order's
    payment was promised). `customer_updated`: `deleted` where it tells that customers were
    deleted, in the stream `deletions`.
    """

    order_completed: tuple[str, ...] = ("placed", "paid", "fulfilled")
    checkout_started: tuple[str, ...] = ("cart", "created")
    customer_updated: tuple[str, ...] = ("updated",)
    deletions: str = ""

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """The values by the name of the switch."""
        return {
            "order_completed": self.order_completed,
            "checkout_started": self.checkout_started,
            "customer_updated": self.customer_updated,
        }
