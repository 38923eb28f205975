"""The consent of orders: their own, and where that says nothing the customer's, as it is now (sheet, section 3.4).

An order holds no consent of its own but what a flow field of orders says. Where the pipeline reads consent at all, customers
of a group of orders are asked for together. Guests, and customers who were deleted, have given none that we can know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from cdi_cli.commerce import Consent
from cdi_cli.sources._base import ConsentField
from cdi_cli.sources._consent import ConsentReader, completed, is_open, of_customers
from cdi_cli.sources.elasticpath.client import Ask, Client
from cdi_cli.sources.elasticpath.fetch import read_by_ids, read_singly
from cdi_cli.sources.elasticpath.orders import customer_of, member_of
from cdi_cli.sources.elasticpath.records import OrderRecord
from cdi_cli.sources.elasticpath.settings import ID, Lookups

_HINT = (
    "the consent of orders is that of their customers: give the application key access, set "
    "`lookups.customer_consent: false`, or take `consent` out of the pipeline"
)


class ConsentSource:
    """Reads the consent of records; made once per run."""

    def __init__(self, client: Client, fields: Mapping[str, ConsentField], lookups: Lookups) -> None:
        self._client = client
        self._own = ConsentReader(fields)
        self._customers = of_customers(fields)
        self._is_joined = bool(fields) and lookups.customer_consent

    def own(self, record: bytes) -> Consent:
        """What a customer's or order's own record says."""
        return self._own.read(record)

    def customers(self, record: bytes) -> Consent:
        """What a customer's record says of that customer."""
        return self._customers.read(record)

    async def of_orders(self, orders: Sequence[tuple[OrderRecord, bytes]]) -> dict[str, Consent]:
        """The consent of orders by their id; raises what `Client.get` raises."""
        own = {order.id: self._own.read(record) for order, record in orders}
        if not self._is_joined:
            return own
        asked = [order for order, _ in orders if is_open(own[order.id])]
        customers = _ids(customer_of(order) for order in asked)
        members = _ids(member_of(order) for order in asked if customer_of(order) is None)
        found: dict[str, bytes] = {}
        if customers:
            ask = Ask("/v2/customers", "Elastic Path customers by id", scope_hint=_HINT)
            found |= await read_by_ids(self._client, ask, customers)
        if members:
            ask = Ask("/v2/account-members", "Elastic Path account members by id", scope_hint=_HINT)
            found |= await read_singly(self._client, ask, members)
        told = {identifier: self._customers.read(record) for identifier, record in found.items()}
        people = {order.id: customer_of(order) or member_of(order) or "" for order in asked}
        return own | {key: completed(own[key], told.get(person, Consent())) for key, person in people.items() if person}


def _ids(ids: Iterable[str | None]) -> list[str]:
    return [one for one in ids if one and re.fullmatch(ID, one)]
