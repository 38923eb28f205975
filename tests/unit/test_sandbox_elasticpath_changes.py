"""Changes to the simulated Elastic Path: what moves `updated_at` and what does not, late visibility, what is possible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from elasticpath_client import ElasticPathClient

from cdi_cli.clock import Instant
from cdi_cli.sandbox import SandboxOptions, SandboxThread

NOW = Instant("2026-01-01T00:00:00.000Z")


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    """A store whose last change was some time ago."""
    with SandboxThread(SandboxOptions(sources=("elasticpath",), orders=60, now=NOW)) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: SandboxThread) -> Iterator[ElasticPathClient]:
    """A client of it."""
    with ElasticPathClient(sandbox.url) as client:
        yield client


def one(client: ElasticPathClient, path: str) -> Any:
    """A record as it is served."""
    return client.listed(path)["data"]


def fresh(client: ElasticPathClient) -> str:
    """The id of an order that was placed just now."""
    return str(client.mutate(do="place")["id"])


def later(sandbox: SandboxThread, client: ElasticPathClient, **change: Any) -> Any:
    """A change, ten seconds after the last one."""
    sandbox.clock.advance(10)
    return client.mutate(**change)


def moved(record: dict[str, Any]) -> str:
    """When a record changed last."""
    return str(record["meta"]["timestamps"]["updated_at"])


def state(record: dict[str, Any]) -> tuple[str, str, str]:
    """The three axes of an order."""
    return record["status"], record["payment"], record["shipping"]


def paid(sandbox: SandboxThread, client: ElasticPathClient) -> tuple[str, int]:
    """The id of an order that was paid just now, and what it cost."""
    order = later(sandbox, client, do="pay", order=fresh(client))
    return order["id"], order["meta"]["display_price"]["with_tax"]["amount"]


def test_checkout_makes_an_order_that_nobody_bought(client: ElasticPathClient) -> None:
    """It is in the list at once, incomplete and unpaid, without transactions."""
    order = one(client, f"v2/orders/{fresh(client)}")

    assert state(order) == ("incomplete", "unpaid", "unfulfilled")
    assert client.ids("v2/orders", limit="1") == [order["id"]]
    assert one(client, f"v2/orders/{order['id']}/transactions") == []
    assert order["meta"]["display_price"]["balance_owing"] == order["meta"]["display_price"]["with_tax"]


def test_an_order_through_its_life(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """Authorised, captured, sent, given back: each moves it, on its own axis."""
    identifier = fresh(client)
    found = [
        later(sandbox, client, do=action, order=identifier)
        for action in ("fail", "authorise", "capture", "ship", "refund", "anonymise")
    ]

    assert [state(each) for each in found] == [
        ("incomplete", "unpaid", "unfulfilled"),
        ("processing", "authorized", "unfulfilled"),
        ("complete", "paid", "unfulfilled"),
        ("complete", "paid", "fulfilled"),
        ("complete", "refunded", "fulfilled"),
        ("complete", "refunded", "fulfilled"),
    ]
    times = [moved(each) for each in found]
    assert times == sorted(set(times))
    assert ["fully_paid_at" in each["meta"]["timestamps"] for each in found] == [False, False, True, True, False, False]
    assert found[-1]["anonymized"]
    kinds = [(each["transaction_type"], each["status"]) for each in one(client, f"v2/orders/{identifier}/transactions")]
    assert kinds == [("purchase", "failed"), ("authorize", "complete"), ("capture", "complete")]


@pytest.mark.parametrize("is_moved", [True, False])
def test_partial_refunds_show_on_the_transaction_alone(
    sandbox: SandboxThread, client: ElasticPathClient, is_moved: bool
) -> None:
    """The order's payment stays `paid`, its `updated_at` moves or not as the switch says; the last refund changes both."""
    client.switch(refund_moves=is_moved)
    identifier, total = paid(sandbox, client)
    before = one(client, f"v2/orders/{identifier}")

    first = later(sandbox, client, do="refund", order=identifier, amount=total // 4)
    second = later(sandbox, client, do="refund", order=identifier, amount=total // 2)
    (transaction,) = one(client, f"v2/orders/{identifier}/transactions")
    last = later(sandbox, client, do="refund", order=identifier)

    assert [each["payment"] for each in (first, second, last)] == ["paid", "paid", "refunded"]
    assert (moved(first) > moved(before)) is (moved(second) > moved(first)) is is_moved
    assert moved(last) > moved(second)
    assert transaction["refunded_amount"] == total // 4 + total // 2
    assert first["meta"]["display_price"] == before["meta"]["display_price"]


def test_split_payments_are_refunded_one_by_one(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """The order is `refunded` only when each of its transactions is."""
    identifier = fresh(client)
    part = later(sandbox, client, do="pay", order=identifier, percent=40)
    later(sandbox, client, do="pay", order=identifier)

    half = later(sandbox, client, do="refund", order=identifier, transaction=1)
    whole = later(sandbox, client, do="refund", order=identifier, transaction=0)

    assert [each["payment"] for each in (part, half, whole)] == ["partially_paid", "paid", "refunded"]
    assert all(each["refunded_amount"] == each["amount"] for each in one(client, f"v2/orders/{identifier}/transactions"))


def test_marking_as_refunded_is_always_the_whole(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """No amount is named; the transaction says that it was done by hand."""
    identifier, total = paid(sandbox, client)
    order = later(sandbox, client, do="mark", order=identifier)
    (transaction,) = one(client, f"v2/orders/{identifier}/transactions")

    assert order["payment"] == "refunded"
    assert (transaction["refunded_amount"], transaction["refund_mechanism"]) == (total, "manual")


def test_cancelling_gives_nothing_back(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """Payment stays as it was, until somebody refunds it."""
    identifier, _total = paid(sandbox, client)

    cancelled = later(sandbox, client, do="cancel", order=identifier)
    refunded = later(sandbox, client, do="refund", order=identifier)

    assert state(cancelled) == ("cancelled", "paid", "unfulfilled")
    assert state(refunded) == ("cancelled", "refunded", "unfulfilled")


@pytest.mark.parametrize(
    "change",
    [
        {"do": "ship"},
        {"do": "refund"},
        {"do": "mark"},
        {"do": "capture"},
        {"do": "anonymise"},
        {"do": "address"},
        {"do": "unheard of"},
        {"do": "touch", "order": "nobody"},
        {"do": "delete", "kind": "orders", "id": "nobody"},
        {"do": "profile", "customer": "nobody"},
        {"do": "refund", "transaction": 5},
    ],
)
def test_what_cannot_be_is_refused(client: ElasticPathClient, change: dict[str, Any]) -> None:
    """An unpaid order is not sent or refunded; nothing that is not there is changed; the answer says so."""
    answer = client.admin("POST", "elasticpath/mutate", {"order": fresh(client), **change})

    assert answer.status == 400
    assert f"`{change['do']}`" in answer.json()["message"]


def test_no_more_than_was_paid_is_given_back(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """Neither at once nor in parts."""
    identifier, total = paid(sandbox, client)
    for amount in (0, -1, total + 1):
        assert (
            client.admin("POST", "elasticpath/mutate", {"do": "refund", "order": identifier, "amount": amount}).status == 400
        )
    client.mutate(do="refund", order=identifier, amount=total - 1)

    assert client.admin("POST", "elasticpath/mutate", {"do": "refund", "order": identifier, "amount": 2}).status == 400


def test_orders_are_placed_and_imported_in_bulk(client: ElasticPathClient) -> None:
    """All of one change share their times; imported ones have an old `created_at` and a new `updated_at`."""
    placed = client.admin("POST", "elasticpath/mutate", {"do": "place", "count": 30}).json()
    imported = client.admin("POST", "elasticpath/mutate", {"do": "import", "count": 3}).json()

    assert len({each["id"] for each in placed}) == 30
    assert len({moved(each) for each in placed}) == 1
    assert {state(each) for each in imported} == {("complete", "paid", "fulfilled")}
    assert all(each["meta"]["timestamps"]["created_at"] < moved(each) for each in imported)
    assert all(moved(each) >= moved(placed[0]) for each in imported)


def test_other_changes_of_orders(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """An address, flow fields, poison and its cure."""
    identifier = fresh(client)

    assert later(sandbox, client, do="address", order=identifier, city="Köln")["shipping_address"]["city"] == "Köln"
    assert later(sandbox, client, do="flow", order=identifier, changes={"note": "x"})["note"] == "x"
    poisoned = later(sandbox, client, do="poison", order=identifier)
    healed = later(sandbox, client, do="mend", order=identifier)
    assert isinstance(poisoned["meta"]["display_price"]["with_tax"]["amount"], str)
    assert isinstance(healed["meta"]["display_price"]["with_tax"]["amount"], int)


def test_customers_come_change_and_go(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """A new one, a new name, consent given and taken back, forgotten, deleted: all but the last show in the list."""
    person = client.mutate(do="register")
    found = [
        later(sandbox, client, do="profile", customer=person["id"], changes={"name": "Zoë"}, custom={"tier": 1}),
        later(sandbox, client, do="subscribe", customer=person["id"]),
        later(sandbox, client, do="unsubscribe", customer=person["id"]),
        later(sandbox, client, do="forget", customer=person["id"]),
    ]

    assert (found[0]["name"], found[0]["tier"]) == ("Zoë", 1)
    assert [each["marketing_consent"] for each in found[1:3]] == [True, False]
    assert (found[3]["name"], found[3]["email"]) == ("**", "**")
    times = [moved(each) for each in [person, *found]]
    assert times == sorted(set(times))
    assert client.ids("v2/customers", sort="-updated_at", limit="1") == [person["id"]]
    assert client.get(f"v2/customers/{person['id']}/addresses").json() == {"data": []}
    client.mutate(do="delete", kind="customers", id=person["id"])
    assert client.get(f"v2/customers/{person['id']}").status == 404


def test_a_new_customer_may_order(client: ElasticPathClient) -> None:
    """Sooner or later one does."""
    people = {client.mutate(do="register")["id"] for _ in range(30)}

    orders = client.admin("POST", "elasticpath/mutate", {"do": "place", "count": 120}).json()

    assert people & {order.get("customer", {}).get("id") for order in orders}


def test_a_price_does_not_move_its_product(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """Price books are apart; a product, an account and a member move when they change."""
    store = sandbox.elasticpath.store
    price = store.documents("prices")[0]
    product = next(each for each in store.documents("products") if each["attributes"]["sku"] == price["attributes"]["sku"])

    changed = later(sandbox, client, do="price", price=price["id"], changes={"amounts": {"EUR": 1}})

    assert changed["attributes"]["currencies"] == {"EUR": {"amount": 1, "includes_tax": True}}
    assert one(client, f"pcm/products/{product['id']}") == product
    for name, kind in (("product", "products"), ("account", "accounts"), ("member", "account-members")):
        record = store.rows(kind)[0]
        assert later(sandbox, client, do=name, **{name: record.id}, changes={"name": "New"}) != record.document()
        assert store.rows(kind)[-1].updated > record.updated


def test_changes_become_visible_late(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """Stamped at once, seen after the lag, which can be switched on while the store runs."""
    client.switch(lag_ms=45_000)
    identifier = fresh(client)

    assert client.get(f"v2/orders/{identifier}").status == 404
    sandbox.clock.advance(44)
    assert client.get(f"v2/orders/{identifier}").status == 404
    sandbox.clock.advance(2)
    order = one(client, f"v2/orders/{identifier}")
    assert moved(order) < sandbox.clock.instant()[:19]
    assert client.ids("v2/orders", limit="1") == [identifier]


def test_held_changes_wait_for_release(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """A change upon a held one builds on it; both are seen together."""
    identifier = client.mutate(do="place", hold=True)["id"]
    client.mutate(do="pay", order=identifier, hold=True)
    assert client.get(f"v2/orders/{identifier}").status == 404

    assert client.mutate(do="release") == {"released": 2}

    assert one(client, f"v2/orders/{identifier}")["payment"] == "paid"


def test_switches_are_told_and_checked(client: ElasticPathClient) -> None:
    """The answer is how the store now behaves; a switch that there is not is named."""
    told = client.switch(sorts=False, lag_ms=10)
    assert (told["sorts"], told["lag_ms"], told["pages"]) == (False, 10, True)

    refused = client.admin("POST", "elasticpath/switches", {"client_secret": "x"})

    assert refused.status == 400
    assert "client_secret" in refused.json()["message"]


def test_books_follow_what_happens(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """A sale is counted when it is paid, a refund when it is made."""
    before = client.admin("GET", "elasticpath/books").json()
    identifier, total = paid(sandbox, client)
    currency = one(client, f"v2/orders/{identifier}")["meta"]["display_price"]["with_tax"]["currency"]
    client.mutate(do="refund", order=identifier, amount=total // 2)

    after = client.admin("GET", "elasticpath/books").json()

    def amounts(books: Any, name: str) -> tuple[int, int]:
        part = books[name].get(currency, {"count": 0, "amount": "0"})
        return part["count"], int(part["amount"].replace(".", ""))

    for name, amount in (("sales", total), ("refunds", total // 2)):
        (count, money), (more, more_money) = amounts(before, name), amounts(after, name)
        assert (more - count, more_money - money) == (1, amount)


def test_more_orders_can_be_seeded(client: ElasticPathClient) -> None:
    """The admin API adds some, and says how many of everything there are."""
    added = client.admin("POST", "seed", {"orders": 15, "source": "elasticpath"}).json()

    assert added["orders"] == 75
    assert len(set(client.ids("v2/orders", limit="100"))) == 75
