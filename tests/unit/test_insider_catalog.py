"""Products as records of Insider's catalogue: which call, which locale, which of them Insider found wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from insider_events import CATALOG_TOKEN, ENVIRONMENT, NOW, TOKEN, destination, event, product, without_waits

from cdi_cli.clock import Clock
from cdi_cli.destinations import ACCEPTED, Filtered, PartialDeliveryError, Rejected
from cdi_cli.destinations.insider.destination import InsiderDestination
from cdi_cli.destinations.insider.pace import RequestPace
from cdi_cli.errors import AuthError, RefusedError, TransientError
from cdi_cli.sandbox import Fault, SandboxOptions, SandboxThread

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "insider"


@pytest.fixture(autouse=True)
def _tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxThread]:
    """One server for the module."""
    options = SandboxOptions(orders=0, insider_partner="acme", insider_token=TOKEN, insider_catalog_token=CATALOG_TOKEN)
    with SandboxThread(options) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: SandboxThread) -> SandboxThread:
    """The server with an empty account."""
    shared.insider.clear()
    shared.insider.panel.is_open = True
    shared.insider_catalog.clear()
    shared.insider_catalog.requires = ()
    shared.insider_catalog.details_max = None
    shared.insider_catalog.per_minute = 60
    shared.faults.clear()
    return shared


def opened(sandbox: SandboxThread, **values: Any) -> InsiderDestination:
    """A destination for the account of the sandbox."""
    return destination(endpoint=f"{sandbox.url}/insider", catalog_endpoint=f"{sandbox.url}/insider", **values)


async def sent(insider: InsiderDestination, *events: Any) -> Any:
    """The outcomes of a batch."""
    bodies = [insider.encode(each) for each in events]
    assert all(isinstance(body, bytes) for body in bodies), bodies
    try:
        with without_waits():
            return await insider.send([body for body in bodies if isinstance(body, bytes)])
    finally:
        await insider.close()


def records(**changes: Any) -> tuple[str, list[dict[str, Any]]]:
    """The call and the records of a product."""
    settings = changes.pop("settings", {})
    encoded = destination(**settings).encode(product(1, **changes))
    assert isinstance(encoded, bytes), encoded
    fragment = json.loads(encoded)
    return fragment["catalog"], fragment["records"]


def test_a_product_is_a_record_in_each_locale() -> None:
    """Names and types are those of Insider's own sample; what a locale says of its own goes first, then its language."""
    (sample,) = json.loads((SAMPLES / "example-insider-catalog-ingest.json").read_text())
    mode, (english, german) = records(
        material="cotton",
        locales={"de": {"name": "Hemd", "currency": "EUR"}, "de-DE": {"url": "https://shop.example/de/p/tee"}},
    )

    assert mode == "ingest"
    assert english == {
        "item_id": "product-1", "locale": "en_US", "name": "Tee", "sku": "SKU-1", "brand": "Acme",
        "url": "https://shop.example/p/tee", "image_url": "https://shop.example/i/tee.jpg",
        "category": ["Apparel", "Shirts"], "price": {"EUR": 19.99}, "original_price": {"EUR": 24.99}, "in_stock": 1,
        "stock_count": 12, "item_update_date": "2026-08-01 12:00:00", "product_attributes": {"material": "cotton"},
    }  # fmt: skip
    assert (german["locale"], german["name"], german["url"]) == ("de_DE", "Hemd", "https://shop.example/de/p/tee")
    assert {name: type(value) for name, value in english.items() if name in sample} == {
        name: type(sample[name]) for name in english if name in sample
    }


@pytest.mark.parametrize(
    ("changes", "prices"),
    [
        ({"price": 9.5, "original_price": None}, ({"EUR": 9.5}, {"EUR": 9.5})),
        ({"price": None, "original_price": 9.5}, ({"EUR": 9.5}, {"EUR": 9.5})),
        (
            {"price": {"EUR": 9, "USD": 10.5}, "original_price": {"EUR": 12}},
            ({"EUR": 9.0, "USD": 10.5}, {"EUR": 12.0, "USD": 10.5}),
        ),
        ({"price": None, "original_price": None}, (None, None)),
    ],
)  # fmt: skip
def test_price_and_original_price_always_come_together(changes: dict[str, Any], prices: tuple[Any, Any]) -> None:
    """By currency, each for the same currencies."""
    _, (record, _) = records(**changes)

    assert (record.get("price"), record.get("original_price")) == prices


