"""Reading the commercetools simulator: keyset walks, order, limits, envelopes, expansion, writes in the middle."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from sandbox_client import ORDERED, SandboxClient

from cdi_cli.clock import Instant
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sandbox.commercetools.records import id_key

NOW = Instant("2026-11-01T00:00:00.000Z")
OPTIONS = SandboxOptions(orders=2_000, now=NOW)


@pytest.fixture(scope="module")
def reading() -> Iterator[SandboxThread]:
    """A sandbox that no test of this module changes."""
    with SandboxThread(OPTIONS) as sandbox:
        yield sandbox


@pytest.fixture
def client(reading: SandboxThread) -> Iterator[SandboxClient]:
    """A client of the shared sandbox."""
    with SandboxClient(reading.url) as client:
        yield client


@pytest.fixture
def small() -> Iterator[SandboxThread]:
    """A small sandbox of the test's own, for changing."""
    with SandboxThread(SandboxOptions(orders=60, now=NOW)) as sandbox:
        yield sandbox


@pytest.mark.parametrize("limit", [7, 100, 500])
def test_keyset_walk_yields_each_row_once(reading: SandboxThread, client: SandboxClient, limit: int) -> None:
    """A walk over (createdAt, id) crosses a crowd of 250 rows in one millisecond without loss or repeat."""
    rows = list(client.walk("orders", limit=limit))

    expected = {order["id"] for order in reading.shop.documents("orders")}
    assert len(rows) == 2_000
    assert {row["id"] for row in rows} == expected
    crowds = [len(list(group)) for _at, group in itertools.groupby(row["createdAt"] for row in rows)]
    assert max(crowds) >= 250


def test_rows_come_in_binary_id_order_inside_a_millisecond(client: SandboxClient) -> None:
    """Rows of one time are ordered by the platform's id encoding, and not by the id's text."""
    rows = list(client.walk("orders", limit=500))

    keys = [(row["createdAt"], id_key(row["id"])) for row in rows]
    assert keys == sorted(keys)
    texts = [(row["createdAt"], row["id"]) for row in rows]
    assert texts != sorted(texts)


def test_id_walk_agrees_with_sort_by_id(reading: SandboxThread, client: SandboxClient) -> None:
    """`sort=id` and `id >` use the same order, so the official paging pattern reads everything once."""
    seen: list[str] = []
    where: list[tuple[str, str]] = []
    while True:
        rows = client.page("customers", *where, ("sort", "id asc"), ("limit", "90"), ("withTotal", "false"))
        seen += [row["id"] for row in rows]
        if len(rows) < 90:
            break
        where = [("where", f'id > "{seen[-1]}"')]

    assert len(seen) == len(set(seen)) == reading.shop.count("customers")


@pytest.mark.parametrize("sort", [["createdAt desc", "id desc"], ["createdAt desc", "id asc"], ["orderNumber desc"]])
def test_sort_keys_are_honoured_in_their_directions(client: SandboxClient, sort: list[str]) -> None:
    """Several keys, mixed directions and plain fields sort as asked."""
    rows = client.page("orders", *[("sort", key) for key in sort], ("limit", "500"))

    def value(row: dict[str, Any], field: str) -> Any:
        return id_key(row["id"]) if field == "id" else row[field]

    expected = rows
    for field, direction in reversed([key.split() for key in sort]):
        expected = sorted(expected, key=lambda row, field=field: value(row, field), reverse=direction == "desc")
    assert [row["id"] for row in rows] == [row["id"] for row in expected]


def test_unsorted_pages_come_in_no_particular_order(client: SandboxClient) -> None:
    """Without `sort`, and among ties of an incomplete sort, the order differs from call to call."""
    first, second = (client.page("orders", ("limit", "50")) for _call in range(2))
    assert [row["id"] for row in first] != [row["id"] for row in second]

    crowd = next(row["createdAt"] for row in client.walk("orders", limit=500) if _is_crowded(client, row["createdAt"]))
    ties = [("where", f'createdAt = "{crowd}"'), ("sort", "createdAt asc"), ("limit", "500")]
    assert [row["id"] for row in client.page("orders", *ties)] != [row["id"] for row in client.page("orders", *ties)]


