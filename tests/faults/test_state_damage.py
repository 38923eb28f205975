"""Damage on disk: a torn log gives an earlier committed state, a damaged file is refused or right, never reset."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from state_builders import entry, files_of, partitions, spec, step, steps_settled, write_files

from cdi_cli.errors import StateError
from cdi_cli.state import open_store
from cdi_cli.state._base import DeadLetter, Job, Partition

STEPS = 12


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a crash leaves: twelve steps, each in its own transaction, all still in the log."""
    path = tmp_path_factory.mktemp("crashed") / "state" / "state.db"
    with open_store(path) as store:
        run = store.start_run(store.create_job(spec(), partitions()).id)
        for number in range(STEPS):
            store.settle(run, [step(number)])
        return files_of(path)


def torn(log: bytes, how: str, chance: random.Random) -> bytes:
    """The log as a power loss may leave it."""
    at = chance.randrange(len(log))
    if how == "truncate":
        return log[:at]
    if how == "zero":
        return log[:at] + bytes(min(512, len(log) - at)) + log[at + 512 :]
    return log[:at] + bytes([log[at] ^ 1 << chance.randrange(8)]) + log[at + 1 :]


@pytest.mark.parametrize("how", ["truncate", "flip", "zero"])
def test_a_torn_log_gives_an_earlier_committed_state(tmp_path: Path, crashed: dict[str, bytes], how: str) -> None:
    """Forty cases each: what comes back is a whole number of steps, and the store goes on from there."""
    seen: Counter[int] = Counter()
    for seed in range(40):
        files = {"": crashed[""], "-wal": torn(crashed["-wal"], how, random.Random(f"{how}{seed}"))}
        path = write_files(tmp_path / str(seed) / "state.db", files)
        with open_store(path) as store:
            settled = steps_settled(store)
            seen[settled] += 1
            if store.find_job("shop", "segment") is None:
                store.create_job(spec(), partitions())
            run = store.start_run(1)
            for number in range(settled, STEPS):
                store.settle(run, [step(number)])
            assert steps_settled(store) == STEPS

    assert len(seen) > 5
    assert min(seen) < STEPS


@dataclass(frozen=True)
class Content:
    """What must be right whenever a file is not refused: everything that decides what is read and sent next."""

    job: Job | None
    partitions: list[Partition]
    known: dict[bytes, bytes]
    letters: list[tuple[bytes | None, bytes | None]]


def content_of(path: Path) -> Content:
    """Open for writing and read everything; raises StateError."""
    with open_store(path) as store:
        wanted = [entry(number) for number in range(200)]
        job = store.find_job("shop", "segment")
        letters: list[DeadLetter] = [one.letter for one in store.dead_letters(limit=1000)]
        store.counts()
        store.pulled()
        store.runs()
        store.dead_letter_reasons()
        return Content(
            job,
            store.partitions(job.id) if job else [],
            store.delivered("commercetools", "segment", "order", {one.key: one.created_at for one in wanted}),
            [(one.record, one.event) for one in letters],
        )


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with forty steps, closed in order."""
    path = tmp_path_factory.mktemp("closed") / "state" / "state.db"
    with open_store(path) as store:
        run = store.start_run(store.create_job(spec(), partitions(30)).id)
        for number in range(40):
            store.settle(run, [step(number)])
        store.end_run(run, status="stopped", exit_code=3)
    return path.read_bytes()


@pytest.mark.parametrize("shard", range(6))
def test_a_flipped_bit_is_found_or_harmless(tmp_path: Path, closed: bytes, shard: int) -> None:
    """Fifty files with one bit turned each: refused with a next step, or right in all that decides what is sent."""
    right = content_of(write_files(tmp_path / "right" / "state.db", {"": closed}))
    assert len(right.known) == 120
    verdicts: Counter[str] = Counter()
    for seed in range(50):
        chance = random.Random(1000 * shard + seed)
        at = chance.randrange(len(closed))
        changed = closed[:at] + bytes([closed[at] ^ 1 << chance.randrange(8)]) + closed[at + 1 :]
        path = write_files(tmp_path / str(seed) / "state.db", {"": changed})
        try:
            found = content_of(path)
        except StateError as error:
            verdicts["refused" if error.hint and error.where == str(path) else f"unhelpful: {error.message}"] += 1
        else:
            assert found == right, f"byte {at}"
            verdicts["right"] += 1

    assert verdicts["refused"] + verdicts["right"] == 50, verdicts


@pytest.mark.parametrize("page", [0, 1, 5, 9, 13])
@pytest.mark.parametrize("fill", [b"\x00", b"\xff"])
def test_a_page_of_rubbish(tmp_path: Path, closed: bytes, page: int, fill: bytes) -> None:
    """A sector that came back as zeros or ones: refused and left as it is, or right."""
    assert len(closed) > 4096 * 14
    right = content_of(write_files(tmp_path / "right" / "state.db", {"": closed}))
    changed = closed[: 4096 * page] + fill * 4096 + closed[4096 * (page + 1) :]
    path = write_files(tmp_path / "changed" / "state.db", {"": changed})
    try:
        found = content_of(path)
    except StateError:
        # Signing in may have been written to the log, never a repair of what is there.
        after = path.read_bytes()
        assert after[4096 * page : 4096 * (page + 1)] == fill * 4096
    else:
        assert found == right


@pytest.mark.parametrize("share", [0.1, 0.35, 0.6, 0.9, 0.99])
def test_a_file_cut_off(tmp_path: Path, closed: bytes, share: float) -> None:
    """A copy that ended early is refused for ever, not opened as if it were all."""
    cut = closed[: int(len(closed) * share)]
    path = write_files(tmp_path / "state" / "state.db", {"": cut})
    for _ in range(2):
        with pytest.raises(StateError, match=r"damaged|not a"):
            content_of(path)
    assert path.read_bytes() == cut
