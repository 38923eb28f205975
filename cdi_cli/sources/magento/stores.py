"""Store views, their websites, addresses, currencies and time zones: discovered once per run.

Told by `/V1/store/storeViews`, `/websites` and `/storeConfigs` (sheet "magento", sections 2.1 and 2.5). `home` is the view
with the lowest id among the chosen ones: lists that differ by store view are read under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from cdi_cli.errors import RefusedError
from cdi_cli.sources.magento.client import ALL_STORES, Ask, Client

T = TypeVar("T")

SCOPE = "Magento_Backend::store"
_HINT = "tick the resource `Stores` (`Magento_Backend::store`): store views, currencies and languages are read with it"


class _View(msgspec.Struct, frozen=True):
    id: int
    code: str
    website_id: int
    name: str = ""
    is_active: int | bool = 1


class _Website(msgspec.Struct, frozen=True):
    id: int
    code: str


class _Config(msgspec.Struct, frozen=True):
    id: int
    locale: str | None = None
    base_currency_code: str | None = None
    timezone: str | None = None
    base_url: str | None = None
    base_link_url: str | None = None
    base_media_url: str | None = None
    secure_base_url: str | None = None
    secure_base_link_url: str | None = None
    secure_base_media_url: str | None = None


@dataclass(frozen=True, slots=True)
class StoreView:
    """A store view: its website, language (`en-US`), base currency, addresses of pages and media, and time zone."""

    id: int
    code: str
    website_id: int
    website: str | None = None
    locale: str | None = None
    currency: str | None = None
    link_url: str | None = None
    media_url: str | None = None
    zone: tzinfo = UTC


class Stores:
    """The store views of a shop, by id, and those that were chosen."""

    def __init__(self, views: Sequence[StoreView] = (), chosen: Sequence[StoreView] = (), *, is_part: bool = False) -> None:
        """`is_part`: only the chosen views are to be read, not all there are."""
        self._by_id = {view.id: view for view in views}
        self.chosen = tuple(sorted(chosen, key=lambda view: view.id))
        self.is_part = is_part

    @property
    def home(self) -> StoreView | None:
        """The view that lists are read under; None where the shop is not known (offline)."""
        return self.chosen[0] if self.chosen else None

    @property
    def home_code(self) -> str:
        """The code of the home view, `all` where there is none."""
        return self.home.code if self.home is not None else ALL_STORES

    def view(self, store_id: int | None) -> StoreView | None:
        """The store view of that id, chosen or not."""
        return self._by_id.get(store_id) if store_id is not None else None

    def own_view(self, store_id: int | None, website_id: int | None) -> StoreView | None:
        """The view that a customer belongs to; where it does not exist any more, the first of the website."""
        own = self.view(store_id) if store_id else None
        if own is not None or website_id is None:
            return own
        views = sorted(self._by_id.values(), key=lambda view: view.id)
        return next((view for view in views if view.website_id == website_id), None)

    def restriction(self, store_field: str | None) -> list[int]:
        """The values of that field that records of the chosen views have; empty where nothing is left out."""
        if not self.is_part or store_field is None:
            return []
        if store_field == "website_id":
            return sorted({view.website_id for view in self.chosen})
        return [view.id for view in self.chosen]


async def discover(client: Client, codes: Sequence[str]) -> Stores:
    """Ask the shop; raises RefusedError for a code that it does not have, and what requests raise."""
    views = await _read(client, "/store/storeViews", "store views", list[_View])
    websites = await _read(client, "/store/websites", "websites", list[_Website])
    configs = await _read(client, "/store/storeConfigs", "store configurations", list[_Config])
    website_codes = {website.id: website.code for website in websites}
    by_id = {config.id: config for config in configs}
    found = [_view(view, website_codes, by_id.get(view.id)) for view in views if view.id != 0]
    active = {view.id for view in views if view.is_active}
    known = {view.code for view in found}
    unknown = [code for code in codes if code not in known]
    if unknown:
        raise RefusedError(
            f"the shop has no store view `{unknown[0]}`",
            status=404,
            code="no_store_view",
            hint=f"`store_views` may hold {', '.join(f'`{code}`' for code in sorted(known)) or 'none'}",
        )
    chosen = [view for view in found if (view.code in codes if codes else view.id in active)]
    return Stores(found, chosen, is_part=bool(codes))


async def _read(client: Client, path: str, title: str, kind: type[T]) -> T:
    answer, _ = await client.get(Ask(path, f"Magento {title}", [], SCOPE, scope_hint=_HINT), kind)
    return answer


def _view(view: _View, websites: dict[int, str], config: _Config | None) -> StoreView:
    if config is None:
        return StoreView(view.id, view.code, view.website_id, websites.get(view.website_id))
    return StoreView(
        id=view.id,
        code=view.code,
        website_id=view.website_id,
        website=websites.get(view.website_id),
        locale=config.locale.replace("_", "-") if config.locale else None,
        currency=config.base_currency_code,
        link_url=config.secure_base_link_url or config.base_link_url or config.secure_base_url or config.base_url,
        media_url=config.secure_base_media_url or config.base_media_url,
        zone=_zone(config.timezone),
    )


def _zone(name: str | None) -> tzinfo:
    """The zone of that name; UTC where this machine has none by it."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ValueError, OSError, KeyError):
        return UTC
