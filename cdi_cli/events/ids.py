"""Event ids: deterministic, at most 99 characters, the same on any machine in any run.

The default form is `cdi:{workspace}:{source}:{family}:{entity_id}:{event}[:{discriminator}]`, where `event` is the plan's
event name in lower case with hyphens, so that two events of one trigger never share an id. Segment dedupes on ids of fewer
than 100 characters (sheet "Segment", section 2); a longer one keeps its head and ends in a hash of the whole.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

import msgspec

ID_CHARACTERS_MAX = 99
TAIL_HASH_CHARACTERS_MIN = 16
_FIELD = re.compile(r"\{([a-z_]+)\}")
_NOT_IN_SLUG = re.compile(r"[^\w]+")
FORMAT_FIELDS = frozenset({"workspace", "source", "family", "entity_id", "entity_number", "event", "discriminator"})


class IdFormat(msgspec.Struct, frozen=True):
    """How ids are made: the namespace, and per event name an own form that a storefront's client can share.

    An own form is a text with the fields of `FORMAT_FIELDS`, for example
    `{"Order Completed": "{entity_number}-order-completed"}`; an event that can occur more than once per entity must use
    `{discriminator}` (checked when the project is loaded).
    """

    workspace: str
    source: str
    forms: dict[str, str] = {}


def event_id(
    form: IdFormat, *, family: str, entity_id: str, event: str, discriminator: str, entity_number: str | None = None
) -> str:
    """The id of one event; the same arguments give the same id for ever."""
    own = form.forms.get(event)
    if own is None:
        return shorten(f"cdi:{form.workspace}:{form.source}:{family}:{entity_id}:{slug(event)}", discriminator)
    values = {
        "workspace": form.workspace,
        "source": form.source,
        "family": family,
        "entity_id": entity_id,
        "entity_number": entity_number or entity_id,
        "event": slug(event),
        "discriminator": discriminator,
    }
    return shorten(_FIELD.sub(lambda match: values.get(match.group(1), match.group(0)), own))


@lru_cache(maxsize=1024)
def slug(name: str) -> str:
    """An event name as it stands in an id: `Order Completed` is `order-completed`."""
    return _NOT_IN_SLUG.sub("-", name.lower()).strip("-")


def shorten(head: str, tail: str = "") -> str:
    """`head:tail` (`head` alone without a tail) in at most 99 characters.

    A tail that does not fit becomes a hash of the whole, of at least 64 bits: it only tells apart what shares the head. A
    head that leaves no room for that is cut, and the hash has 128 bits.
    """
    text = f"{head}:{tail}" if tail else head
    if len(text) <= ID_CHARACTERS_MAX:
        return text
    digest = blake2b(text.encode(), digest_size=16).hexdigest()
    room = ID_CHARACTERS_MAX - len(head) - len(":~")
    if tail and room >= TAIL_HASH_CHARACTERS_MIN:
        return f"{head}:~{digest[:room]}"
    return f"{text[: ID_CHARACTERS_MAX - len(digest) - 1]}~{digest}"


def key_of(identifier: str) -> bytes:
    """The 16 bytes that stand for an event id in the ledger."""
    return blake2b(identifier.encode(), digest_size=16).digest()


def content_of(body: bytes) -> bytes:
    """The 8 bytes that stand for an event's properties in the ledger."""
    return blake2b(body, digest_size=8).digest()
