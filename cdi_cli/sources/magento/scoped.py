"""Records as their own store view tells them (sheet "magento", section 2.1).

`is_subscribed` of a customer depends on the store view that is asked, and is right only under the customer's own. A page is
read under the home view; its rows of other views are asked for once more, one request per view, and take their places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from cdi_cli.sources._base import Page
from cdi_cli.sources._together import together
from cdi_cli.sources.magento.client import Client
from cdi_cli.sources.magento.fetch import Fetched, fetch_by_ids
from cdi_cli.sources.magento.poison import marker
from cdi_cli.sources.magento.stores import Stores


class _Place(msgspec.Struct):
    id: int | None = None
    store_id: int | None = None
    website_id: int | None = None


_decode_place = msgspec.json.Decoder(_Place).decode


async def customers_in_their_views(client: Client, stores: Stores, page: Page) -> Page:
    """The page with each customer as served under its own store view.

    One that is gone by then was deleted between two requests and is left out. Raises what a look-up raises.
    """
    places = [_place(record) for record in page.records]
    elsewhere: dict[str, list[int]] = {}
    views = [stores.own_view(place.store_id, place.website_id) for place in places]
    for place, view in zip(places, views, strict=True):
        if view is not None and view.code != stores.home_code and place.id is not None:
            elsewhere.setdefault(view.code, []).append(place.id)
    if not elsewhere:
        return page
    codes = list(elsewhere)
    found = dict(zip(codes, await together(*(_read(client, code, elsewhere[code]) for code in codes)), strict=True))
    records: list[bytes] = []
    for record, place, view in zip(page.records, places, views, strict=True):
        if view is None or view.code not in found or place.id is None:
            records.append(record)
        elif place.id in found[view.code].failed:
            records.append(marker(place.id, found[view.code].failed[place.id]))
        else:
            records += found[view.code].records.get(place.id, ())
    return replace(page, records=records)


def _place(record: bytes) -> _Place:
    try:
        return _decode_place(record)
    except ValueError:
        return _Place()


async def _read(client: Client, code: str, ids: Sequence[int]) -> Fetched:
    return await fetch_by_ids(client, "customers", "entity_id", ids, key="id", store_code=code)
