"""What every destination promises about encoding, limits, delivery and outcomes (`destinations/_base.py`)."""

from __future__ import annotations

import asyncio
import copy
import json
import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from contract_bench import DestinationBench, each_destination, told_by
from contract_events import any_event, event, good_events, identify
from hypothesis import HealthCheck, example, given, settings

from cdi_cli.destinations import ACCEPTED, Destination, Filtered, Rejected, Unknown
from cdi_cli.errors import AuthError, RefusedError, TransientError
from cdi_cli.events import Event

CODE = re.compile(r"[a-z][a-z0-9_]*")
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)


def encoded(destination: Destination, *events: Event) -> list[bytes]:
    """The events as bytes; fails if one is rejected."""
    found = [destination.encode(each) for each in events]
    assert [each for each in found if isinstance(each, Rejected)] == []
    return [each for each in found if isinstance(each, bytes)]


def _is_too_large(destination: Destination, padding: int) -> bool:
    return isinstance(destination.encode(event(1, padding=padding)), Rejected)


def long_texts(value: Any) -> Iterator[str]:
    """The texts in an event that are long enough not to stand in a sentence by chance."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from long_texts(name)
            yield from long_texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from long_texts(below)
    elif isinstance(value, str) and len(value) >= 5 and not value.isascii():
        yield value


@each_destination
@given(sample=any_event())
@example(sample=event(user_id="half \ud800 of a pair"))
@example(sample=event(context={"locale": "\udfff", "odd": float("nan")}))
@example(sample=event(name="", id="", user_id=None))
@shared
async def test_encoding_is_pure_and_never_raises(destination: DestinationBench, sample: Event) -> None:
    """Any event gives bytes or a rejection, the same each time and from each instance, and is itself left as it was."""
    before = copy.deepcopy(msgspec.structs.asdict(sample))
    async with destination.opened() as first, destination.opened() as second:
        found = [first.encode(sample), first.encode(sample), second.encode(sample)]

    assert found[0] == found[1] == found[2]
    assert repr(msgspec.structs.asdict(sample)) == repr(before)
    (outcome, *_) = found
    if isinstance(outcome, Filtered):
        assert CODE.fullmatch(outcome.reason)
    elif isinstance(outcome, Rejected):
        assert CODE.fullmatch(outcome.reason)
        assert outcome.detail
        assert [text for text in long_texts(before) if text in outcome.detail] == []
    else:
        assert len(outcome) <= first.limits.event_bytes
        assert json.loads(outcome)


@each_destination
@given(sample=good_events)
@shared
async def test_what_was_encoded_is_what_takes_effect(destination: DestinationBench, sample: Event) -> None:
    """A good event's id arrives as it is, and what name and properties say, in any script."""
    destination.simulator.clear()
    async with destination.opened() as opened:
        outcomes = await opened.send(encoded(opened, sample))

    assert outcomes == [ACCEPTED]
    (applied,) = destination.simulator.applied()
    assert destination.simulator.event_id(applied) == sample.id
    assert destination.simulator.shows(applied, sample)
    assert destination.simulator.dropped() == []


@each_destination
@given(sample=any_event() | good_events)
@shared
async def test_judging_is_encoding_without_an_account(destination: DestinationBench, sample: Event) -> None:
    """Where a destination can tell without secrets why it would refuse an event, it says what `encode` says."""
    if destination.spec.judge is None:
        pytest.skip("this destination cannot tell")
    judge = destination.spec.judge(destination.settings())
    async with destination.opened(is_backfill=True) as opened:
        encoded = opened.encode(sample)

    assert judge(sample) == (encoded if isinstance(encoded, Rejected) else None)
    assert destination.spec.judge(None)(event(1)) is None


@each_destination
async def test_limits_make_sense(destination: DestinationBench) -> None:
    """All are positive, and an event of the greatest size fits into a batch of its own."""
    async with destination.opened() as opened:
        limits = opened.limits

    assert min(limits.batch_events, limits.batch_bytes, limits.event_bytes, limits.overhead_bytes, limits.in_flight) > 0
    assert limits.events_per_second > 0
    assert limits.overhead_bytes + limits.event_bytes <= limits.batch_bytes


@each_destination
async def test_the_greatest_event_is_taken_and_a_greater_one_rejected(destination: DestinationBench) -> None:
    """Of growing events, all that are encoded take effect, and those that are not are rejected with a reason."""
    async with destination.opened() as opened:
        greatest = bisect_left(range(opened.limits.event_bytes), True, key=lambda n: _is_too_large(opened, n + 1))
        candidates = [event(number, padding=greatest + (number - 40) * 7) for number in range(60)]
        found = [opened.encode(each) for each in candidates]
        taken = [(each.id, body) for each, body in zip(candidates, found, strict=True) if isinstance(body, bytes)]
        for _, body in taken:
            assert await opened.send([body]) == [ACCEPTED]

    rejected = [each for each in found if isinstance(each, Rejected)]
    assert taken
    assert rejected
    assert len({each.reason for each in rejected}) == 1
    assert destination.applied_ids() == [identifier for identifier, _ in taken]
    assert max(len(body) for _, body in taken) > opened.limits.event_bytes * 0.9


