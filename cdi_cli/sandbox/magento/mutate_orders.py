"""Changes to orders; see `mutate` for how each is written."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cdi_cli.sandbox.magento.rows import OrderRow, PaperRow, link
from cdi_cli.sandbox.magento.sale import Sale
from cdi_cli.sandbox.magento.shop import Shop, Write
from cdi_cli.sandbox.magento.table import Document, Scope
from cdi_cli.sandbox.magento.times import seconds_of

if TYPE_CHECKING:
    from cdi_cli.sandbox.magento.seed import Seeder

_PAPERS = {"invoice": "invoices", "ship": "shipments", "refund": "creditmemos"}
_NEW = frozenset({"place", "import"})
_QUIET = frozenset({"comment", "address", "track"})
_ROW = frozenset({"poison", "heal", "break"})
ACTIONS = frozenset({*_PAPERS, "cancel", "hold", "unhold", "touch", "edit"}) | _NEW | _QUIET | _ROW
"""What can be done with orders."""


def mutate(shop: Shop, seeder: Seeder, change: dict[str, Any]) -> Document:
    """Carry out one change of an order; returns the order as it is now."""
    action, hold = str(change["do"]), bool(change.get("hold", False))
    writes: list[Write] = []
    if action in _NEW:
        row = _place(shop, seeder, change)
    else:
        found = shop.row("orders", int(change["order"]))
        assert isinstance(found, OrderRow)
        row = found
        if action == "edit":
            row, second = _edit(shop, row)
            writes.append(("orders", second))
        elif action in _ROW:
            is_poisoned = action == "poison" if action != "break" else row.is_poisoned
            row = replace(row, is_poisoned=is_poisoned, changes=change["changes"] if action == "break" else row.changes)
        else:
            sale = copy.deepcopy(row.whole())
            writes += _happen(shop, row, sale, change)
            row = row.now(sale)
    shop.write([("orders", row), *writes], hold=hold)
    return row.document(Scope())


def _happen(shop: Shop, row: OrderRow, sale: Sale, change: dict[str, Any]) -> list[Write]:
    """Let something happen to an order; returns the paper that was made of it."""
    action, now = str(change["do"]), shop.now()
    kind = _PAPERS.get(action)
    identifier = shop.next_id(kind) if kind else 0
    match action:
        case "invoice":
            sale.invoice(now, identifier)
        case "ship":
            sale.ship(now, identifier, is_partial=bool(change.get("partial")), number=str(change.get("track", "")))
        case "refund":
            given = change.get("items")
            pieces = {int(item): int(count) for item, count in given.items()} if given is not None else None
            options = {name: int(change.get(name, 0)) for name in ("positive", "negative")}
            comment = str(change.get("comment", ""))
            with_shipping = bool(change.get("shipping", given is None))
            sale.refund(now, identifier, pieces, with_shipping=with_shipping, comment=comment, **options)
        case "cancel":
            sale.cancel(now)
        case "hold":
            sale.hold(now)
        case "unhold":
            sale.unhold(now)
        case "touch":
            sale.updated = now
        case "comment":
            sale.comment(now, str(change["text"]))
        case "address":
            sale.billing = replace(sale.billing, **change["changes"])
        case _:
            sale.shipments[-1].tracks.append((now, str(change.get("title", "UPS")), str(change["number"])))
    return [(kind, PaperRow(row.world, kind, identifier, row.id, now, now))] if kind else []


def _place(shop: Shop, seeder: Seeder, change: dict[str, Any]) -> OrderRow:
    """A new order; an imported one keeps its old `created_at`."""
    now = shop.now()
    created = str(change["created"]) if change["do"] == "import" else now
    identifier = shop.next_id("orders")
    row = OrderRow(shop.world, identifier, "", created, now, seconds_of(created), "placed", relations={})
    row = replace(row, increment_id=seeder.next_number(shop.world.buyer(row).view.id))
    return row.now(replace(copy.deepcopy(row.whole()), updated=now))


def _edit(shop: Shop, first: OrderRow) -> tuple[OrderRow, OrderRow]:
    """Cancel an order and make the one that replaces it."""
    now = shop.now()
    sale = copy.deepcopy(first.whole())
    sale.cancel(now)
    number = first.increment_id
    base, dash, edit = number.rpartition("-")
    number = f"{base}-{int(edit) + 1}" if dash else f"{number}-1"
    second = OrderRow(
        shop.world,
        shop.next_id("orders"),
        number,
        now,
        now,
        first.ordered,
        "placed",
        origin=first.origin or first.id,
        relations={},
    )
    first = replace(first.now(sale), relations=dict(first.relations))
    link(first, second)
    sale.relations = first.relations
    return first, second
