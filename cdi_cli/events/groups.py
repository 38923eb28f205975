"""Groups: the business unit, store or company that a record says its person belongs to.

A membership is told once for each person and group, not once for each order: its event is kept in the ledger under the two
of them. Ids differ from kind to kind, so that a store and a business unit of one key are two groups; a business unit has its
plain key, which events carry as `context.groupId`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from cdi_cli.clock import Instant
from cdi_cli.commerce import Customer, Group, Order
from cdi_cli.events.ids import slug

GroupKind = Literal["business_unit", "store", "company"]
GROUP_KINDS: tuple[GroupKind, ...] = ("business_unit", "store", "company")

MEMBERSHIP_SINCE = Instant("1970-01-01T00:00:00.000Z")
"""The creation time under which the ledger keeps memberships, which have none of their own: several records tell of one."""


def groups_of(entity: Order | Customer, kinds: tuple[GroupKind, ...]) -> Iterator[Group]:
    """The groups of these kinds that a record's person belongs to."""
    unit = entity.business_unit if isinstance(entity, Order) else None
    if "business_unit" in kinds and unit:
        yield Group(unit, "business_unit", (entity.business_unit_name if isinstance(entity, Order) else None) or unit)
    if "store" in kinds:
        stores = entity.stores if isinstance(entity, Customer) else (entity.store,)
        for store in stores:
            if store:
                yield Group(f"store:{store}", "store", store)
    company = entity.company if isinstance(entity, Customer) else None
    if "company" in kinds and company and (name := slug(company)):
        yield Group(f"company:{name}", "company", company)
