"""Bounded look-ups: whole small lists, what belongs to one record, and records by their ids.

Pages within a look-up go by offset and end where nothing new comes, as some lists ignore `page` altogether (sheet
"elasticpath", section 2.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from cdi_cli.errors import RefusedError
from cdi_cli.sources._together import together
from cdi_cli.sources.elasticpath.client import Ask, Client
from cdi_cli.sources.elasticpath.envelope import Envelope, Single
from cdi_cli.sources.elasticpath.filters import IDS_PER_REQUEST, one_of
from cdi_cli.sources.elasticpath.paging import OFFSET_MAX
from cdi_cli.sources.elasticpath.records import Identified
from cdi_cli.sources.elasticpath.settings import PAGE_SIZE_MAX

_decode_id = msgspec.json.Decoder(Identified).decode


async def read_list(client: Client, ask: Ask, rows_max: int = OFFSET_MAX) -> list[bytes]:
    """The records of a list, at most `rows_max`; raises what `Client.get` raises."""
    found: dict[str, bytes] = {}
    offset = 0
    while len(found) < rows_max and offset < OFFSET_MAX:
        page = [("page[limit]", str(PAGE_SIZE_MAX)), ("page[offset]", str(offset))]
        envelope = await client.get(replace(ask, params=[*ask.params, *page]), Envelope)
        rows = [bytes(row) for row in envelope.data or ()]
        fresh = {id_of(row) or f"#{offset + number}": row for number, row in enumerate(rows)}
        if not fresh.keys() - found.keys():
            break
        found.update(fresh)
        offset += len(rows)
        # A store that says how many there are is believed; otherwise a page that is not full is the last one.
        if (len(rows) < PAGE_SIZE_MAX) if envelope.total is None else envelope.total <= offset:
            break
    return list(found.values())[:rows_max]


async def read_owned(client: Client, ask: Ask) -> list[bytes]:
    """What belongs to one record, none where that is gone; raises what `Client.get` raises."""
    envelope = await client.find(ask, Envelope)
    return [bytes(row) for row in envelope.data or ()] if envelope is not None else []


async def read_by_ids(client: Client, ask: Ask, ids: Sequence[str]) -> dict[str, bytes]:
    """The records of a list by their ids, in few requests where its filter knows `in`, else one by one.

    Raises what `Client.get` raises.
    """
    found: dict[str, bytes] = {}
    distinct = list(dict.fromkeys(ids))
    for start in range(0, len(distinct), IDS_PER_REQUEST):
        part = distinct[start : start + IDS_PER_REQUEST]
        try:
            rows = await read_list(client, replace(ask, params=[("filter", one_of("id", part))]))
        except RefusedError as refused:
            if refused.status != 400:
                raise
            return await read_singly(client, ask, distinct)
        found.update({identifier: row for row in rows if (identifier := id_of(row)) in part})
    return found


async def read_singly(client: Client, ask: Ask, ids: Sequence[str]) -> dict[str, bytes]:
    """The records of a list by their ids, one by one; raises what `Client.get` raises."""
    wanted = list(dict.fromkeys(ids))
    asks = [replace(ask, path=f"{ask.path}/{identifier}") for identifier in wanted]
    answers = await together(*(client.find(one, Single) for one in asks))
    return {identifier: bytes(one.data) for identifier, one in zip(wanted, answers, strict=True) if one is not None}


def id_of(record: bytes) -> str:
    """The id of a record; empty where it has none."""
    try:
        return _decode_id(record).id
    except (ValueError, RecursionError):
        return ""
