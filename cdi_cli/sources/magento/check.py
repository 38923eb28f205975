"""`cdi check` for Magento: credentials, a look at each list that is read, store views, clock; no check is an exception.

Each list is asked for one record, because only asking tells whether it may be read: a missing ACL resource is named by the
401 that it costs (sheet "magento", sections 1 and 5.11).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from cdi_cli.checks import Check
from cdi_cli.errors import CdiError, ScopeError
from cdi_cli.sources._server_clock import clock_check
from cdi_cli.sources.magento.client import Ask, Client
from cdi_cli.sources.magento.lookups import References
from cdi_cli.sources.magento.paging import Envelope
from cdi_cli.sources.magento.refusals import NoRouteError
from cdi_cli.sources.magento.search import criteria
from cdi_cli.sources.magento.settings import MagentoSettings
from cdi_cli.sources.magento.stores import Stores
from cdi_cli.sources.magento.streams import LISTINGS, STREAMS, Listing

Look = Callable[[], Awaitable[object]]


async def run_checks(
    client: Client,
    settings: MagentoSettings,
    references: References,
    discover: Callable[[], Awaitable[Stores]],
    *,
    with_paid_at: bool = False,
) -> list[Check]:
    """Every check that can be made; where the shop cannot be spoken to at all, only the first."""
    try:
        views = [_views(await discover())]
    except ScopeError as error:
        views = [_failed("store views", error)]
    except CdiError as error:
        return [_failed("store views" if client.is_accepted else "credentials", error)]
    accepted = Check("credentials", is_ok=True, detail=f"the shop accepts them (`auth: {settings.auth}`)")
    checks = [accepted, *views]
    for stream in STREAMS:
        look = partial(_one, client, stream.name, LISTINGS[stream.name])
        checks.append(await _may_read(f"stream {stream.name}", look, None if stream.is_default else stream.name))
    for setting, look_up, needed_by in _lookups(client, settings, references):
        checks.append(await _may_read(f"look-up {setting}", look_up, needed_by))
    if with_paid_at:
        checks.append(await _may_read("look-up invoices", partial(_one, client, "invoices", LISTINGS["invoices"]), None))
    return [*checks, clock_check(client.time.skew_seconds, "the shop")]


async def _one(client: Client, name: str, listing: Listing) -> None:
    await client.get(Ask(listing.path, f"Magento {name}", criteria((), page_size=1), listing.scope), Envelope)


async def _may_read(name: str, look: Look, needed_by: str | None) -> Check:
    """Whether something can be read; what only one stream needs that is not read by default is a note where it cannot."""
    try:
        await look()
    except NoRouteError:
        return Check(name, is_ok=True, detail="the shop does not offer it", hint="nothing will be read of it")
    except ScopeError as error:
        if needed_by is None:
            return _failed(name, error)
        return Check(name, is_ok=True, detail=error.message, hint=f"needed only to read the stream `{needed_by}`")
    except CdiError as error:
        return _failed(name, error)
    return Check(name, is_ok=True, detail="can be read")


def _lookups(client: Client, settings: MagentoSettings, references: References) -> list[tuple[str, Look, str | None]]:
    """The look-ups that are on: setting, how to try it, and the stream that alone needs it."""
    looks: list[tuple[str, Look, str | None]] = [
        ("shipments", partial(_one, client, "shipments", LISTINGS["shipments"]), None),
        ("customer_groups", references.groups, None),
        ("categories", references.categories, "products"),
        ("brands", references.brands, "products"),
        ("stock", partial(references.stock, ["cdi-check"]), "products"),
    ]
    return [look for look in looks if getattr(settings.lookups, look[0])]


def _views(stores: Stores) -> Check:
    named = ", ".join(f"`{view.code}`" for view in stores.chosen)
    if not named:
        return Check(
            "store views", is_ok=False, detail="the shop has no active store view", hint="activate one in the admin"
        )
    currencies = ", ".join(sorted({view.currency for view in stores.chosen if view.currency}))
    return Check("store views", is_ok=True, detail=f"{named}; base currency {currencies or 'unknown'}")


def _failed(name: str, error: CdiError) -> Check:
    place = f" ({error.where})" if error.where else ""
    return Check(name, is_ok=False, detail=f"{error.message}{place}", hint=error.hint or "look into the shop's `var/log`")
