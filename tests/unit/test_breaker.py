"""The circuit breaker: a run that rejects too much stops itself."""

from __future__ import annotations

import pytest

from cdi_cli.errors import StoppedError
from cdi_cli.pipeline.breaker import Breaker, BreakerError


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


def test_the_error_says_why() -> None:
    """The commonest reasons with an example each: the dead letters of a page that was not finished are not written."""
    breaker = Breaker(share_max=0.2, rejected_min=3)
    breaker.note(2, 1, [("bad_json", "line 1: the line is not valid JSON")])
    breaker.note(2, 2, [("plan_violation", "line 2: `sku` is required"), ("plan_violation", "line 4: `sku` is required")])

    with pytest.raises(BreakerError) as caught:
        breaker.check()

    assert caught.value.details == (
        "plan_violation: 2, the first: line 2: `sku` is required",
        "bad_json: 1, the first: line 1: the line is not valid JSON",
    )