def _is_crowded(client: SandboxClient, at: str) -> bool:
    return bool(client.api("/orders", [("where", f'createdAt = "{at}"'), ("limit", "0")]).json()["total"] > 50)


def test_repeated_where_is_anded_and_variables_are_filled(client: SandboxClient) -> None:
    """Two `where` parameters both hold, with values from `var.*`."""
    since, until = "2025-06-01T00:00:00.000Z", "2025-09-01T00:00:00.000Z"
    params = [("where", "createdAt >= :from"), ("where", "createdAt < :to"), ("var.from", since), ("var.to", until)]

    rows = client.page("orders", *params, ("limit", "500"))

    assert rows
    assert all(since <= row["createdAt"] < until for row in rows)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ([("limit", "501")], "Malformed parameter: limit: The limit parameter must be in the range of [0..500]"),
        ([("limit", "-1")], "Malformed parameter: limit: The limit parameter must be in the range of [0..500]"),
        ([("limit", "ten")], "Malformed parameter: limit: The limit parameter must be in the range of [0..500]"),
        ([("offset", "10001")], "Malformed parameter: offset: The offset parameter must be in the range of [0..10000]"),
        ([("where", "nope = 1")], "Malformed parameter: where: The field 'nope' does not exist."),
        ([("where", 'id > "x"')], "Malformed parameter: where: Invalid UUID: 'x'"),
        ([("sort", "nope asc")], "Malformed parameter: sort: The field 'nope' does not exist."),
        ([("sort", "createdAt up")], "Malformed parameter: sort: Syntax error while parsing 'sort': createdAt up"),
        ([("withTotal", "False")], "Malformed parameter: withTotal: Expected 'true' or 'false' but got 'False'."),
        ([("expand", "paymentInfo..x")], "Malformed parameter: expand: Invalid expansion path 'paymentInfo..x'."),
    ],
)
def test_bad_parameters_are_invalid_input(client: SandboxClient, params: list[tuple[str, str]], message: str) -> None:
    """A parameter out of range or unreadable is 400 with the API's envelope."""
    answer = client.api("/orders", params)

    assert answer.status == 400
    assert answer.json() == {
        "statusCode": 400,
        "message": message,
        "errors": [{"code": "InvalidInput", "message": message}],
    }


def test_envelope_defaults_and_total(client: SandboxClient) -> None:
    """20 rows by default; `total` is there unless refused, and stops at 10,000 only with a predicate."""
    plain = client.api("/orders").json()
    without = client.api("/orders", ORDERED).json()
    past_end = client.api("/orders", [*ORDERED, ("offset", "1995")]).json()

    assert {**plain, "results": len(plain["results"])} == {
        "limit": 20,
        "offset": 0,
        "count": 20,
        "total": 2000,
        "results": 20,
    }
    assert "total" not in without
    assert (past_end["offset"], past_end["count"]) == (1995, 5)


def test_total_with_a_predicate_is_capped() -> None:
    """With a predicate `total` never exceeds 10,000."""
    with SandboxThread(SandboxOptions(orders=10, now=NOW)) as sandbox, SandboxClient(sandbox.url) as client:
        rows = [{"version": 1, "createdAt": NOW, "lastModifiedAt": NOW, "key": str(n)} for n in range(10_050)]
        sandbox.shop.seed("inventory", ({"id": f"{n:08x}-0000-4000-8000-000000000000", **row} for n, row in enumerate(rows)))

        capped = client.api("/inventory", [("where", "version >= 1"), ("limit", "0")]).json()["total"]
        exact = client.api("/inventory", [("limit", "0")]).json()["total"]

        assert capped == 10_000
        assert exact == sandbox.shop.count("inventory") > 10_050


def test_head_tells_whether_anything_matches(client: SandboxClient) -> None:
    """HEAD is 200 for a match, 404 for none, and has no body."""
    found = client.api("/orders", [("where", 'orderState = "Cancelled"')], method="HEAD")
    missing = client.api("/orders", [("where", 'createdAt > "2030-01-01T00:00:00.000Z"')], method="HEAD")

    assert (found.status, found.body) == (200, b"")
    assert missing.status == 404


