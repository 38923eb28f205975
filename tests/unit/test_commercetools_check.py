"""`check()` of the commercetools source: credentials, scopes, project, clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from commercetools_stub import StubProject, opened

from cdi_cli.clock import Clock


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one client."""
    monkeypatch.setenv("CT_SECRET", "s3cret-value")


async def test_check_of_a_good_project_is_all_well() -> None:
    """Credentials, every scope, project and clock are told."""
    async with opened(StubProject()) as source:
        checks = await source.check()
    assert [check.name for check in checks] == [
        "credentials",
        "scope of deletions",
        "scope of customers",
        "scope of carts",
        "scope of orders",
        "scope of payments",
        "scope of products",
        "messages",
        "project",
        "clock",
    ]
    assert all(check.is_ok for check in checks)
    assert "languages de, en; currencies EUR" in checks[-2].detail


async def test_check_names_missing_scopes_and_too_broad_ones() -> None:
    """`manage_orders` includes `view_orders`; what is missing fails by name; a client that may do everything is noted."""
    async with opened(StubProject(scope="manage_orders:shop")) as source:
        by_name = {check.name: check for check in await source.check()}
    assert by_name["scope of orders"].is_ok
    assert not by_name["scope of customers"].is_ok
    assert "view_customers:shop" in by_name["scope of customers"].detail
    assert not by_name["scope of payments"].is_ok
    assert "refunds" in (by_name["scope of payments"].hint or "")
    assert by_name["scope of products"].is_ok
    assert "lookups.product_categories: false" in (by_name["scope of look-up product_categories"].hint or "")
    assert "scope of look-up discount_codes" not in by_name
    async with opened(StubProject(scope="manage_project:shop")) as source:
        checks = await source.check()
    assert all(check.is_ok for check in checks)
    assert any("may change everything" in check.detail for check in checks)


@pytest.mark.parametrize(
    ("messages", "detail", "hint"),
    [
        (None, "messages are off", "switch messages on and read the stream `deletions`, or run `cdi erase`"),
        ({"enabled": False, "deleteDaysAfterCreation": 15}, "messages are off", "or run `cdi erase`"),
        ({"enabled": True, "deleteDaysAfterCreation": 30}, "messages are kept for 30 days", "sync within 30 days"),
        ({"enabled": True}, "messages are kept: the stream `deletions`", "sync within 15 days"),
    ],
)
async def test_check_tells_whether_deletions_can_be_known(messages: dict[str, Any] | None, detail: str, hint: str) -> None:
    """Whether the project keeps messages, for how long, and what to do with that."""
    async with opened(StubProject(messages=messages)) as source:
        by_name = {check.name: check for check in await source.check()}

    found = by_name["messages"]
    assert found.is_ok
    assert detail in found.detail
    assert hint in (found.hint or "")


async def test_the_scope_for_deletions_is_needed_only_for_them() -> None:
    """Without `view_messages` the check is still well, and says what the scope is for."""
    async with opened(StubProject()) as source:
        by_name = {check.name: check for check in await source.check()}

    found = by_name["scope of deletions"]
    assert (found.is_ok, found.detail) == (True, "`view_messages:shop` is missing")
    assert found.hint == "needed only to read the stream `deletions`"


async def test_check_tells_a_wrong_clock() -> None:
    """A minute of difference is noted, five fail."""
    server = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for seconds, is_ok, word in ((30, True, "agree"), (120, True, "ahead of"), (-400, False, "behind")):
        now = server + timedelta(seconds=seconds)
        clock = Clock(now=lambda now=now: now)  # type: ignore[misc]
        async with opened(StubProject(date="Sun, 01 Mar 2026 12:00:00 GMT"), clock=clock) as source:
            last = (await source.check())[-1]
        assert (last.name, last.is_ok) == ("clock", is_ok)
        assert word in last.detail
