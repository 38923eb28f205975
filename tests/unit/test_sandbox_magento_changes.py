"""Changes to the simulated Magento: what bumps `updated_at` and what does not, late commits, and what changes look like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from magento_client import MagentoClient

from cdi_cli.clock import Instant
from cdi_cli.sandbox import SandboxOptions, SandboxThread

NOW = Instant("2026-01-01T00:00:00.000Z")


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    """A shop whose last change was some time ago."""
    with SandboxThread(SandboxOptions(sources=("magento",), orders=60, now=NOW)) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: SandboxThread) -> Iterator[MagentoClient]:
    """A client of it."""
    with MagentoClient(sandbox.url) as client:
        yield client


def order(client: MagentoClient, identifier: int) -> Any:
    """An order as it is served."""
    return client.rest(f"orders/{identifier}").json()


def of_state(client: MagentoClient, state: str, **having: Any) -> int:
    """The id of an order of a state."""
    found = client.listed("orders", ("state", "eq", state))["items"]
    return int(next(each["entity_id"] for each in found if all(each.get(name) == value for name, value in having.items())))


def fresh(client: MagentoClient) -> int:
    """The id of an order that was placed just now and is shipped by post."""
    while True:
        placed = client.mutate(do="place")
        if not placed["is_virtual"]:
            return int(placed["entity_id"])


@pytest.mark.parametrize("action", ["hold", "cancel", "invoice", "touch"])
def test_what_bumps_an_order(sandbox: SandboxThread, client: MagentoClient, action: str) -> None:
    """The order is found by its change afterwards."""
    identifier = fresh(client)
    before = order(client, identifier)
    sandbox.clock.advance(60)

    after = client.mutate(do=action, order=identifier)

    assert after["updated_at"] > before["updated_at"]
    assert after["created_at"] == before["created_at"]
    assert identifier in client.ids("orders", ("updated_at", "gteq", after["updated_at"]))


def test_an_order_through_its_life(sandbox: SandboxThread, client: MagentoClient) -> None:
    """Invoice, shipment and credit memos each bump it, make a paper, and move its state as they should."""
    identifier = fresh(client)
    states, times = [], []
    top = [item for item in order(client, identifier)["items"] if "parent_item_id" not in item]
    first = {str(top[0]["item_id"]): 1}
    steps: list[dict[str, Any]] = [
        {"do": "invoice"}, {"do": "ship", "track": "1Z1"}, {"do": "refund", "items": first}, {"do": "refund"},
    ]  # fmt: skip
    for step in steps:
        sandbox.clock.advance(60)
        after = client.mutate(order=identifier, **step)
        states.append(after["state"])
        times.append(after["updated_at"])

    memos = client.listed("creditmemos", ("order_id", "in", f"{identifier},0"), sort=[("entity_id", "ASC")])["items"]
    assert states == ["processing", "complete", "complete", "closed"]
    assert times == sorted(set(times))
    assert len(client.ids("invoices", ("order_id", "eq", str(identifier)))) == 1
    assert client.listed("shipments", ("order_id", "eq", str(identifier)))["items"][0]["tracks"][0]["track_number"] == "1Z1"
    assert sum(memo["grand_total"] for memo in memos) == pytest.approx(after["grand_total"])
    assert memos[0]["created_at"] == times[2]


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"do": "comment", "text": "called"}, "status_histories", "called"),
        ({"do": "address", "changes": {"city": "Köln"}}, "billing_address", "Köln"),
    ],
)
def test_what_does_not_bump_an_order(
    sandbox: SandboxThread, client: MagentoClient, change: dict[str, Any], field: str, value: str
) -> None:
    """It changes, and no reading by change will tell."""
    identifier = fresh(client)
    before = order(client, identifier)
    sandbox.clock.advance(60)

    after = client.mutate(order=identifier, **change)

    assert value in str(after[field])
    assert value not in str(before[field])
    assert after["updated_at"] == before["updated_at"]


def test_a_tracking_number_does_not_bump_anything(sandbox: SandboxThread, client: MagentoClient) -> None:
    """It is added to the shipment, and neither order nor shipment is newer for it."""
    identifier = of_state(client, "complete", is_virtual=0)
    before = order(client, identifier)
    (shipment,) = client.listed("shipments", ("order_id", "eq", str(identifier)))["items"][-1:]
    sandbox.clock.advance(60)

    client.mutate(do="track", order=identifier, number="1Z42")

    (after,) = client.listed("shipments", ("entity_id", "eq", str(shipment["entity_id"])))["items"]
    assert [track["track_number"] for track in after["tracks"]][-1] == "1Z42"
    assert after["updated_at"] == shipment["updated_at"]
    assert order(client, identifier)["updated_at"] == before["updated_at"]


def customer(client: MagentoClient, identifier: int, store: str = "all") -> Any:
    """A customer as they are listed."""
    (found,) = client.listed("customers/search", ("entity_id", "eq", str(identifier)), store=store)["items"]
    return found


def test_the_newsletter_and_the_address_book_do_not_bump_a_customer(client: MagentoClient) -> None:
    """Consent changes for one store view and `updated_at` stays; a PUT bumps even without a change."""
    before = next(each for each in client.listed("customers/search")["items"] if each["store_id"] == 2)
    identifier = before["id"]
    was = customer(client, identifier, "eu_fr")["extension_attributes"]["is_subscribed"]

    client.mutate(do="unsubscribe" if was else "subscribe", customer=identifier, store=3)
    client.mutate(do="address_book", customer=identifier, changes={"city": "Ulm"})

    now = customer(client, identifier, "eu_fr")
    assert now["extension_attributes"]["is_subscribed"] is not was
    assert customer(client, identifier)["addresses"][0]["city"] == "Ulm"
    assert now["updated_at"] == before["updated_at"]
    assert client.mutate(do="customer", customer=identifier)["updated_at"] > before["updated_at"]


def test_a_deleted_customer_leaves_no_trace_but_orders_without_id(client: MagentoClient) -> None:
    """The account is gone, the orders keep `customer_is_guest` 0 and their `updated_at`."""
    before = next(each for each in client.listed("orders")["items"] if "customer_id" in each)

    client.mutate(do="delete", kind="customers", id=before["customer_id"])

    after = order(client, before["entity_id"])
    assert client.listed("customers/search", ("entity_id", "eq", str(before["customer_id"])))["items"] == []
    assert "customer_id" not in after
    assert (after["customer_is_guest"], after["updated_at"]) == (0, before["updated_at"])


@pytest.mark.parametrize(
    ("change", "is_bumped"),
    [
        ({"do": "product", "changes": {"name": "New name"}}, True),
        ({"do": "base_price", "changes": {"price": 1234}}, False),
        ({"do": "special_price", "changes": {"special_price": 99, "special_from": "2026-01-01 00:00:00"}}, False),
        ({"do": "assign_category", "changes": {"category_ids": [3]}}, False),
    ],
)
def test_what_bumps_a_product(client: MagentoClient, change: dict[str, Any], is_bumped: bool) -> None:
    """A PUT does; prices and categories set by their own endpoints do not."""
    before = client.listed("products", ("entity_id", "eq", "1"))["items"][0]

    client.mutate(product=1, **change)

    after = client.listed("products", ("entity_id", "eq", "1"))["items"][0]
    assert after != before
    assert (after["updated_at"] > before["updated_at"]) is is_bumped


def test_stock_is_told_by_source_items_alone(client: MagentoClient) -> None:
    """A product does not become newer when it is sold out."""
    item = client.listed("inventory/source-items", ("quantity", "gt", "0"))["items"][0]
    before = client.listed("products", ("sku", "eq", item["sku"]))["items"][0]

    client.mutate(do="stock", sku=item["sku"], source=item["source_code"], quantity=0)

    changed = client.listed("inventory/source-items", ("sku", "eq", item["sku"]))["items"]
    assert {"quantity": 0, "status": 0} in [{n: each[n] for n in ("quantity", "status")} for each in changed]
    assert client.listed("products", ("sku", "eq", item["sku"]))["items"] == [before]


def test_an_import_is_old_and_new(client: MagentoClient) -> None:
    """A back-dated order keeps its `created_at` and has the present as `updated_at`."""
    made = client.mutate(do="import", created="2020-02-03 04:05:06")

    assert made["created_at"] == "2020-02-03 04:05:06"
    assert made["updated_at"] > "2026-01-01"
    assert made["entity_id"] in client.ids("orders", ("created_at", "lt", "2020-03-01 00:00:00"))


def test_editing_twice_makes_a_chain(client: MagentoClient) -> None:
    """Each edit cancels an order and makes the next, which names the first number."""
    first = client.mutate(do="place")
    client.mutate(do="edit", order=first["entity_id"])
    second = next(o for o in client.listed("orders")["items"] if o["increment_id"] == f"{first['increment_id']}-1")
    client.mutate(do="edit", order=second["entity_id"])
    third = next(o for o in client.listed("orders")["items"] if o["increment_id"] == f"{first['increment_id']}-2")

    assert third["original_increment_id"] == first["increment_id"]
    assert third["relation_parent_real_id"] == second["increment_id"]
    assert third["customer_email"] == first["customer_email"]
    assert [order(client, each["entity_id"])["state"] for each in (first, second, third)] == ["canceled", "canceled", "new"]


def test_a_late_commit_is_stamped_before_it_is_seen(sandbox: SandboxThread, client: MagentoClient) -> None:
    """A held write is invisible until it is released, order and paper together, with the time at which it was made."""
    identifier = fresh(client)
    before = order(client, identifier)
    sandbox.clock.advance(60)

    held = client.mutate(do="invoice", order=identifier, hold=True)

    assert order(client, identifier) == before
    assert client.ids("invoices", ("order_id", "eq", str(identifier))) == []
    sandbox.clock.advance(60)
    assert client.mutate(do="release") == {"released": 2}
    assert order(client, identifier) == held
    assert len(client.ids("invoices", ("order_id", "eq", str(identifier)))) == 1


def test_a_lag_shows_writes_later() -> None:
    """With `lag_ms` every write is seen that much later than it was stamped."""
    options = SandboxOptions(sources=("magento",), orders=10, now=NOW, lag_ms=60_000)
    with SandboxThread(options) as sandbox, MagentoClient(sandbox.url) as client:
        client.mutate(do="place")
        assert client.listed("orders", size=1)["total_count"] == 10
        sandbox.clock.advance(61)
        assert client.listed("orders", size=1)["total_count"] == 11


def test_changes_between_pages_lose_rows_of_a_walk_by_page_number(sandbox: SandboxThread, client: MagentoClient) -> None:
    """The offset walk over `updated_at` misses orders that did not change; the keyset walk does not."""
    mutated = iter([2, 3, 4, 5])

    def in_between(_shop: Any, kind: str) -> None:
        identifier = next(mutated, None) if kind == "orders" else None
        if identifier is not None:
            sandbox.magento.mutate({"do": "touch", "order": identifier})

    every = set(client.ids("orders"))
    oldest = client.ids("orders", sort=[("updated_at", "ASC"), ("entity_id", "ASC")])[:4]
    mutated = iter(oldest)
    sandbox.magento.shop.before_list(in_between)
    sort = [("updated_at", "ASC"), ("entity_id", "ASC")]
    seen = [identifier for page in range(1, 8) for identifier in client.ids("orders", sort=sort, size=10, page=page)]

    assert every - set(seen)


def test_broken_records_are_served_as_they_are(client: MagentoClient) -> None:
    """A text where a number must be: for readers that must put one record aside."""
    client.mutate(do="break", order=9, changes={"grand_total": "12.x"})

    assert order(client, 9)["grand_total"] == "12.x"


@pytest.mark.parametrize(
    "change",
    [
        {"do": "unheard"}, {"do": "cancel"}, {"do": "cancel", "order": 999}, {"do": "delete", "kind": "orders", "id": 999},
        {"do": "refund", "order": 1, "items": {"1": 99}}, {"do": "stock", "sku": "none", "quantity": 1},
        {"do": "product", "product": 1, "changes": {"no_such": 1}}, {"do": "delete", "kind": "nothing", "id": 1},
    ],
)  # fmt: skip
def test_senseless_changes_are_refused(client: MagentoClient, change: dict[str, Any]) -> None:
    """400 with a text; nothing happens."""
    answer = client.admin("POST", "magento/mutate", change)

    assert answer.status == 400
    assert answer.json()["message"]


def test_a_deleted_order_takes_its_papers_with_it(client: MagentoClient) -> None:
    """Nothing of it is left to be read."""
    identifier = of_state(client, "complete")

    client.mutate(do="delete", kind="orders", id=identifier)

    assert client.rest(f"orders/{identifier}").status == 404
    for papers in ("creditmemos", "invoices", "shipments"):
        assert client.ids(papers, ("order_id", "eq", str(identifier))) == []


def test_more_orders_over_the_admin_api(client: MagentoClient) -> None:
    """They come with papers and carts and new ids; stats count them."""
    before = client.admin("GET", "stats").json()["records"]

    after = client.admin("POST", "seed", {"orders": 25}).json()

    assert after["orders"] == before["orders"] + 25
    assert after["invoices"] > before["invoices"]
    assert len(set(client.ids("orders"))) == 85
    assert client.admin("POST", "seed", {"orders": 5, "source": "nothing"}).status == 400