def test_answers_carry_date_and_correlation_id(client: SandboxClient) -> None:
    """Good and bad answers both have a `Date` and an `X-Correlation-ID`; large ones are gzipped when accepted."""
    good = client.api("/orders", [("limit", "5")], gzipped=True)
    bad = client.api("/orders", [("limit", "501")])

    assert good.headers["content-encoding"] == "gzip"
    assert all({"date", "x-correlation-id"} <= answer.headers.keys() for answer in (good, bad))


def test_expansion_inserts_the_target(reading: SandboxThread, client: SandboxClient) -> None:
    """Payments, discount codes and groups are expanded, in the spliced and in the general way alike."""
    expand = ["paymentInfo.payments[*]", "discountCodes[*].discountCode", "customerGroup"]
    rows = client.page("orders", *ORDERED, ("limit", "500"), *[("expand", path) for path in expand])

    payments = [payment for row in rows for payment in row.get("paymentInfo", {}).get("payments", [])]
    codes = [entry["discountCode"] for row in rows for entry in row["discountCodes"]]
    groups = [row["customerGroup"] for row in rows if "customerGroup" in row]
    for references, kind in ((payments, "payments"), (codes, "discount-codes"), (groups, "customer-groups")):
        assert len(references) > 10
        assert all(reference["obj"] == reading.shop.document(kind, reference["id"]) for reference in references)


def test_expansion_leaves_a_reference_to_nothing_alone(small: SandboxThread) -> None:
    """A reference whose target was deleted gains no `obj`, and its neighbours do."""
    order = next(order for order in small.shop.documents("orders") if "paymentInfo" in order)
    kept = {"typeId": "payment", "id": order["paymentInfo"]["payments"][0]["id"]}
    gone = {"typeId": "payment", "id": "11111111-1111-4111-8111-111111111111"}
    small.shop.update("orders", order["id"], {"paymentInfo": {"payments": [gone, kept]}})

    with SandboxClient(small.url) as client:
        (row,) = client.page("orders", ("where", f'id = "{order["id"]}"'), ("expand", "paymentInfo.payments[*]"))

    first, second = row["paymentInfo"]["payments"]
    assert first == gone
    assert second["obj"]["id"] == kept["id"]


def test_orders_are_found_by_their_payments(reading: SandboxThread, client: SandboxClient) -> None:
    """`paymentInfo(payments(id in (...)))` finds the orders that hold these payments, and no others."""
    wanted = {
        order["paymentInfo"]["payments"][0]["id"]: order["id"]
        for order in reading.shop.documents("orders")[:300:10]
        if "paymentInfo" in order
    }
    ids = ", ".join(f'"{payment}"' for payment in wanted)

    rows = client.page("orders", ("where", f"paymentInfo(payments(id in ({ids})))"), ("limit", "500"))

    assert {row["id"] for row in rows} == set(wanted.values())


def test_single_records_and_unknown_paths(reading: SandboxThread, client: SandboxClient) -> None:
    """A record is found by id, key and order number; what does not exist is 404 in the API's words."""
    order = reading.shop.documents("orders")[0]

    assert client.api(f"/orders/{order['id']}").json() == order
    assert client.api(f"/orders/order-number={order['orderNumber']}").json() == order
    assert client.api("/products/key=product-7").json()["key"] == "product-7"
    missing = client.api("/orders/11111111-1111-4111-8111-111111111111")
    assert missing.status == 404
    assert missing.json()["errors"][0]["code"] == "ResourceNotFound"
    assert client.api("/nonsense").status == 404
    assert client.api("/orders", method="POST").status == 405


def test_unpublished_products_leave_the_projections(small: SandboxThread) -> None:
    """Projections show what is published; staged ones show everything; unpublishing removes."""
    with SandboxClient(small.url) as client:
        published = client.api("/product-projections", [("limit", "0")]).json()["total"]
        staged = client.api("/product-projections", [("limit", "0"), ("staged", "true")]).json()["total"]
        row = client.page("product-projections", ("limit", "1"))[0]
        product = small.shop.document("products", row["id"])

        small.shop.update("products", row["id"], {"masterData": {**product["masterData"], "published": False}})

        assert published < staged == 240
        assert client.api("/product-projections", [("limit", "0")]).json()["total"] == published - 1
        assert client.api(f"/product-projections/{row['id']}").status == 404
        assert client.api(f"/product-projections/{row['id']}", [("staged", "true")]).json()["name"] == row["name"]