def test_a_product_that_is_gone_is_hidden() -> None:
    """Insider deletes nothing: no stock and passive, in each locale, whatever else is known."""
    mode, found = records(is_published=False, name=None)

    assert mode == "update"
    assert found == [
        {"item_id": "product-1", "locale": locale, "in_stock": 0, "is_status_passive": 1} for locale in ("en_US", "de_DE")
    ]


def test_prices_and_stock_alone_are_an_update() -> None:
    """So that the rest of the record stays."""
    bare = dict.fromkeys(["name", "url", "image_url", "brand", "categories", "sku"])
    mode, found = records(**bare, stock_count=-3, in_stock=False)

    assert mode == "update"
    assert set(found[0]) == {
        "item_id", "locale", "price", "original_price", "in_stock", "stock_count", "is_status_passive",
    }  # fmt: skip
    assert (found[0]["in_stock"], found[0]["stock_count"], found[0]["is_status_passive"]) == (0, 0, 0)
    assert "is_status_passive" not in records(**bare, is_published=None)[1][0]


def test_texts_are_cut_to_what_insider_takes() -> None:
    """The simulator knows the limits by itself; whole categories are left out before they are cut."""
    _, (record, _) = records(
        name="n" * 600, description="d" * 2000, brand="b" * 600, note="x" * 600, categories=[" > ".join(["c" * 400] * 4)]
    )

    assert (len(record["name"]), len(record["description"]), len(record["brand"])) == (512, 1024, 512)
    assert len(record["product_attributes"]["note"]) == 512
    assert [len(each) for each in record["category"]] == [400, 400]


async def test_a_list_among_the_attributes_is_cut_to_what_insider_takes(sandbox: SandboxThread) -> None:
    """Together 1,024 characters: the images of a product easily are more, and would cost the whole record."""
    images = [f"https://shop.example/media/catalog/product/t/e/tee-{number:03d}.jpg" for number in range(40)]
    _, (record, _) = records(images=images, sizes=["S", "M"], widths=[1, 2])

    kept = record["product_attributes"]["images"]
    assert kept == images[: len(kept)]
    assert sum(map(len, kept)) <= 1024 < sum(map(len, images[: len(kept) + 1]))
    assert (record["product_attributes"]["sizes"], record["product_attributes"]["widths"]) == (["S", "M"], [1, 2])
    assert await sent(opened(sandbox), product(1, images=images)) == [ACCEPTED]


async def test_a_product_that_comes_back_is_shown_again(sandbox: SandboxThread) -> None:
    """By a whole record, which replaces the hidden one, and by prices and stock alone, which leave the rest as it is."""
    bare = dict.fromkeys(["name", "url", "image_url", "brand", "categories", "sku"])
    hidden = [product(number, is_published=False) for number in (1, 2)]
    await sent(opened(sandbox), product(1), product(2))
    await sent(opened(sandbox), *hidden)
    items = sandbox.insider_catalog.items
    before = [items[f"product-{number}", "de_DE"]["is_status_passive"] for number in (1, 2)]
    await sent(opened(sandbox), product(1), product(2, **bare))

    assert before == [1, 1]
    assert [items[f"product-{number}", "de_DE"].get("is_status_passive", 0) for number in (1, 2)] == [0, 0]
    assert items["product-2", "de_DE"]["name"] == "Tee"


def test_a_flat_catalogue_gets_all_categories() -> None:
    """Their own names, without those they lie in."""
    assert records(settings={"categories": "flat"})[1][0]["category"] == ["Shirts", "Sale"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image_url": None}, "insider_product_incomplete"),
        ({"currency": None}, "insider_product_incomplete"),
        ({"url": "https://shop.example/" + "x" * 600}, "insider_url_too_long"),
        ({f"field_{number}": "x" * 500 for number in range(1100)}, "insider_product_too_large"),
    ],
)
def test_what_the_catalogue_would_refuse_is_rejected(changes: dict[str, Any], reason: str) -> None:
    """Each with the code that the dead letter shows."""
    found = destination().encode(product(1, **changes))

    assert isinstance(found, Rejected)
    assert found.reason == reason


@pytest.mark.parametrize("values", [{"catalog_token": None}, {"locales": []}])
def test_without_a_catalogue_products_are_filtered(values: dict[str, Any]) -> None:
    """They are counted; nothing is wrong with them."""
    assert destination(**values).encode(product()) == Filtered("catalog_off")


