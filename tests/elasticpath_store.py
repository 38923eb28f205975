"""A simulated Elastic Path store without a server, for tests of its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cdi_cli.clock import Instant
from cdi_cli.sandbox import Sandbox, SandboxOptions
from cdi_cli.sandbox.elasticpath.rows import OrderRow
from cdi_cli.sandbox.elasticpath.system import ElasticPathSystem

DATA = Path(__file__).resolve().parent / "data" / "elasticpath"
"""What the vendor publishes: samples, and the description of orders."""
NOW = Instant("2026-11-01T00:00:00.000Z")
Order = tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]
"""An order, its lines, its transactions, as they are served."""


def opened(**options: Any) -> ElasticPathSystem:
    """A store that holds what the options say."""
    return Sandbox(SandboxOptions(**{"sources": ("elasticpath",), "now": NOW} | options)).elasticpath


def served(row: OrderRow) -> Order:
    """An order with what belongs to it."""
    return row.document(), row.items(), row.transactions()


def is_old(order: dict[str, Any]) -> bool:
    """Whether an order is of the time before discounts and shipping were told apart."""
    return "discount" not in order["meta"]["display_price"]
