"""Elastic Path Composable Commerce: customers, account members, orders with their refunds, and products of one store.

settings  where the store is and who we are        token     the access token          pace      requests per second
client    requests, errors                         replies   what an answer says       filters   dialects of `filter`
envelope  pages split into records                 paging    cursor, places, sizes     pager     which walk reads a window
keyset    pages in the order of time               slices    the same unsorted         descending  lists without filters
streams   what is offered                          records   the structs we decode     reading   records to entities
orders    lines  refunds  money  the order itself  lookups   what records only refer to    consents  the customers' consent
find      looking single records up                check     `cdi check`               offline   reading without a connection
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cdi_cli.config.switches import Switches
from cdi_cli.sources._base import SourceContext, SourceSpec
from cdi_cli.sources.elasticpath.denied import DENIED_FIELDS
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings
from cdi_cli.sources.elasticpath.streams import STREAMS

if TYPE_CHECKING:
    from cdi_cli.sources.elasticpath.source import ElasticPathSource


def _open(settings: ElasticPathSettings, context: SourceContext) -> ElasticPathSource:
    from cdi_cli.sources.elasticpath.source import ElasticPathSource

    return ElasticPathSource(settings, context)


def _open_offline(
    settings: ElasticPathSettings | None, context: SourceContext, answers: Mapping[str, Any]
) -> ElasticPathSource:
    from cdi_cli.sources.elasticpath.offline import open_offline

    return open_offline(settings, context, answers)


SOURCE = SourceSpec(
    name="elasticpath",
    title="Elastic Path",
    settings=ElasticPathSettings,
    open=_open,
    streams=STREAMS,
    denied_fields=DENIED_FIELDS,
    open_offline=_open_offline,
    settle_seconds=120,
    overlap_seconds=300,
    switches=Switches(order_completed=("paid", "placed", "fulfilled"), checkout_started=("created", "authorized")),
)
