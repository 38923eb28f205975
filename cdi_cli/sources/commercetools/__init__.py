"""commercetools (HTTP API v2): customers, carts, orders, payments (refunds), products, and deletions.

settings  where the project is and who we are     client    requests, errors      token    access token, server clock
paging    keyset predicates, cursor, page size    streams   what is offered       records  the structs we decode
reading   records to entities, one by one         refunds   payments to orders    references  cached look-ups
offline   reading without a connection, for fixtures      find      single records by id, number, customer or e-mail
deletions customers who were deleted, told by messages            product_deletions  the same of products
catalogue products to variants                            prices    which price counts       sku_lookups  prices and stock
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cdi_cli.config.switches import Switches
from cdi_cli.sources._base import SourceContext, SourceSpec
from cdi_cli.sources.commercetools.records import DENIED_FIELDS
from cdi_cli.sources.commercetools.settings import CommercetoolsSettings
from cdi_cli.sources.commercetools.streams import STREAMS

if TYPE_CHECKING:
    from cdi_cli.sources.commercetools.source import CommercetoolsSource


def _open(settings: CommercetoolsSettings, context: SourceContext) -> CommercetoolsSource:
    from cdi_cli.sources.commercetools.source import CommercetoolsSource

    return CommercetoolsSource(settings, context)


def _open_offline(
    settings: CommercetoolsSettings | None, context: SourceContext, answers: Mapping[str, Any]
) -> CommercetoolsSource:
    from cdi_cli.sources.commercetools.offline import open_offline

    return open_offline(settings, context, answers)


SOURCE = SourceSpec(
    name="commercetools",
    title="commercetools",
    settings=CommercetoolsSettings,
    open=_open,
    streams=STREAMS,
    denied_fields=DENIED_FIELDS,
    open_offline=_open_offline,
    switches=Switches(customer_updated=("updated", "deleted"), deletions="deletions"),
)
