"""What a destination shows of an event (`DestinationSpec.draft`) is what it sends, and nothing secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from contract_bench import DestinationBench, each_destination, forms_of
from contract_events import any_event, event, identify
from hypothesis import HealthCheck, given, settings

from cdi_cli.destinations import DestinationContext, Draft, Filtered, Rejected
from cdi_cli.events import Event
from cdi_cli.http import HttpClient

DIFFERS = ("sentAt", "writeKey")
"""Parts of a body that are those of one attempt, or secret."""
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)


def drawn(bench: DestinationBench, sample: Event, *, is_backfill: bool = False) -> list[Draft] | Rejected | Filtered:
    """What the destination shows of an event; skips the test where it has to be opened to tell."""
    if bench.spec.draft is None:
        pytest.skip(f"`{bench.spec.name}` is opened to tell")
    return bench.spec.draft(bench.settings(), DestinationContext(is_backfill=is_backfill))(sample)


def body_of(content: Any) -> Any:
    """A body as JSON, without what differs from one attempt to the next."""
    found = json.loads(content() if callable(content) else content)
    return {name: part for name, part in found.items() if name not in DIFFERS} if isinstance(found, dict) else found


@each_destination
@pytest.mark.parametrize("is_backfill", [False, True])
@pytest.mark.parametrize("sample", [event(1), identify(2)], ids=["event", "profile"])
async def test_a_draft_is_what_is_sent(
    destination: DestinationBench, sample: Event, is_backfill: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Method, address and body are those of the request that the destination makes for this event alone."""
    drafts = drawn(destination, sample, is_backfill=is_backfill)
    assert isinstance(drafts, list)
    sent: list[tuple[str, str, Any]] = []
    real = HttpClient.request

    async def watched(self: HttpClient, method: str, url: str, **options: Any) -> Any:
        sent.append((method, url, body_of(options["content"])))
        return await real(self, method, url, **options)

    monkeypatch.setattr(HttpClient, "request", watched)
    changes = {"gzip": False} if "gzip" in destination.spec.settings.model_fields else {}
    async with destination.opened(changes, is_backfill=is_backfill) as opened:
        encoded = opened.encode(sample)
        assert isinstance(encoded, bytes)
        await opened.send([encoded])

    if not any(draft.url.startswith("http") for draft in drafts):
        assert [draft.body for draft in drafts] == [encoded]  # it writes, and asks nobody
        return
    assert sent == [(draft.method, draft.url, body_of(draft.body)) for draft in drafts]
    assert sent


@each_destination
@given(sample=any_event())
@shared
async def test_a_draft_is_refused_as_the_event_is(destination: DestinationBench, sample: Event) -> None:
    """What `encode` rejects or filters has no draft, for the same reason; the same event gives the same draft."""
    drafts = drawn(destination, sample)
    async with destination.opened() as opened:
        encoded = opened.encode(sample)

    assert isinstance(drafts, list) is isinstance(encoded, bytes)
    if isinstance(drafts, list):
        assert all(json.loads(draft.body) for draft in drafts)
    else:
        assert drafts == encoded


@each_destination
def test_a_draft_needs_and_shows_no_secret(destination: DestinationBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made without the environment that secrets come from, and holds none of them."""
    for name in destination.simulator.environment:
        monkeypatch.delenv(name, raising=False)

    drafts = drawn(destination, event(1))

    assert isinstance(drafts, list)
    texts = [text for draft in drafts for text in (draft.url, draft.body.decode())]
    secrets = forms_of(list(destination.simulator.environment.values()))
    assert not [secret for secret in secrets if any(secret in text for text in texts)]