def test_a_write_stamps_and_a_held_one_appears_late(small: SandboxThread) -> None:
    """A held write is stamped when it is made and seen only when released: the late commit that readers lose."""
    order = small.shop.documents("orders")[0]
    changed = small.shop.update("orders", order["id"], {"orderState": "Complete"}, hold=True)

    assert small.shop.document("orders", order["id"]) == order
    assert changed["version"] == order["version"] + 1
    assert changed["lastModifiedAt"] > order["lastModifiedAt"]
    assert small.shop.release() == 1
    assert small.shop.document("orders", order["id"]) == changed


def test_lag_makes_every_write_late() -> None:
    """With a lag, a write becomes visible by itself once the sandbox clock has moved on."""
    with SandboxThread(SandboxOptions(orders=5, now=NOW, lag_ms=60_000)) as sandbox:
        order = sandbox.shop.documents("orders")[0]
        sandbox.shop.update("orders", order["id"], {"locale": "xx"})

        before = sandbox.shop.document("orders", order["id"])["locale"]
        sandbox.clock.advance(61)

        assert before == order["locale"]
        assert sandbox.shop.document("orders", order["id"])["locale"] == "xx"


def test_rows_move_and_vanish_in_the_middle_of_a_walk(small: SandboxThread) -> None:
    """A hook changes the shop between pages: a modified row moves behind the cursor, a deleted one is gone."""
    first = small.shop.documents("orders")
    moved, gone = sorted(first, key=lambda order: order["lastModifiedAt"])[-2:]
    calls = itertools.count(1)

    def change(shop: Any, _kind: str) -> None:
        if next(calls) == 2:
            shop.update("orders", moved["id"], {"locale": "moved"})
            shop.delete("orders", gone["id"])

    small.shop.before_query(change)
    with SandboxClient(small.url) as client:
        rows = list(client.walk("orders", limit=20, field="lastModifiedAt"))

    assert rows[-1]["id"] == moved["id"]
    assert gone["id"] not in {row["id"] for row in rows}


def test_in_store_sees_only_that_store(client: SandboxClient) -> None:
    """Below `/in-store/key=...` only the store's orders exist."""
    rows = client.api("/in-store/key=us-web/orders", [("limit", "500")]).json()["results"]

    assert rows
    assert {row["store"]["key"] for row in rows} == {"us-web"}


def test_pages_above_the_limit_are_too_large() -> None:
    """With a byte limit a large page is refused as `ContentTooLarge`, a smaller one is served."""
    options = SandboxOptions(orders=50, now=NOW, page_bytes_max=60_000)
    with SandboxThread(options) as sandbox, SandboxClient(sandbox.url) as client:
        large = client.api("/orders", [*ORDERED, ("limit", "50")])
        small_page = client.api("/orders", [*ORDERED, ("limit", "5")])

    assert (large.status, large.json()["errors"][0]["code"]) == (413, "ContentTooLarge")
    assert small_page.status == 200


def test_graphql_sweeps_ids(reading: SandboxThread, client: SandboxClient) -> None:
    """The id sweep returns the asked fields in id order, under the same limits."""
    client.token()
    query = '{customers(limit: 500, sort: ["id asc"], where: "version > 1"){results{id version}}}'
    answer = _graphql(client, query)

    rows = answer.json()["data"]["customers"]["results"]
    expected = [d for d in reading.shop.documents("customers") if d["version"] > 1]
    assert {row["id"] for row in rows} <= {document["id"] for document in expected}
    assert len(rows) == min(500, len(expected))
    assert [id_key(row["id"]) for row in rows] == sorted(id_key(row["id"]) for row in rows)
    assert _graphql(client, "{customers(limit: 501){results{id}}}").status == 400
    assert _graphql(client, "{customers{total}}").status == 400


def _graphql(client: SandboxClient, query: str) -> Any:
    headers = {"Authorization": f"Bearer {client.access_token}"}
    return client.call(
        "POST", "/commercetools/api/sandbox/graphql", body=json.dumps({"query": query}).encode(), headers=headers
    )
