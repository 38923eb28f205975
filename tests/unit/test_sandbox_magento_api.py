"""The traps of Magento's lists, as the fact sheet has them from a real server, each one a test of the simulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from magento_client import MagentoClient, criteria, message_of

from cdi_cli.clock import Instant
from cdi_cli.sandbox import Fault, SandboxOptions, SandboxThread

DATA = Path(__file__).resolve().parent.parent / "data" / "magento"
NOW = Instant("2026-06-01T00:00:00.000Z")
FLAT = ["orders", "creditmemos", "invoices", "shipments", "carts/search", "coupons/search", "customerGroups/search"]
ASCENDING = [("updated_at", "ASC"), ("entity_id", "ASC")]


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxThread]:
    """A sandbox that the tests only read."""
    with SandboxThread(SandboxOptions(sources=("magento",), orders=120, now=NOW)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: SandboxThread) -> Iterator[SandboxThread]:
    """The sandbox, its switches as they were."""
    before = running.magento.gatekeeper.options
    yield running
    running.magento.gatekeeper.options = before
    running.faults.clear()


@pytest.fixture
def client(sandbox: SandboxThread) -> Iterator[MagentoClient]:
    """A client of it."""
    with MagentoClient(sandbox.url) as client:
        yield client


def test_groups_are_anded_and_filters_of_a_group_ored(client: MagentoClient) -> None:
    """Two bounds in two groups are a range, in one group they are everything."""
    bounds = [("entity_id", "gteq", "20"), ("entity_id", "lt", "30")]

    assert client.ids("orders", *bounds, sort=[("entity_id", "ASC")]) == list(range(20, 30))
    assert len(client.ids("orders", bounds)) == 120


def test_both_spellings_of_names_are_understood(client: MagentoClient) -> None:
    """Camel case and snake case say the same."""
    snake = criteria(("entity_id", "in", "3,5"), sort=[("entity_id", "ASC")], size=1, page=2)
    camel = [
        (name.replace("filter_groups", "filterGroups").replace("condition_type", "conditionType"), v) for name, v in snake
    ]
    third = [(name.replace("searchCriteria", "search_criteria").replace("pageSize", "page_size"), v) for name, v in snake]

    answers = [client.rest("orders", params).json() for params in (snake, camel, third)]

    assert [[item["entity_id"] for item in answer["items"]] for answer in answers] == [[5]] * 3


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ("eq", "7", [7]), ("in", "7,9,999", [7, 9]), ("gt", "117", [118, 119, 120]), ("moreq", "119", [119, 120]),
        ("lteq", "2", [1, 2]), ("from", "119", [119, 120]), ("to", "2", [1, 2]), ("neq", "x", list(range(1, 121))),
        ("nin", ",".join(map(str, range(2, 121))), [1]), ("null", "", []), ("notnull", "", list(range(1, 121))),
        ("like", "11_", list(range(110, 120))), ("nlike", "%", []), ("finset", "7", [7]),
        ("contains", "7", [7]), ("GTEQ", "7", [7]), ("", "7", [7]),
    ],
)  # fmt: skip
def test_conditions(client: MagentoClient, condition: str, value: str, expected: list[int]) -> None:
    """Each condition lets pass what its name says; one that is not known is `eq`, without a word."""
    assert client.ids("orders", ("entity_id", condition, value), sort=[("entity_id", "ASC")]) == expected


def test_a_null_column_passes_no_comparison(client: MagentoClient) -> None:
    """Guests have no `customer_id`: neither `eq` nor `neq` finds them, `null` does."""
    guests = client.ids("orders", ("customer_id", "null", ""))
    others = client.ids("orders", ("customer_id", "neq", "0"))

    assert guests
    assert set(guests) | set(others) == set(range(1, 121))
    assert not set(guests) & set(others)


@pytest.mark.parametrize("text", ["11/22/2026", "garbage", "1795331547", "", "2026-02-41 00:00:00", "now"])
@pytest.mark.parametrize("condition", ["gteq", "lt", "eq", "from"])
def test_a_date_that_cannot_be_read_is_the_whole_table(client: MagentoClient, text: str, condition: str) -> None:
    """HTTP 200 and every row: the worst trap of all."""
    assert client.listed("orders", ("updated_at", condition, text), size=1)["total_count"] == 120


@pytest.mark.parametrize("suffix", ["", "Z", "+00:00", "-05:00", ".000"])
@pytest.mark.parametrize("separator", [" ", "T"])
def test_offsets_of_dates_are_ignored(client: MagentoClient, separator: str, suffix: str) -> None:
    """All of these forms mean the same moment in UTC."""
    at = client.listed("orders", ("entity_id", "eq", "60"))["items"][0]["created_at"]
    text = at.replace(" ", separator) + suffix

    found = client.ids("orders", ("created_at", "from", text), ("created_at", "to", text))

    assert 60 in found
    assert len(found) < 120


def test_a_list_needs_criteria(client: MagentoClient) -> None:
    """Without any it is a 400 that names the field; an empty one lists everything."""
    answer = client.rest("orders", [("fields", "total_count")])

    assert answer.status == 400
    assert message_of(answer) == '"searchCriteria" is required. Enter and try again.'
    assert len(client.listed("orders")["items"]) == 120


@pytest.mark.parametrize("path", FLAT)
@pytest.mark.parametrize("field", ["billing_address.email", "no_such_column"])
def test_an_unknown_field_of_a_flat_table_is_an_internal_error(client: MagentoClient, path: str, field: str) -> None:
    """500 with a Report ID, filtered or sorted, as for a real fault."""
    for params in (criteria((field, "eq", "1")), criteria(sort=[(field, "ASC")])):
        answer = client.rest(path, params)

        assert answer.status == 500
        assert "Report ID: webapi-" in answer.json()["message"]


@pytest.mark.parametrize(("path", "field"), [("customers/search", "id"), ("products", "no_such"), ("categories/list", "id")])
def test_an_unknown_attribute_is_named(client: MagentoClient, path: str, field: str) -> None:
    """EAV entities answer 400; `id` is none of their attributes, `entity_id` is."""
    answer = client.rest(path, criteria((field, "eq", "3")))

    assert answer.status == 400
    assert message_of(answer).startswith(f'The "{field}" attribute name is invalid')
    assert client.ids(path, ("entity_id", "eq", "3"), key="id") == [3]


@pytest.mark.parametrize("path", ["coupons/search", "salesRules/search", "customerGroups/search", "inventory/source-items"])
def test_some_lists_cannot_be_read_by_change(client: MagentoClient, path: str) -> None:
    """A filter on `updated_at` is an SQL error there."""
    assert client.rest(path, criteria(("updated_at", "gteq", "2026-01-01 00:00:00"))).status == 500
    assert client.listed(path)["total_count"] > 0


def test_a_sort_without_direction_goes_down(client: MagentoClient) -> None:
    """DESC is the default; `asc`, `ASC` and `desc` are understood, anything else is a 400."""
    by_default = client.rest("orders", [("searchCriteria[sortOrders][0][field]", "entity_id")]).json()["items"]

    assert [item["entity_id"] for item in by_default] == list(range(120, 0, -1))
    assert client.ids("orders", sort=[("entity_id", "asc")])[:2] == [1, 2]
    assert client.rest("orders", criteria(sort=[("entity_id", "upwards")])).status == 400


def test_pages_past_the_end_are_empty_with_the_right_total(client: MagentoClient) -> None:
    """As the recorded answer: no items, the total, the criteria repeated."""
    recorded = json.loads((DATA / "orders_past_end.json").read_text(encoding="utf-8"))

    answer = client.listed("orders", sort=ASCENDING, size=50, page=4)

    assert answer == recorded | {
        "total_count": 120,
        "search_criteria": recorded["search_criteria"] | {"page_size": 50},
    }


def test_an_empty_page_with_fields_is_null(client: MagentoClient) -> None:
    """`items` is null as soon as `fields` is given and nothing is found."""
    nothing = ("entity_id", "eq", "0")
    params = [*criteria(nothing), ("fields", "items[entity_id],total_count")]

    assert client.rest("orders", params).json() == {"items": None, "total_count": 0}
    assert client.listed("orders", nothing)["items"] == []


def test_fields_project_nested_parts(client: MagentoClient) -> None:
    """Only what is named is sent, below lists too; what a record has not is left out."""
    fields = "items[entity_id,customer_id,items[sku,parent_item[sku]],billing_address[city]],total_count"
    answer = client.rest("orders", [*criteria(size=40), ("fields", fields)]).json()

    assert set(answer) == {"items", "total_count"}
    assert {tuple(sorted(item)) for item in answer["items"]} == {
        ("billing_address", "customer_id", "entity_id", "items"),
        ("billing_address", "entity_id", "items"),
    }
    assert {tuple(sorted(line)) for item in answer["items"] for line in item["items"]} == {("sku",), ("parent_item", "sku")}


@pytest.mark.parametrize(("size", "page", "count"), [("0", "1", 120), ("-1", "1", 1), ("7", "0", 7), ("7", "-1", 7)])
def test_odd_page_sizes_and_numbers(client: MagentoClient, size: str, page: str, count: int) -> None:
    """Size 0 is everything, -1 is one row; page 0 and -1 are the first."""
    params = [
        *criteria(sort=[("entity_id", "ASC")]),
        ("searchCriteria[pageSize]", size),
        ("searchCriteria[currentPage]", page),
    ]

    items = client.rest("orders", params).json()["items"]

    assert [item["entity_id"] for item in items] == list(range(1, count + 1))


def test_a_page_size_that_is_no_number_is_refused(client: MagentoClient) -> None:
    """400 with the value."""
    answer = client.rest("orders", [("searchCriteria[pageSize]", "abc")])

    assert answer.status == 400
    assert '"abc"' in message_of(answer)


def test_input_limits(sandbox: SandboxThread, client: MagentoClient) -> None:
    """Switched on, they cap pages at 300 with a 400 and make 20 the default."""
    sandbox.magento.switch(input_limits=True)

    refused = client.rest("orders", criteria(size=301))

    assert refused.status == 400
    assert message_of(refused) == "Maximum SearchCriteria pageSize is 300"
    assert len(client.ids("orders")) == 20
    assert len(client.ids("orders", size=300)) == 120


def test_an_old_core_repeats_the_last_page(sandbox: SandboxThread, client: MagentoClient) -> None:
    """Up to 2.3 a page past the end is the last one again, and consent is not told."""
    sandbox.magento.switch(old_core=True)
    pages = [client.ids("orders", sort=[("entity_id", "ASC")], size=50, page=number) for number in (3, 4, 99)]

    assert pages == [list(range(101, 121))] * 3
    assert "extension_attributes" not in client.listed("customers/search", size=1)["items"][0]


def test_rows_that_a_sort_does_not_tell_apart_come_in_any_order(client: MagentoClient) -> None:
    """Pages by number over many equal keys lose and repeat rows."""
    seen = [tuple(client.ids("orders", sort=[("store_id", "ASC")], size=30)) for _number in range(5)]

    assert len(set(seen)) > 1


def test_store_codes(client: MagentoClient) -> None:
    """Orders are not filtered by the address's store; an unknown store is a 400; the default needs none."""
    totals = {client.listed("orders", store=store, size=1)["total_count"] for store in ("all", "default", "eu_de", "eu_fr")}
    unknown = client.rest("orders", criteria(size=1), store="nowhere")
    headers = {"Authorization": f"Bearer {client.options.access_token}"}
    plain = client.call("GET", "/magento/rest/V1/orders?searchCriteria[pageSize]=1", headers=headers)
    indexed = client.call("GET", "/magento/index.php/rest/V1/orders?searchCriteria[pageSize]=1", headers=headers)

    assert totals == {120}
    assert (unknown.status, message_of(unknown)) == (400, "Specified request cannot be processed.")
    assert plain.json()["total_count"] == indexed.json()["total_count"] == 120


