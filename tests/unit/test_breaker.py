"""The circuit breaker: a run that rejects too much stops itself."""

from __future__ import annotations

import pytest

from cdi_cli.errors import StoppedError
from cdi_cli.pipeline.breaker import Breaker


def test_a_few_rejects_never_stop_a_run() -> None:
    """Below the least number the share does not count: three of three may be three poison records."""
    breaker = Breaker(share_max=0.2, rejected_min=100)
    breaker.note(99, 99)

    breaker.check()


def test_a_small_share_never_stops_a_run() -> None:
    """Many rejects among very many events are no broken deploy."""
    breaker = Breaker(share_max=0.2, rejected_min=100)
    breaker.note(10_000, 2_000)

    breaker.check()


def test_too_large_a_share_stops_the_run_and_says_what_to_do() -> None:
    """The error names both figures, the limit and the next step."""
    breaker = Breaker(share_max=0.2, rejected_min=100)
    breaker.note(400, 60)
    breaker.note(0, 60)

    with pytest.raises(StoppedError, match=r"120 of 400 events were rejected \(30%, the limit is 20%\)") as caught:
        breaker.check()

    assert "cdi dlq list" in (caught.value.hint or "")
