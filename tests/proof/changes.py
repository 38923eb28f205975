"""What happens in the shop between a backfill and a sync: orders, refunds, people, consents, prices and stock."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cdi_cli.sandbox.commercetools.mutate import MutationError, mutate
from cdi_cli.sandbox.live import live

if TYPE_CHECKING:
    from proof.project import Project

Document = dict[str, Any]


def change_shop(made: Project, count: int) -> None:
    """So many orders are placed; others are paid, shipped, changed, cancelled and paid back; people change their minds."""
    shop, rng = made.sandbox.shop, made.rng

    def do(change: Document) -> list[Document]:
        return live(made.sandbox.sandbox.seeder, change)

    placed = [order["id"] for order in do({"do": "place", "count": count})]
    known = [one for one in shop.documents("orders") if one["orderState"] != "Cancelled" and one["id"] not in placed]
    for order in placed[: count // 2]:
        do({"do": "pay", "order": order})
        with suppress(MutationError):  # it has no payment
            mutate(shop, {"do": "refund", "order": order, "amount": rng.randint(1, 500)})
    for order in placed[count // 2 :]:
        do({"do": "ship", "order": order, "lines": 1})
    for order in placed[: count // 3]:
        with suppress(MutationError):  # every line has a discount
            do({"do": "quantity", "order": order, "quantity": 4})
    for order in placed[-3:]:
        mutate(shop, {"do": "cancel", "order": order})
    paid = [one["id"] for one in known if one.get("paymentInfo")]
    for order in rng.sample(paid, min(len(paid), count)):
        mutate(shop, {"do": "refund", "order": order, "amount": rng.randint(1, 500)})
    _change_people(made, do, count)


def _change_people(made: Project, do: Any, count: int) -> None:
    shop, rng = made.sandbox.shop, made.rng
    for _ in range(3):
        do({"do": "register"})
    people = [one["id"] for one in shop.documents("customers")]
    for customer in rng.sample(people, min(len(people), count)):
        do({"do": "profile", "customer": customer, "changes": {"firstName": rng.choice(("Ada", "さくら", "Zoë"))}})
    for customer in rng.sample(people, min(len(people), count)):
        name = rng.choice(("marketingConsent", "analyticsConsent"))
        do({"do": "profile", "customer": customer, "custom": {name: rng.choice((True, False, None))}})
    for product in rng.sample(shop.documents("products"), 5):
        if product["masterData"]["published"]:
            current = product["masterData"]["current"]
            current["name"] = {**current["name"], "en": f"{current['name']['en']} renewed"}
            shop.update("products", product["id"], {"masterData": {**product["masterData"], "current": current}})