def test_consent_depends_on_the_store_of_the_address(sandbox: SandboxThread, client: MagentoClient) -> None:
    """The same person may be subscribed in one store view and not in another; `all` asks for the default one."""
    told: dict[str, dict[int, bool]] = {
        store: {
            p["id"]: p["extension_attributes"]["is_subscribed"]
            for p in client.listed("customers/search", store=store)["items"]
        }
        for store in ("all", "default", "eu_de", "eu_fr")
    }
    held = {row.id: row.subscribed for row in sandbox.magento.shop.tables["customers"].rows.values()}  # type: ignore[attr-defined]

    assert told["all"] == told["default"]
    for store, code in ((1, "default"), (2, "eu_de"), (3, "eu_fr")):
        assert told[code] == {identifier: store in subscribed for identifier, subscribed in held.items()}
        assert len(set(told[code].values())) == 2


def test_names_of_products_are_scoped(client: MagentoClient) -> None:
    """A store view has names of its own; everything else is shared, and no product is filtered away."""
    default, german = ({p["id"]: p for p in client.listed("products", store=store)["items"]} for store in ("all", "eu_de"))
    renamed = [identifier for identifier, product in german.items() if product["name"] != default[identifier]["name"]]

    assert default.keys() == german.keys()
    assert 3 < len(renamed) < len(default)
    assert all(german[identifier]["price"] == default[identifier]["price"] for identifier in renamed)


