"""Bounded look-ups: the records whose field has one of some values, a hundred values at a time.

A value whose records the shop fails on is told apart by halving the values, so that one spoilt record does not stop the
others. Pages within a look-up go by keyset on the id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from cdi_cli.errors import ProtocolError, TooLargeError
from cdi_cli.sources.magento.client import ALL_STORES, Ask, Client
from cdi_cli.sources.magento.paging import Envelope
from cdi_cli.sources.magento.refusals import PageSizeError, ServerFaultError, SlowAnswerError
from cdi_cli.sources.magento.search import Filter, Group, criteria, one_of
from cdi_cli.sources.magento.streams import LISTINGS, Listing

VALUES_PER_REQUEST = 100


class _Keys(msgspec.Struct):
    """The fields that look-ups go by."""

    entity_id: int | None = None
    id: int | None = None
    order_id: int | None = None


_decode_keys = msgspec.json.Decoder(_Keys).decode


@dataclass(slots=True)
class Fetched:
    """Raw records by the value that they were looked up by, and the report ids of values that the shop fails on."""

    records: dict[int, list[bytes]] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)

    def add(self, other: Fetched) -> Fetched:
        """Take over what another look-up found."""
        self.records.update(other.records)
        self.failed.update(other.failed)
        return self


async def fetch_by_ids(
    client: Client,
    name: str,
    by: str,
    values: Sequence[int],
    *,
    key: str,
    store_code: str = ALL_STORES,
    scope_hint: str = "",
) -> Fetched:
    """The records of the list `name` whose field `by` has one of the values; records hold it as `key`.

    Raises what `Client.get` raises.
    """
    found = Fetched()
    distinct = list(dict.fromkeys(values))
    for start in range(0, len(distinct), VALUES_PER_REQUEST):
        part = distinct[start : start + VALUES_PER_REQUEST]
        found.add(await _fetch(client, LISTINGS[name], name, by, part, key, store_code, scope_hint))
    return found


async def _fetch(
    client: Client, listing: Listing, name: str, by: str, values: Sequence[int], key: str, store_code: str, scope_hint: str
) -> Fetched:
    what = f"Magento {name.replace('_', ' ')} by id"
    try:
        rows = await read_list(
            client, listing, what, [one_of(by, values)], store_code, scope_hint, is_divisible=len(values) > 1
        )
    except (TooLargeError, SlowAnswerError, ServerFaultError) as error:
        if len(values) == 1:
            if isinstance(error, ServerFaultError):
                return Fetched(failed={values[0]: error.report_id})
            raise
        middle = len(values) // 2
        first = await _fetch(client, listing, name, by, values[:middle], key, store_code, scope_hint)
        return first.add(await _fetch(client, listing, name, by, values[middle:], key, store_code, scope_hint))
    found = Fetched()
    asked = set(values)
    for row in rows:
        held = _value(row, key)
        if held is None or held not in asked:
            raise ProtocolError(
                f"{what}: the shop served records that were not asked for",
                hint="something between us and the shop, or an extension, ignores `searchCriteria`",
            )
        found.records.setdefault(held, []).append(row)
    return found


async def read_list(
    client: Client,
    listing: Listing,
    what: str,
    groups: Sequence[Group] = (),
    store_code: str = ALL_STORES,
    scope_hint: str = "",
    *,
    is_divisible: bool = False,
    fields: str | None = None,
) -> list[bytes]:
    """All records of a list that the groups hold for, by id, or only some `fields` of them; raises what `get` raises."""
    found: list[bytes] = []
    after: list[Group] = []
    while True:
        asked = client.rows_max
        params = criteria([*groups, *after], sort=[listing.id_field], page_size=asked, fields=fields)
        ask = Ask(listing.path, what, params, listing.scope, store_code, is_divisible, scope_hint)
        try:
            envelope, _ = await client.get(ask, Envelope)
        except PageSizeError as refused:
            if refused.rows_max >= asked:
                raise
            client.rows_max = refused.rows_max
            continue
        rows = [bytes(row) for row in envelope.items or ()]
        found += rows
        total = envelope.total_count
        if not rows or (len(rows) < asked if total is None else total <= len(rows)):
            return found
        last = _value(rows[-1], listing.record_id)
        if last is None or (after and last <= int(after[0][0].value)):
            raise ProtocolError(
                f"{what}: the shop served the same records again, or records without an id",
                hint="something between us and the shop, or an extension, ignores `searchCriteria`",
            )
        after = [(Filter(listing.id_field, "gt", str(last)),)]


def _value(record: bytes, name: str) -> int | None:
    try:
        value: int | None = getattr(_decode_keys(record), name)
    except ValueError:
        return None
    return value