async def test_a_batch_may_mix_people_and_products(sandbox: SandboxThread) -> None:
    """One upsert, one request per call and locale with the other token; outcomes are in the order of the events."""
    events = [product(1), event(1), product(2), product(1, is_published=False), event(2)]

    outcomes = await sent(opened(sandbox), *events)

    assert outcomes == [ACCEPTED] * 5
    assert [request.users for request in sandbox.insider.requests] == [2]
    assert [(request.call, request.records) for request in sandbox.insider_catalog.requests] == [
        ("ingest", 2), ("ingest", 2), ("update", 1), ("update", 1),
    ]  # fmt: skip
    item = sandbox.insider_catalog.items["product-1", "de_DE"]
    assert (item["in_stock"], item["is_status_passive"], item["name"]) == (0, 1, "Tee")


async def test_a_record_that_insider_finds_wrong_costs_its_product_only(sandbox: SandboxThread) -> None:
    """Inside a 200; an unknown product cannot be updated, and a locale that is spelt otherwise takes nothing."""
    bare = dict.fromkeys(["name", "url", "image_url", "brand", "categories", "sku"])
    mixed = await sent(opened(sandbox), product(1), product(2, **bare), product(3))
    elsewhere = await sent(opened(sandbox, locales=["en_US", "fr_FR"]), product(4))

    assert [type(outcome) for outcome in mixed] == [type(ACCEPTED), Rejected, type(ACCEPTED)]
    assert elsewhere == [Rejected("insider_invalid_product", "Insider refuses the product's `locale` (locale `fr_FR`)")]


async def test_more_mistakes_than_are_named_halve_the_batch(sandbox: SandboxThread) -> None:
    """A list of ids that is cut short proves nothing about the others; alone, a product knows that it is meant."""
    sandbox.insider_catalog.requires = ("omnibus_price",)
    sandbox.insider_catalog.details_max = 1
    with pytest.raises(RefusedError) as caught:
        await sent(opened(sandbox), product(1), product(2))
    sandbox.insider_catalog.details_max = 0
    alone = await sent(opened(sandbox), product(1))

    assert caught.value.status == 422
    assert isinstance(alone[0], Rejected)


async def test_a_lost_answer_of_the_catalogue_is_sent_again(sandbox: SandboxThread) -> None:
    """A record replaces itself, so a repeat does no harm."""
    fault = sandbox.faults.add(Fault(kind="reset_after_apply", match="/v2/ingest"))

    assert await sent(opened(sandbox), product(1)) == [ACCEPTED]
    assert fault.fired == 1
    assert len(sandbox.insider_catalog.requests) == 3


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (Fault(kind="status", status=503, match="/v2/ingest", times=None), TransientError),
        (Fault(kind="status", status=401, match="/v2/ingest"), AuthError),
        (Fault(kind="status", status=400, match="/v2/ingest"), RefusedError),
    ],
)
async def test_people_are_not_sent_again_when_the_catalogue_fails(sandbox: SandboxThread, fault: Fault, cause: Any) -> None:
    """What became of them stays known beside the failure."""
    sandbox.faults.add(Fault(**{name: getattr(fault, name) for name in ("kind", "status", "match", "times")}))

    with pytest.raises(PartialDeliveryError) as caught:
        await sent(opened(sandbox), product(1), event(1))

    assert caught.value.outcomes == [None, ACCEPTED]
    assert type(caught.value.cause) is cause


async def test_the_catalogue_is_asked_no_faster_than_it_allows(sandbox: SandboxThread) -> None:
    """60 requests in a rolling minute, repeats counted: the simulator refuses none."""
    seconds = [0.0]

    async def sleep(wait: float) -> None:
        seconds[0] += wait
        sandbox.clock.advance(wait)

    insider = opened(sandbox, catalog_requests_per_minute=4)
    sandbox.insider_catalog.per_minute = 4
    insider._client.catalog_pace = RequestPace(4, Clock(now=lambda: NOW, monotonic=lambda: seconds[0]), sleep)
    fault = sandbox.faults.add(Fault(kind="status", status=503, match="/v2/", skip=3, times=1))
    bodies = [insider.encode(product(number)) for number in range(5)]
    with without_waits():
        outcomes = [await insider.send([body]) for body in bodies if isinstance(body, bytes)]
    await insider.close()

    assert outcomes == [[ACCEPTED]] * 5
    assert fault.fired == 1
    assert len([request for request in sandbox.requests if request.path.startswith("/insider/v2/")]) >= 11
    assert seconds[0] >= 120