def test_routes_of_modules_that_are_absent(client: MagentoClient) -> None:
    """Company accounts, returns and plain nonsense are a 404 with one message, and paths are case-sensitive."""
    for path in ("company/", "returns", "newsletter", "Orders", "orders/", "orders/nine"):
        answer = client.rest(path, criteria(size=1))

        assert (answer.status, message_of(answer)) == (404, "Request does not match any route."), path


def test_single_records_and_stores(client: MagentoClient) -> None:
    """One record by its id or SKU; a record that is not there is a 404; stores, websites, options, stock are told."""
    assert client.rest("orders/5").json()["entity_id"] == 5
    assert client.rest("orders/999").status == 404
    assert client.rest("products/no-such-sku").status == 404
    sku = client.listed("products", ("type_id", "eq", "simple"), size=1)["items"][0]["sku"]
    stock = client.rest(f"products/{sku.replace(' ', '%20')}").json()["extension_attributes"]["stock_item"]
    assert stock["qty"] == client.rest(f"stockStatuses/{sku.replace(' ', '%20')}").json()["qty"]
    assert {item["qty"] for item in client.rest("stockItems/lowStock", [("qty", "0")]).json()["items"]} == {0}
    labels = {option["label"] for option in client.rest("products/attributes/manufacturer/options").json()}
    assert "Nordlys" in labels
    assert client.rest("products/attributes/unheard/options").status == 404
    tree = client.rest("categories").json()
    assert [child["name"] for child in tree["children_data"]] == ["Clothing", "Home", "Books"]


