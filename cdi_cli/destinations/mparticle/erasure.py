"""Erasure of people through mParticle's OpenDSR interface, version 3: the requests, not their sending.

Source: docs.mparticle.com, "Data Subject Request API Version 3". Requests go to one host for all pods and are authorised by
the key and secret of the *workspace*, not those of a feed. At most 1,000 a minute and 80,000 a day (sheet "mParticle",
section 2); an answer of 201 says that the request was received, erasure takes 7 to 21 days.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec

from cdi_cli.clock import Instant
from cdi_cli.destinations.mparticle.settings import MparticleSettings

REQUESTS_URL = "https://opendsr.mparticle.com/v3/requests"
_EXTENSION = "opendsr.mparticle.com"


class ErasureRequest(NamedTuple):
    """One request: JSON for one person."""

    method: str
    url: str
    body: bytes


def erasure_requests(
    settings: MparticleSettings,
    user_ids: Sequence[str],
    anonymous_ids: Sequence[str],
    *,
    submitted_at: Instant,
    regulation: Literal["gdpr", "ccpa"] = "gdpr",
) -> list[ErasureRequest]:
    """The requests that erase these people, one for each id: a request is for one person, and two ids may be two.

    `submitted_at` is when the person asked. The same arguments make the same requests, ids of requests included, so that
    a repeat does not count as another one. Anonymous ids are left out where the settings do not send them.
    """
    return [
        ErasureRequest("POST", REQUESTS_URL, msgspec.json.encode(_request(kind, value, submitted_at, regulation, subject)))
        for kind, value, subject in _subjects(settings, user_ids, anonymous_ids)
    ]


def _subjects(
    settings: MparticleSettings, user_ids: Sequence[str], anonymous_ids: Sequence[str]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Identity type, value, and the part of the request that names the person by it."""
    for value in dict.fromkeys(user_ids):
        identity = {"controller_customer_id": {"value": value, "encoding": "raw"}}
        yield "controller_customer_id", value, {"subject_identities": identity}
    if settings.anonymous_identity is not None:
        kind = settings.anonymous_identity.replace("_id_", "")  # OpenDSR spells `other_id_2` as `other2`
        for value in dict.fromkeys(anonymous_ids):
            identity = {kind: {"value": value, "encoding": "raw"}}
            yield kind, value, {"extensions": {_EXTENSION: {"subject_identities": identity}}}


def _request(kind: str, value: str, submitted_at: Instant, regulation: str, subject: dict[str, Any]) -> dict[str, Any]:
    return {
        "regulation": regulation,
        "subject_request_id": _request_id(kind, value, submitted_at, regulation),
        "subject_request_type": "erasure",
        "submitted_time": submitted_at,
        **subject,
        "api_version": "3.0",
    }


def _request_id(*parts: str) -> str:
    """A UUID in the form of version 4, which OpenDSR asks for, made of what the request says."""
    digest = blake2b(msgspec.json.encode(parts), digest_size=16).digest()
    return str(UUID(bytes=digest, version=4))
