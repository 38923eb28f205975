"""The mParticle part of the admin API.

GET  /_sandbox/mparticle/applied?offset&limit   applied batches, as stored, with `is_historical` and `is_forwarded`
GET  /_sandbox/mparticle/dropped?offset&limit   {"code", "detail", "batch"} each
POST /_sandbox/mparticle/clear                  forget all batches, ids and names
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from cdi_cli.sandbox.http_server import Request
from cdi_cli.sandbox.mparticle.inbox import MparticleInbox

_SLICE_MAX = 10_000


def routes(inbox: MparticleInbox) -> dict[tuple[str, str], Callable[[Request], Any]]:
    """What the admin API answers for mParticle, by method and path."""
    return {
        ("GET", "mparticle/applied"): lambda request: [asdict(entry) for entry in _slice(request, inbox.applied)],
        ("GET", "mparticle/dropped"): lambda request: [asdict(entry) for entry in _slice(request, inbox.dropped)],
        ("POST", "mparticle/clear"): lambda _request: _clear(inbox),
    }


def _clear(inbox: MparticleInbox) -> dict[str, bool]:
    inbox.clear()
    return {"cleared": True}


def _slice(request: Request, entries: Sequence[Any]) -> Sequence[Any]:
    offset, limit = (_number(request.param(name), usual) for name, usual in (("offset", 0), ("limit", 1000)))
    return entries[offset : offset + min(limit, _SLICE_MAX)]


def _number(text: str | None, usual: int) -> int:
    return int(text) if text is not None and text.isdecimal() else usual
