"""What every source promises about looking single records up (`sources/_base.py`, `Source.find`)."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from contract_bench import SourceBench, each_stream, told_by

from cdi_cli.commerce import Product
from cdi_cli.errors import CdiError, RefusedError
from cdi_cli.sources import FOUND_MAX, FindBy

NOBODY = "00000000-0000-4000-8000-000000000000"
HOSTILE = [
    "",
    " ",
    '"',
    "\\",
    '" or id <> "',
    'x" or version > 0 or orderNumber = "y',
    "' or 1=1 --",
    ":x",
    "a\nb",
    "\x00",
    "*",
    "%",
    "é" * 300,
    "nobody@example.com",
]


def values(source: SourceBench, reading: Any) -> dict[FindBy, str]:
    """What a record can be looked up by, as far as its entity tells."""
    found = {
        "number": getattr(reading, "number", None) or getattr(reading, "sku", None),
        "customer_id": getattr(reading, "customer_id", None),
        "email": getattr(reading, "email", None),
    }
    return {by: value for by, value in found.items() if value}  # type: ignore[misc]


@each_stream
async def test_a_record_is_found_by_its_id(source: SourceBench, stream: str) -> None:
    """The id gives exactly that record, as it is read in a page; an id of nothing gives nothing."""
    records = (await source.records(stream))[:3]
    async with source.opened() as opened:
        found = [await opened.find(stream, "id", source.simulator.id_of(json.loads(record))) for record in records]
        nothing = await opened.find(stream, "id", NOBODY)

    assert [[json.loads(one) for one in each] for each in found] == [[json.loads(record)] for record in records]
    assert all(isinstance(one, bytes) for each in found for one in each)
    assert nothing == []


@each_stream
async def test_records_are_found_by_number_customer_and_email(source: SourceBench, stream: str) -> None:
    """Each way gives the record itself, or nothing at all where it is not offered, and only records with that very value."""
    records = (await source.records(stream))[-40:]
    async with source.opened() as opened:
        readings = await opened.read(stream, records)
        for record, (reading, *_) in list(zip(records, readings, strict=True))[:12]:
            for by, value in values(source, reading).items():
                found = await opened.find(stream, by, value)
                again = await opened.read(stream, found)

                assert len(found) <= FOUND_MAX
                if not found:
                    continue
                assert source.simulator.id_of(json.loads(record)) in source.ids(found)
                for others in again:  # of a product the record holds its other variants besides
                    got = {str(values(source, other).get(by)).lower() for other in others}
                    assert value.lower() in got
                    assert len(got) == 1 or all(isinstance(other, Product) for other in others)


@each_stream
async def test_a_product_is_found_by_its_sku(source: SourceBench, stream: str) -> None:
    """By the SKU of any of its variants; streams without products have nothing by it."""
    records = (await source.records(stream))[:20]
    async with source.opened() as opened:
        readings = await opened.read(stream, records)
        products = [
            (record, reading)
            for record, found in zip(records, readings, strict=True)
            for reading in found
            if isinstance(reading, Product) and reading.sku and reading.is_published
        ]
        for record, product in products[:8]:
            found = await opened.find(stream, "number", product.sku or "")
            if stream == "products":
                assert source.simulator.id_of(json.loads(record)) in source.ids(found)

    assert products or stream != "products"


@each_stream
@pytest.mark.parametrize("text", HOSTILE)
async def test_what_nobody_has_finds_nothing(source: SourceBench, stream: str, text: str) -> None:
    """A value that no record has, whatever signs it holds, finds nothing and is no error."""
    async with source.opened() as opened:
        found = {by: await opened.find(stream, by, text) for by in get_args(FindBy)}

    assert found == {by: [] for by in get_args(FindBy)}


@each_stream
async def test_a_failed_look_up_shows_nobody(source: SourceBench, stream: str) -> None:
    """The error of a look-up does not repeat what was looked for."""
    email = "canary-person@mail.example"
    told = ""
    mistake = next(one for one in source.simulator.mistakes.values() if one.error is RefusedError)
    async with source.opened(changes=mistake.settings) as opened:
        try:
            await opened.find(stream, "email", email)
        except CdiError as error:
            told = told_by(error)

    assert email not in told