@pytest.mark.parametrize("name", ["store_configs", "store_views", "websites"])
def test_stores_look_as_the_recorded_ones(client: MagentoClient, name: str) -> None:
    """The same fields of the same types, and the same codes and currencies."""
    path = {"store_configs": "storeConfigs", "store_views": "storeViews", "websites": "websites"}[name]
    recorded: list[dict[str, Any]] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))

    told = client.rest(f"store/{path}").json()

    shapes = [{field: type(value) for field, value in each.items()} for each in [*recorded, *told]]
    assert all(shape == shapes[0] for shape in shapes)
    assert {each["code"] for each in told} == {each["code"] for each in recorded}
    currency = "default_display_currency_code"
    assert {each.get(currency) for each in told} == {each.get(currency) for each in recorded}


def test_every_answer_has_a_date_and_an_odd_accept_breaks_it(client: MagentoClient) -> None:
    """`Date` is always there; a type that the web API does not speak is an HTML page with 500."""
    odd = client.rest("orders", criteria(size=1), Accept="text/csv")

    assert client.rest("orders", criteria(size=1)).headers["date"]
    assert (odd.status, odd.headers["content-type"]) == (500, "text/html; charset=UTF-8")


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (500, "application/json", "Report ID: webapi-"), (503, "text/html", "Service Temporarily Unavailable"),
        (502, "text/html", "502 Bad Gateway"), (504, "text/html", "504 Gateway Time-out"), (403, "text/html", "blocked"),
        (429, "application/json", "Too Many Requests"), (404, "application/json", "any route"),
    ],
)  # fmt: skip
def test_faults_look_as_what_sends_them(
    sandbox: SandboxThread, client: MagentoClient, status: int, kind: str, text: str
) -> None:
    """JSON from the web API, HTML from what stands before it; maintenance tells no time to wait."""
    sandbox.faults.add(Fault(kind="status", status=status, match="/V1/orders"))

    answer = client.rest("orders", criteria(size=1))

    assert answer.status == status
    assert answer.headers["content-type"].startswith(kind)
    assert text in answer.body.decode()
    assert "retry-after" not in answer.headers
    assert client.rest("orders", criteria(size=1)).status == 200


def test_a_poisoned_row_fails_every_page_it_is_on(client: MagentoClient) -> None:
    """500 for the page and for the row alone, whatever fields are asked for; pages around it are well."""
    client.mutate(do="poison", order=50)

    assert client.rest("orders", criteria(("entity_id", "gteq", "45"), ("entity_id", "lteq", "55"))).status == 500
    assert client.rest("orders", [*criteria(("entity_id", "eq", "50")), ("fields", "items[entity_id]")]).status == 500
    assert client.rest("orders/50").status == 500
    assert client.ids("orders", ("entity_id", "in", "49,51"), sort=[("entity_id", "ASC")]) == [49, 51]
    client.mutate(do="heal", order=50)
    assert client.ids("orders", ("entity_id", "eq", "50")) == [50]
