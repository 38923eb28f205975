"""The simulated Elastic Path's lists: both dialects of filters, sorts, pages, the wall, and what is included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from elasticpath_client import ElasticPathClient

from cdi_cli.clock import Instant, parse_instant
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sandbox.elasticpath.filters import Grammar, parse
from cdi_cli.sandbox.elasticpath.replies import ApiError
from cdi_cli.sandbox.elasticpath.times import read_timestamp, text_at_offset, text_of

NOW = Instant("2026-01-01T00:00:00.000Z")
ORDERS = 900
BAD_FILTER = {"errors": [{"title": "Bad Request", "detail": "Could not parse the supplied filter"}]}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxThread]:
    """A store whose crowds are larger than a page; tests put switches back."""
    with SandboxThread(SandboxOptions(sources=("elasticpath",), orders=ORDERS, now=NOW)) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: SandboxThread) -> Iterator[ElasticPathClient]:
    """A client of it; every switch stands as it did."""
    with ElasticPathClient(sandbox.url) as client:
        yield client
        sandbox.elasticpath.switch(new_filters=True, sorts=True, pages=True, wrong_next=True)


def stamp(record: dict[str, Any], field: str = "updated_at") -> str:
    """A time of a record as an instant: some have milliseconds, others do not."""
    return parse_instant(record["meta"]["timestamps"][field])


def total(client: ElasticPathClient, path: str, text: str) -> int:
    """How many records a filter holds for."""
    return int(client.listed(path, filter=text, limit="1")["meta"]["results"]["total"])


# Filters.


@pytest.mark.parametrize("op", ["eq", "gt", "ge", "lt", "le"])
def test_quoted_timestamps_compare_exactly(sandbox: SandboxThread, client: ElasticPathClient, op: str) -> None:
    """The new parser tells one second from the next, whatever the operator."""
    at = stamp(client.listed("v2/orders", sort="updated_at", limit="1", offset="400")["data"][0])
    compare = {"eq": str.__eq__, "gt": str.__gt__, "ge": str.__ge__, "lt": str.__lt__, "le": str.__le__}[op]
    expected = sum(compare(stamp(each), at) for each in sandbox.elasticpath.store.documents("orders"))

    assert total(client, "v2/orders", f'{op}(updated_at,"{at}")') == expected > 0


def test_the_original_parser_takes_days_and_milliseconds(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """A bare date is its midnight, a bare number milliseconds since 1970; `eq` with a date is the whole day."""
    at = stamp(client.listed("v2/orders", sort="updated_at", limit="1", offset="300")["data"][0])
    day, ms = at[:10], read_timestamp(at)
    quoted = total(client, "v2/orders", f'ge(updated_at,"{day}T00:00:00.000Z")')

    assert total(client, "v2/orders", f"ge(updated_at,{day})") == quoted
    assert total(client, "v2/orders", f"ge(updated_at,{ms})") == total(client, "v2/orders", f'ge(updated_at,"{at}")')
    same_day = [each for each in sandbox.elasticpath.store.documents("orders") if stamp(each)[:10] == day]
    assert total(client, "v2/orders", f"eq(updated_at,{day})") == len(same_day) > 0


@pytest.mark.parametrize("path", ["v2/orders", "v2/customers"])
def test_bare_timestamps_are_unreadable(client: ElasticPathClient, path: str) -> None:
    """Colons need quotes here."""
    answer = client.get(path, filter="ge(updated_at,2024-01-01T00:00:00Z)")

    assert (answer.status, answer.json()) == (400, BAD_FILTER)


@pytest.mark.parametrize("path", ["pcm/products", "v2/accounts"])
def test_catalogue_and_accounts_take_bare_timestamps(client: ElasticPathClient, path: str) -> None:
    """As their documentation shows them, and quoted ones as well."""
    bare = total(client, path, "ge(updated_at,2025-01-01T00:00:00Z)")

    assert bare == total(client, path, 'ge(updated_at,"2025-01-01T00:00:00.000Z")') > 0


def test_the_new_parser_can_be_missing(client: ElasticPathClient) -> None:
    """Then anything in quotes is a 400 in every list, and the original dialect still works."""
    client.switch(new_filters=False)

    for path in ("v2/orders", "v2/customers", "v2/accounts", "pcm/products"):
        answer = client.get(path, filter='ge(updated_at,"2024-01-01T00:00:00.000Z")')
        assert (answer.status, answer.json()) == (400, BAD_FILTER)
        assert client.get(path, filter="ge(updated_at,2024-01-01)").status == 200


def test_a_header_turns_the_new_parser_off(client: ElasticPathClient) -> None:
    """For that one request."""
    client.mint()
    headers = {"Authorization": f"Bearer {client.access_token}", "EP-Disable-Beta-Filtering": "true"}
    target = "/elasticpath/v2/orders?filter=ge(updated_at,%222024-01-01T00:00:00.000Z%22)"

    assert client.call("GET", target, headers=headers).status == 400
    assert client.call("GET", target, headers={"Authorization": headers["Authorization"]}).status == 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "eq(email)",
        "eq(no_such_field,x)",
        "contains(email,x)",
        "gt(email,x)",
        "eq(updated_at,yesterday)",
        'eq(updated_at,"2024-13-01T00:00:00Z")',
        "eq(email,a+b@example.com)",
        'eq(email,"open)',
        "eq(email,x):",
        "eq(email,x)|eq(email,y)",
        "eq(email,x,y)",
        ":".join(["eq(email,x)"] * 11),
    ],
)
def test_what_the_filter_parser_does_not_know(client: ElasticPathClient, text: str) -> None:
    """Fields, operators, operands, `or`, more than ten conditions: one and the same answer."""
    answer = client.get("v2/orders", filter=text)

    assert (answer.status, answer.json()) == (400, BAD_FILTER)


def test_ten_conditions_are_enough(client: ElasticPathClient) -> None:
    """All must hold."""
    assert client.get("v2/orders", filter=":".join(["eq(status,complete)"] * 10)).status == 200
    assert client.ids("v2/orders", filter="eq(status,complete):eq(status,cancelled)") == []


def test_a_request_of_eight_kilobytes_is_too_long(client: ElasticPathClient) -> None:
    """About two hundred ids in one `in`."""
    ids = ",".join(f"0000000{n:04d}-0000-4000-8000-000000000000" for n in range(200))

    assert client.get("v2/accounts", filter=f"in(id,{ids})").status == 414
    assert client.get("v2/accounts", filter=f"in(id,{ids[:3000].rpartition(',')[0]})").status == 200


def test_records_are_found_by_their_fields(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """`eq` is exact, `like` has `*`, `ilike` (members alone) does not mind case, quotes let any sign in, `in` is a list."""
    store = sandbox.elasticpath.store
    order = next(each for each in store.documents("orders") if each.get("order_number") and "id" in each.get("customer", {}))
    customer, member = order["customer"], store.documents("account-members")[3]
    name = customer["name"].replace("\\", "\\\\").replace('"', '\\"')

    assert client.ids("v2/orders", filter=f"eq(order_number,{order['order_number']})") == [order["id"]]
    assert order["id"] in client.ids("v2/orders", filter=f"eq(customer_id,{customer['id']})", limit="100")
    assert order["id"] in client.ids("v2/orders", filter=f'eq(name,"{name}")', limit="100")
    email = customer["email"]
    assert order["id"] in client.ids("v2/orders", filter=f'like(email,"*{email[2:]}")', limit="100")
    assert client.ids("v2/orders", filter=f'eq(email,"{email.swapcase()}")') == []
    assert client.ids("v2/account-members", filter=f'ilike(email,"{member["email"].upper()}")') == [member["id"]]
    accounts = [each["id"] for each in store.documents("accounts")[:3]]
    assert sorted(client.ids("v2/accounts", filter=f"in(id,{','.join(accounts)})")) == sorted(accounts)


def test_members_cannot_be_filtered_by_time(client: ElasticPathClient) -> None:
    """There is no such filter; latest changes first is all there is."""
    assert client.get("v2/account-members", filter='ge(updated_at,"2024-01-01T00:00:00.000Z")').status == 400
    found = [stamp(each) for each in client.listed("v2/account-members", sort="-updated_at", limit="100")["data"]]
    assert found == sorted(found, reverse=True)


def test_escapes_in_quoted_operands() -> None:
    """A quote and a backslash can be written; a date that is none is refused."""
    grammar = Grammar({"name": "text", "created_at": "date"})

    (condition,) = parse(r'eq(name,"a\"b\\c, (d):e")', grammar)

    assert condition.value == r'a"b\c, (d):e'
    with pytest.raises(ApiError):
        parse('eq(created_at,"2024-02-30T00:00:00Z")', grammar)


# Sorts and pages.


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "updated_at", "-updated_at"])
def test_orders_are_sorted(client: ElasticPathClient, sort: str) -> None:
    """Ascending, and descending with a minus sign, over pages, with a filter."""
    found: list[str] = []
    for offset in range(0, ORDERS, 100):
        page = client.listed("v2/orders", sort=sort, limit="100", offset=str(offset), filter='ge(created_at,"2020-01-01")')
        found += [stamp(each, sort.lstrip("-")) for each in page["data"]]

    assert len(found) == ORDERS
    assert found == sorted(found, reverse=sort.startswith("-"))


def test_orders_can_be_sorted_by_other_fields(client: ElasticPathClient) -> None:
    """`with_tax`, `status`, `payment`, `shipping`; anything else is a 400."""
    found = client.listed("v2/orders", sort="with_tax", limit="100")["data"]
    amounts = [each["meta"]["display_price"]["with_tax"]["amount"] for each in found]
    assert amounts == sorted(amounts)
    assert client.get("v2/orders", sort="id").status == 400


@pytest.mark.parametrize(
    ("path", "field"), [("v2/orders", "updated_at"), ("v2/customers", "created_at"), ("v2/accounts", "created_at")]
)
def test_the_default_order_is_descending(client: ElasticPathClient, path: str, field: str) -> None:
    """Without `sort` the newest come first."""
    found = [stamp(each, field) for each in client.listed(path, limit="100")["data"]]

    assert found == sorted(found, reverse=True)
    assert len(set(found)) > 1


def test_sort_can_be_ignored(client: ElasticPathClient) -> None:
    """Then every list comes in its default order, whatever was asked for, without a word."""
    default = client.ids("v2/orders")
    client.switch(sorts=False)

    assert client.ids("v2/orders", sort="updated_at") == default
    assert client.ids("v2/orders", sort="no_such_field") == default


def test_products_know_no_sort(client: ElasticPathClient) -> None:
    """The parameter is not refused, and changes nothing."""
    assert client.ids("pcm/products", sort="updated_at") == client.ids("pcm/products", sort="-id")


def test_pages_have_limits(client: ElasticPathClient) -> None:
    """25 by default, 100 at most however many are asked for; offsets count records."""
    assert len(client.ids("v2/orders")) == 25
    page = client.listed("v2/orders", limit="500", offset="100")
    assert len(page["data"]) == 100
    assert page["meta"] == {"page": {"limit": 100, "offset": 100, "current": 2, "total": 9}, "results": {"total": ORDERS}}
    assert client.ids("v2/orders", limit="10", offset="5") == client.ids("v2/orders", limit="15")[5:]
    assert client.ids("v2/orders", limit="10", offset="9000") == []
    assert client.get("v2/orders", limit="0").status == 400
    assert client.get("v2/orders", limit="ten").status == 400


@pytest.mark.parametrize("path", ["v2/orders", "v2/customers", "pcm/products"])
def test_there_is_a_wall_at_ten_thousand(client: ElasticPathClient, path: str) -> None:
    """One before it is served, from it on it is a 400."""
    assert client.get(path, offset="9999").status == 200
    assert client.get(path, offset="10000").status == 400


def test_pages_can_be_ignored(client: ElasticPathClient) -> None:
    """Then every page is the first."""
    client.switch(pages=False)

    assert client.ids("v2/orders", limit="100", offset="100") == client.ids("v2/orders", limit="100")


def test_links_differ_from_service_to_service(client: ElasticPathClient) -> None:
    """Orders end with `next: null`; products leave `next` out, on the page before the last, too."""
    last = client.listed("v2/orders", limit="100", offset="800")
    assert last["links"]["next"] is None
    assert client.listed("v2/orders", limit="100", offset="700")["links"]["next"].endswith(
        "page[offset]=800&page[limit]=100"
    )
    assert client.listed("v2/accounts", limit="100", filter="eq(name,nobody)")["links"]["last"] is None

    def nexts() -> list[bool]:
        return ["next" in client.listed("pcm/products", limit="100", offset=str(o))["links"] for o in (0, 100, 200)]

    assert nexts() == [True, False, False]
    client.switch(wrong_next=False)
    assert nexts() == [True, True, False]


def test_the_recommended_walk_reads_everything_once(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """Keyset by time with offsets inside one time gets through crowds that are larger than a page."""
    times = [each.updated for each in sandbox.elasticpath.store.rows("orders")]
    assert max(times.count(at) for at in set(times)) > 100

    found = [record["id"] for record in client.walk("v2/orders")]

    assert sorted(found) == sorted(each.id for each in sandbox.elasticpath.store.rows("orders"))
    assert len(found) == len(set(found))


def test_rows_can_change_in_the_middle_of_a_walk() -> None:
    """A hook runs before each page; an order that changed moves to the end, and another one slips past the offset."""
    with SandboxThread(SandboxOptions(sources=("elasticpath",), orders=250, now=NOW)) as sandbox:
        store, touched = sandbox.elasticpath.store, []

        def touch(_store: Any, kind: str) -> None:
            if kind == "orders" and len(touched) < 2:
                row = min(store.tables["orders"].rows.values(), key=lambda each: (each.updated, each.id))
                touched.append(row.id)
                sandbox.elasticpath.mutate({"do": "touch", "order": row.id})

        in_order = [each["id"] for each in sorted(store.documents("orders"), key=lambda one: (stamp(one), one["id"]))]
        store.before_list(touch)
        with ElasticPathClient(sandbox.url) as client:
            first = client.ids("v2/orders", sort="updated_at", limit="100")
            second = client.ids("v2/orders", sort="updated_at", limit="100", offset="100")

    assert touched[0] not in first + second
    assert touched[1] == first[0]
    assert len(first + second) == len(set(first + second)) == 200
    assert in_order.index(second[0]) == in_order.index(first[-1]) + 2, "the order between was passed over"


# What is included, and single records.


def test_items_come_beside_the_orders(client: ElasticPathClient) -> None:
    """In an object, by kind; orders name them `item`, they call themselves `order_item` or `promotion_item`."""
    page = client.listed("v2/orders", include="items", limit="100")

    items = {item["id"]: item for item in page["included"]["items"]}
    named = [each for order in page["data"] for each in order["relationships"]["items"]["data"] if each["type"] == "item"]
    assert {each["id"] for each in named} == set(items)
    assert {item["type"] for item in items.values()} == {"order_item", "promotion_item"}
    assert "included" not in client.listed("v2/orders")
    assert client.listed("v2/orders", include="items", filter="eq(status,nothing)")["included"] == {"items": []}


def test_one_order_with_everything(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """An order by its id is the one of the list; so are its items and its transactions."""
    row = next(each for each in sandbox.elasticpath.store.orders() if len(each.transactions()) > 1 and each.order is None)

    one = client.get(f"v2/orders/{row.id}", include="items").json()
    transactions = client.listed(f"v2/orders/{row.id}/transactions")["data"]

    assert one == {"data": row.document(), "included": {"items": row.items()}}
    assert client.listed(f"v2/orders/{row.id}/items")["data"] == row.items()
    assert transactions == row.transactions()
    assert client.listed(f"v2/orders/{row.id}/transactions/{transactions[0]['id']}") == {"data": transactions[0]}
    assert client.get(f"v2/orders/{row.id}/transactions/x").status == 404
    assert client.get("v2/orders/x").json() == {
        "errors": [{"status": "404", "title": "Not Found", "detail": "Order not found"}]
    }
    assert client.get("v2/orders/x/items").status == 404


def test_accounts_come_with_orders_on_request(client: ElasticPathClient) -> None:
    """`account` and `account_member` of those that have them."""
    page = client.listed("v2/orders", include="account,account_member", limit="100")

    named = {
        each["relationships"][name]["data"]["id"]
        for each in page["data"]
        for name in ("account", "account_member")
        if name in each["relationships"]
    }
    included = page["included"]["accounts"] + page["included"]["account_members"]
    assert {each["id"] for each in included} == named


def test_members_lead_to_accounts_and_back(sandbox: SandboxThread, client: ElasticPathClient) -> None:
    """Only memberships tell: neither record names the other."""
    member = next(each for each in sandbox.elasticpath.store.documents("account-members"))

    memberships = client.listed(f"v2/account-members/{member['id']}/account-memberships")["data"]
    account = memberships[0]["relationships"]["account"]["data"]["id"]
    back = client.listed(f"v2/accounts/{account}/account-memberships")["data"]

    assert member["id"] in {each["account_member_id"] for each in back}
    assert "account" not in str(sorted(member))


def test_products_prices_images_and_currencies(client: ElasticPathClient) -> None:
    """Prices are in price books, by SKU and currency; images come along; currencies have 0, 2 and 3 decimals."""
    page = client.listed("pcm/products", include="main_image,files", limit="100")
    images = {each["id"]: each for each in page["included"]["main_images"]}
    book = client.listed("pcm/pricebooks")["data"][0]
    sku = client.listed(f"pcm/pricebooks/{book['id']}/prices", limit="1", offset="7")["data"][0]["attributes"]["sku"]
    (price,) = client.listed(f"pcm/pricebooks/{book['id']}/prices", filter=f"eq(sku,{sku})")["data"]
    product = page["data"][5]

    assert all("price" not in each["attributes"] for each in page["data"])
    image = product["relationships"]["main_image"]["data"]
    assert image is None or images[image["id"]]["link"]["href"].startswith("https://")
    assert price["attributes"]["sku"] == sku
    assert set(price["attributes"]["currencies"]) == {"EUR", "USD", "GBP", "JPY", "KWD"}
    digits = {each["code"]: each["decimal_places"] for each in client.listed("v2/currencies")["data"]}
    assert digits == {"EUR": 2, "USD": 2, "GBP": 2, "JPY": 0, "KWD": 3}
    assert client.listed(f"pcm/products/{product['id']}")["data"] == product


def test_times_are_written_in_three_ways() -> None:
    """Whole seconds, milliseconds, and with an offset; all are read back."""
    assert text_of(1_530_702_743_000) == "2018-07-04T11:12:23Z"
    assert text_of(1_530_702_743_715) == "2018-07-04T11:12:23.715Z"
    assert text_at_offset(1_530_702_743_000, -7) == "2018-07-04T04:12:23-07:00"
    assert read_timestamp("2018-07-04T04:12:23-07:00") == 1_530_702_743_000
    assert read_timestamp("2018-07-04 04:12:23") is None
