"""`cdi check` for Elastic Path: credentials, a look at each list and how it can be read, look-ups, clock.

Nobody documents for sure which dialect of filters a list reads and whether it sorts as it is asked (sheet "elasticpath",
section 7), so both are tried here and told; either is no mistake, as there is another way to read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial

from cdi_cli.checks import Check
from cdi_cli.clock import Instant, Window, shift
from cdi_cli.errors import CdiError, ScopeError
from cdi_cli.sources._server_clock import clock_check
from cdi_cli.sources.elasticpath.client import Ask, Client
from cdi_cli.sources.elasticpath.envelope import Envelope
from cdi_cli.sources.elasticpath.lookups import References
from cdi_cli.sources.elasticpath.pager import Pager
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings
from cdi_cli.sources.elasticpath.streams import LISTINGS, STREAMS

_SINCE = Instant("2000-01-01T00:00:00.000Z")
_HOW = {
    "quoted": "filters by time are exact",
    "plain": "filters by time are exact (without quotes)",
    "epoch": "filters by time are exact (as milliseconds)",
    "day": "filters go by whole days only: each sync reads the whole day again",
}


async def run_checks(
    client: Client, settings: ElasticPathSettings, pagers: Mapping[str, Pager], references: References
) -> list[Check]:
    """Every check that can be made; where the store cannot be spoken to at all, only the first."""
    try:
        now = await client.server_now()
    except CdiError as error:
        return [_failed("credentials", error)]
    key = f"application key `{settings.client_id}`"
    checks = [Check("credentials", is_ok=True, detail=f"the store accepts the {key}")]
    window = Window(_SINCE, shift(now, timedelta(days=1)))
    for stream in STREAMS:
        look = partial(_list, client, pagers[stream.name], stream.name, window)
        checks.append(await _may_read(f"stream {stream.name}", look, None if stream.is_default else stream.name))
    checks.append(await _currencies(references))
    if settings.lookups.accounts:
        look = partial(_plain, client, "/v2/accounts", "accounts")
        checks.append(await _may_read("look-up accounts", look, "account_members"))
    for book in settings.price_books:
        look = partial(_plain, client, f"/pcm/pricebooks/{book}/prices", f"price book `{book}`")
        checks.append(await _may_read(f"price book {book}", look, None))
    return [*checks, clock_check(client.tokens.time.skew_seconds, "the store")]


async def _list(client: Client, pager: Pager, stream: str, window: Window) -> str:
    """How a list can be read."""
    if LISTINGS[stream].walk == "descending":
        await _plain(client, LISTINGS[stream].path, stream)
        return "can be read; it has no filter and is read whole"
    await pager.settle_dialect("updated_at", window)
    how = f"can be read; {_HOW[pager.dialect]}"
    if LISTINGS[stream].walk != "keyset":
        return how
    if pager.dialect == "day" or await pager.sorts_by("updated_at", window) or (await pager.count(window) or 0) < 2:
        return how
    return f"{how}; it is not sorted as it is asked, so it is read in slices of time"


async def _plain(client: Client, path: str, what: str) -> str:
    await client.get(Ask(path, f"Elastic Path {what}", [("page[limit]", "1")]), Envelope)
    return "can be read"


async def _may_read(name: str, look: Callable[[], Awaitable[str]], needed_by: str | None) -> Check:
    """Whether something can be read; what only one stream needs that is not read by default is a note where it cannot."""
    try:
        detail = await look()
    except ScopeError as error:
        if needed_by is None:
            return _failed(name, error)
        return Check(name, is_ok=True, detail=error.message, hint=f"needed only to read the stream `{needed_by}`")
    except CdiError as error:
        return _failed(name, error)
    return Check(name, is_ok=True, detail=detail)


async def _currencies(references: References) -> Check:
    try:
        found = await references.currencies()
    except CdiError as error:
        return _failed("currencies", error)
    if not found.codes:
        return Check("currencies", is_ok=True, detail="the store does not tell; decimals are those of ISO 4217")
    told = ", ".join(f"{code} ({found.digits(code)} decimals)" for code in found.codes)
    return Check("currencies", is_ok=True, detail=told)


def _failed(name: str, error: CdiError) -> Check:
    place = f" ({error.where})" if error.where else ""
    return Check(name, is_ok=False, detail=f"{error.message}{place}", hint=error.hint or "run the same check again later")
