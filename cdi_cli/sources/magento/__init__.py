"""Magento 2 and Adobe Commerce (REST): customers, orders, credit memos (refunds), carts and products of one shop.

settings  where the shop is and who we are         auth      what proves it       oauth1    Magento's own signature
client    requests, errors                         replies   what an answer says  search    searchCriteria
paging    keyset, cursor, page size, checks        pager     the pages of a window, around what is slow or poisoned
streams   what is offered                          stores    store views          scoped    records of their own store view
records   the structs we decode                    reading   records to entities  lookups   what records only refer to
credit_memos  refunds joined to their orders       edits     edited orders        offline   reading without a connection
find      looking single records up                subscriptions   the consent of orders and carts
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cdi_cli.sources._base import SourceContext, SourceSpec
from cdi_cli.sources.magento.denied import DENIED_FIELDS
from cdi_cli.sources.magento.settings import MagentoSettings
from cdi_cli.sources.magento.streams import STREAMS

if TYPE_CHECKING:
    from cdi_cli.sources.magento.source import MagentoSource


def _open(settings: MagentoSettings, context: SourceContext) -> MagentoSource:
    from cdi_cli.sources.magento.source import MagentoSource

    return MagentoSource(settings, context)


def _open_offline(settings: MagentoSettings | None, context: SourceContext, answers: Mapping[str, Any]) -> MagentoSource:
    from cdi_cli.sources.magento.offline import open_offline

    return open_offline(settings, context, answers)


SOURCE = SourceSpec(
    name="magento",
    title="Magento / Adobe Commerce",
    settings=MagentoSettings,
    open=_open,
    streams=STREAMS,
    denied_fields=DENIED_FIELDS,
    open_offline=_open_offline,
    settle_seconds=120,
    overlap_seconds=600,
)
