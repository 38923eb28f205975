"""Look-ups of the commercetools source: predicates, large answers, and what an error may say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from commercetools_stub import StubProject, opened, order
from scripted_server import answer

from cdi_cli.errors import RefusedError
from cdi_cli.sandbox.commercetools.predicate import compile_root
from cdi_cli.sandbox.commercetools.predicate_syntax import parse
from cdi_cli.sandbox.commercetools.records import Record
from cdi_cli.sources.commercetools.find import condition

AT = "2026-01-01T00:00:00.000Z"
ID = "00000001-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one client."""
    monkeypatch.setenv("CT_SECRET", "s3cret-value")


def holds(where: str | None, **fields: Any) -> bool:
    """Whether a predicate holds for a record with these fields."""
    assert where is not None
    base = {"id": ID, "version": 1, "createdAt": AT, "lastModifiedAt": AT}
    return compile_root(parse(where, {}))(Record(base | fields))


@pytest.mark.parametrize("value", ['a"b', "a\\", 'x" or id <> "', 'a\\"b', "it's", "100 %", "(x)", "naïve ☃"])
def test_a_value_stays_one_string_of_the_predicate(value: str) -> None:
    """Whatever signs a number holds, it is compared as it is and with nothing else."""
    where = condition("orders", "number", value)

    assert holds(where, orderNumber=value)
    assert not holds(where, orderNumber="another")
    assert not holds(where)


@pytest.mark.parametrize("stream", ["orders", "carts"])
def test_whose_email_counts_is_as_in_the_entity(stream: str) -> None:
    """The customer's own e-mail, else that of the billing address, else that of the shipping address."""
    where = condition(stream, "email", " Jane@Example.com ")
    mine, other = {"email": "jane@example.com"}, {"email": "other@example.com"}

    assert holds(where, customerEmail="Jane@Example.com")
    assert holds(where, customerEmail="jane@example.com", billingAddress=other)
    assert holds(where, billingAddress=mine, shippingAddress=other)
    assert holds(where, shippingAddress=mine)
    assert holds(where, shippingAddress=mine, billingAddress={"city": "Berlin"})
    assert not holds(where, shippingAddress=mine, billingAddress=other)
    assert not holds(where, customerEmail="other@example.com", billingAddress=mine)


@pytest.mark.parametrize(
    ("stream", "by", "value"),
    [
        ("orders", "id", "N-1"),
        ("orders", "customer_id", 'x" or version > 0'),
        ("carts", "number", "1"),
        ("payments", "email", "a@example.com"),
        ("products", "customer_id", ID),
        ("orders", "number", " "),
        ("orders", "number", "a\nb"),
        ("elsewhere", "id", ID),
    ],
)
def test_what_cannot_be_found_is_not_asked_for(stream: str, by: Any, value: str) -> None:
    """A field that the stream lacks, or a value that cannot be one of it, needs no request."""
    assert condition(stream, by, value) is None


async def test_an_answer_that_is_too_large_is_asked_for_in_parts() -> None:
    """Halved until it is served, and gone on with by id, so that every record comes once."""
    rows = [order(number, AT, orderNumber="twice") for number in range(1, 8)]
    project = StubProject(records={"orders": rows}, rows_max=lambda _resource: 2)
    project._select = lambda rows, query: [  # type: ignore[method-assign]
        row for row in rows if all("id > " not in where or row["id"] > where.split('"')[1] for where in query["where"])
    ]
    async with opened(project) as source:
        found = await source.find("orders", "number", "twice")

    assert [json.loads(record)["id"] for record in found] == [row["id"] for row in rows]
    asked = [query for path, query in project.asked if path.endswith("/orders")]
    assert [query["limit"] for query in asked[-2:]] == [["1"], ["1"]]
    assert all(query["expand"] == ["paymentInfo.payments[*]"] for query in asked)


async def test_a_refusal_does_not_repeat_the_predicate() -> None:
    """The API's message may hold the e-mail that was looked for: only status and code are told."""
    body = json.dumps(
        {
            "statusCode": 400,
            "message": "Malformed parameter: where: jane@example.com",
            "errors": [{"code": "InvalidInput", "message": "jane@example.com"}],
        }
    ).encode()
    project = StubProject(faults={"orders": [answer(400, body)]})
    async with opened(project) as source:
        with pytest.raises(RefusedError) as caught:
            await source.find("orders", "email", "jane@example.com")

    assert caught.value.message == "commercetools orders look-up: commercetools answered 400 InvalidInput"
    assert "jane" not in f"{caught.value!r}{caught.value.hint}{caught.value.where}{caught.value.__cause__}"
