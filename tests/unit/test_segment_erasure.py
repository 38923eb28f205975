"""The deletion requests that a person has to make to Segment."""

from __future__ import annotations

from typing import Any

import pytest

from cdi_cli.destinations import Person, load
from cdi_cli.destinations.segment import SegmentSettings


def requests(person: Person, **settings: Any) -> Any:
    """The requests for a person, as the specification gives them."""
    erasure = load("segment").erasure
    assert erasure is not None
    return erasure(SegmentSettings.model_validate({"write_key": "${KEY}", "region": "us"} | settings), person)


def test_a_user_is_deleted_and_suppressed_in_the_workspace() -> None:
    """One regulation names the user ids, the token that it takes, and the region's own address."""
    (request,) = requests(Person(user_ids=("u1", "u2")), region="eu")

    assert (request.method, request.url) == ("POST", "https://eu1.api.segmentapis.com/regulations")
    assert request.body == {"regulationType": "SUPPRESS_WITH_DELETE", "subjectType": "USER_ID", "subjectIds": ["u1", "u2"]}
    assert "Public API token" in request.needs
    assert "EU" not in request.needs


def test_an_anonymous_id_is_named_to_the_source() -> None:
    """Regulations of a workspace know no anonymous ids; that of a source needs the source's id."""
    (request,) = requests(Person(anonymous_ids=("a1",)))

    assert request.url == "https://api.segmentapis.com/regulations/sources/SOURCE_ID"
    assert request.body == {
        "regulationType": "SUPPRESS_WITH_DELETE",
        "subjectType": "ANONYMOUS_ID",
        "subjectIds": ["a1"],
    }
    assert "SOURCE_ID" in request.needs


def test_an_own_address_does_not_tell_the_region() -> None:
    """Where only `endpoint` is set, the other region's address is named as well."""
    (request,) = requests(Person(user_ids=("u1",)), region=None, endpoint="https://proxy.example.com")

    assert request.url == "https://api.segmentapis.com/regulations"
    assert "https://eu1.api.segmentapis.com" in request.needs


@pytest.mark.parametrize(("count", "parts"), [(0, []), (1, [1]), (5_000, [5_000]), (10_001, [5_000, 5_000, 1])])
def test_one_call_takes_five_thousand_ids(count: int, parts: list[int]) -> None:
    """More are split over several calls, each id in one of them."""
    ids = tuple(f"u{number}" for number in range(count))

    found = requests(Person(user_ids=ids))

    assert [len(request.body["subjectIds"]) for request in found] == parts
    assert [one for request in found for one in request.body["subjectIds"]] == list(ids)