@each_destination
@pytest.mark.parametrize("padding", [1, 3000], ids=["many small", "few large"])
async def test_a_full_batch_is_taken_whole(destination: DestinationBench, padding: int) -> None:
    """A batch filled to the limit is accepted, drops nothing, and arrives in exactly the bytes that were reckoned."""
    async with destination.opened() as opened:
        limits = opened.limits
        batch: list[bytes] = []
        size = limits.overhead_bytes
        for number in range(limits.batch_events):
            (body,) = encoded(opened, event(number, padding=padding))
            if size + len(body) + 1 > limits.batch_bytes:
                break
            batch.append(body)
            size += len(body) + (1 if len(batch) > 1 else 0)
        outcomes = await opened.send(batch)

    assert outcomes == [ACCEPTED] * len(batch)
    assert len(set(destination.applied_ids())) == len(batch)
    assert destination.simulator.dropped() == []
    (delivery,) = destination.simulator.deliveries()
    assert (delivery.events, delivery.body_bytes) == (len(batch), size)
    assert len(batch) == limits.batch_events or size > limits.batch_bytes * 0.95


@each_destination
async def test_there_is_one_outcome_per_event(destination: DestinationBench) -> None:
    """A batch of several kinds of events gives as many outcomes, and all took effect; no events give none."""
    events = [event(1), identify(2), event(3, user_id=None, anonymous_id="a-3"), identify(4), event(5)]
    async with destination.opened() as opened:
        outcomes = await opened.send(encoded(opened, *events))
        nothing = await opened.send([])

    assert outcomes == [ACCEPTED] * len(events)
    assert nothing == []
    assert sorted(destination.applied_ids()) == sorted(each.id for each in events)


@each_destination
async def test_a_refused_batch_raises(destination: DestinationBench) -> None:
    """So the pipeline can halve it; nothing took effect, and the next batch is not held against it."""
    fired = destination.simulator.script("refused")
    async with destination.opened() as opened:
        batch = encoded(opened, event(1), event(2))
        with pytest.raises(RefusedError) as caught:
            await opened.send(batch)
        assert destination.applied_ids() == []
        assert await opened.send(batch) == [ACCEPTED] * 2

    assert fired() == 1
    assert caught.value.status == 400
    assert not [secret for secret in destination.secrets() if secret in told_by(caught.value)]


@each_destination
async def test_refused_credentials_raise(destination: DestinationBench) -> None:
    """They stop the run at once, with what to check."""
    fired = destination.simulator.script("unauthorised")
    async with destination.opened() as opened:
        with pytest.raises(AuthError) as caught:
            await opened.send(encoded(opened, event(1)))

    assert fired() == 1
    assert caught.value.hint
    assert not [secret for secret in destination.secrets() if secret in told_by(caught.value)]


@each_destination
async def test_after_all_retries_nothing_is_known(destination: DestinationBench) -> None:
    """A destination that stays away is asked several times, then a transient error says so; each wait was announced."""
    fired = destination.simulator.script("unavailable")
    async with destination.opened() as opened:
        with pytest.raises(TransientError) as caught:
            await opened.send(encoded(opened, event(1)))

    assert fired() > 2
    assert len(destination.waits) == fired() - 1
    assert destination.applied_ids() == []
    assert not [secret for secret in destination.secrets() if secret in told_by(caught.value)]


@each_destination
async def test_a_lost_answer_costs_at_most_a_repeat_of_the_same_ids(destination: DestinationBench) -> None:
    """An effect whose answer was lost is sent again under the same ids; where that does harm, it is said to be unknown."""
    fired = destination.simulator.script("lost answer")
    events = [event(1), event(2)]
    async with destination.opened() as opened:
        outcomes = await opened.send(encoded(opened, *events))

    assert fired() == 1
    sent = sum(delivery.events for delivery in destination.simulator.deliveries())
    if destination.spec.is_idempotent:
        assert (outcomes, sent) == ([ACCEPTED] * 2, 4)
    else:
        assert [type(outcome) for outcome in outcomes] == [Unknown] * 2
        assert sent == 2
    assert set(destination.applied_ids()) == {each.id for each in events}


@each_destination
async def test_a_repeat_does_what_the_specification_says(destination: DestinationBench) -> None:
    """Sent twice by two instances, events take effect once where the destination claims to be idempotent, else twice."""
    events = [event(1), identify(2), event(3)]
    for _ in range(2):
        async with destination.opened() as opened:
            assert await opened.send(encoded(opened, *events)) == [ACCEPTED] * 3

    times = 1 if destination.spec.is_idempotent else 2
    assert sorted(destination.applied_ids()) == sorted([each.id for each in events] * times)


@each_destination
async def test_batches_may_be_under_way_at_once(destination: DestinationBench) -> None:
    """As many as `in_flight` allows can be sent at the same time; each event takes effect once."""
    async with destination.opened() as opened:
        batches = [
            encoded(opened, *(event(10 * batch + number) for number in range(5))) for batch in range(opened.limits.in_flight)
        ]
        outcomes = await asyncio.gather(*(opened.send(batch) for batch in batches))

    assert outcomes == [[ACCEPTED] * 5] * len(batches)
    assert len(destination.applied_ids()) == len(set(destination.applied_ids())) == 5 * len(batches)


@each_destination
async def test_history_can_be_sent_too(destination: DestinationBench) -> None:
    """In a backfill a destination takes the same events within its own limits, whatever it adds to them."""
    async with destination.opened(is_backfill=True) as opened:
        assert opened.limits.overhead_bytes + opened.limits.event_bytes <= opened.limits.batch_bytes
        assert await opened.send(encoded(opened, event(1), identify(2))) == [ACCEPTED] * 2

    assert len(destination.applied_ids()) == 2
