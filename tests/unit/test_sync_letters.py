"""Delta syncs and dead letters: what is broken is news once, and leaves the queue when it is mended."""

from __future__ import annotations

from pathlib import Path

from sync_shop import Life, later, names, placed

from cdi_cli.commerce import Money
from cdi_cli.errors import ExitCode, StoppedError
from cdi_cli.pipeline.report import exit_code
from cdi_cli.state import open_store


async def test_a_broken_record_is_news_only_once(tmp_path: Path) -> None:
    """The overlap reads it again in the next run: it is not rejected anew, and cron is not alarmed again."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    life.source.broken = frozenset({1})
    life.put(placed(1, later(4)))

    first, _ = await life.sync(later(6))
    second, _ = await life.sync(later(8))

    assert exit_code(first.books, None, kind="sync") is ExitCode.DEAD_LETTERS
    assert exit_code(second.books, None, kind="sync") is ExitCode.OK
    assert second.books.reasons == {("orders", "duplicate", "in_dead_letters"): 1}
    with open_store(life.state, read_only=True) as store:
        assert len(store.dead_letters()) == 1


async def test_a_mended_record_leaves_the_dead_letters(tmp_path: Path) -> None:
    """When the record can be read, its letter is done with, in the transaction that settles its page."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    life.source.broken = frozenset({1})
    life.put(placed(1, later(1)))
    await life.sync(later(10))
    life.source.broken = frozenset()
    life.put(placed(1, later(1), updated_at=later(12)))

    await life.sync(later(20))

    assert names(life.destination) == {"Order Completed": 1}
    with open_store(life.state, read_only=True) as store:
        assert store.dead_letters() == []


async def test_what_the_destination_refused_is_not_offered_every_few_minutes(tmp_path: Path) -> None:
    """A refused event waits in the dead letters; the overlap does not send it again."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    life.put(placed(1, later(4)))
    life.destination.refused = frozenset({"cdi:test:shop:order:order-1:order-completed"})
    await life.sync(later(6))
    before = life.destination.requests

    report, _ = await life.sync(later(8))

    assert life.destination.requests == before
    assert report.books.reasons == {("orders", "duplicate", "in_dead_letters"): 1}


async def test_a_refused_event_with_new_content_is_offered_again(tmp_path: Path) -> None:
    """Once the record is mended the event goes out, and its letter is gone."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    life.put(placed(1, later(1)))
    life.destination.refused = frozenset({"cdi:test:shop:order:order-1:order-completed"})
    await life.sync(later(10))
    life.destination.refused = frozenset()
    life.put(placed(1, later(1), updated_at=later(12), total=Money(7, "EUR"), revenue=Money(7, "EUR")))

    await life.sync(later(20))

    assert names(life.destination) == {"Order Completed": 1}
    with open_store(life.state, read_only=True) as store:
        assert store.dead_letters() == []


async def test_a_broken_deploy_trips_the_breaker_before_it_fills_the_queue(tmp_path: Path) -> None:
    """The run stops, says why, and keeps its watermark, so that everything is read again once it is mended."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    life.source.page_size = 300
    life.source.broken = frozenset(range(300))
    for number in range(300):
        life.put(placed(number, later(1)))

    report, error = await life.sync(later(10))

    assert isinstance(error, StoppedError)
    assert "events were rejected" in error.message
    assert report.status == "stopped"
    with open_store(life.state, read_only=True) as store:
        assert len(store.dead_letters(limit=1000)) < 300
    life.source.broken = frozenset()
    await life.sync(later(20))
    assert names(life.destination) == {"Order Completed": 300}


async def test_a_letter_about_content_that_is_out_of_date_leaves_the_queue(tmp_path: Path) -> None:
    """An order changed to something refused and back again: replaying the letter later would send what is no longer true."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    life.put(placed(1, later(1)))
    await life.sync(later(10))
    changed = placed(1, later(1), updated_at=later(12), version=2, total=Money(7, "EUR"), revenue=Money(7, "EUR"))
    life.put(changed)
    life.destination.refuses = lambda event: event["event"] == "Order Updated"
    await life.sync(later(20))
    with open_store(life.state, read_only=True) as store:
        assert [one.letter.event_name for one in store.dead_letters()] == ["Order Updated"]
    life.put(placed(1, later(1), updated_at=later(22), version=3))

    await life.sync(later(30))

    with open_store(life.state, read_only=True) as store:
        assert store.dead_letters() == []
