"""What mParticle must be asked so that it forgets a person: OpenDSR requests, version 3.

Requests go to one host for all pods (docs.mparticle.com, "Data Subject Request API Version 3"). At most 1,000 a minute and
80,000 a day (sheet "mParticle", section 2); an answer of 201 says that one was received, erasure takes 7 to 21 days. A
request is for one person and ids are asked for one by one, since two ids may be two profiles.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec

from cdi_cli.clock import SYSTEM_CLOCK, Clock
from cdi_cli.destinations._base import ErasureRequest, Person
from cdi_cli.destinations.mparticle.settings import MparticleSettings

REQUESTS_URL = "https://opendsr.mparticle.com/v3/requests"
_EXTENSION = "opendsr.mparticle.com"
_NEEDS = (
    "HTTP Basic with key and secret of the workspace (Workspace Settings), not those of the feed; `ccpa` in place of `gdpr` "
    "where that is the law, and the day on which the person asked as `submitted_time`"
)


def erasure_of(settings: MparticleSettings, person: Person, clock: Clock = SYSTEM_CLOCK) -> list[ErasureRequest]:
    """The requests that erase a person; none for a person without ids that this destination is sent.

    They name today as the day of asking. Made again on one day they are the same, ids of requests included.
    """
    submitted_time = f"{clock.now():%Y-%m-%d}T00:00:00Z"
    requests = [
        _request(
            "erase the customer's profile",
            submitted_time,
            {"subject_identities": _identity("controller_customer_id", value)},
        )
        for value in dict.fromkeys(person.user_ids)
    ]
    if settings.anonymous_identity is not None:
        kind = settings.anonymous_identity.replace("_id_", "")  # OpenDSR spells `other_id_2` as `other2`
        requests += [
            _request(
                "erase what was sent under an anonymous id",
                submitted_time,
                {"extensions": {_EXTENSION: {"subject_identities": _identity(kind, value)}}},
            )
            for value in dict.fromkeys(person.anonymous_ids)
        ]
    return requests


def _identity(kind: str, value: str) -> dict[str, Any]:
    return {kind: {"value": value, "encoding": "raw"}}


def _request(title: str, submitted_time: str, subject: dict[str, Any]) -> ErasureRequest:
    body = {
        "regulation": "gdpr",
        "subject_request_id": _request_id(submitted_time, subject),
        "subject_request_type": "erasure",
        "submitted_time": submitted_time,
        **subject,
        "api_version": "3.0",
    }
    return ErasureRequest(title, "POST", REQUESTS_URL, body, _NEEDS)


def _request_id(*parts: Any) -> str:
    """A UUID in the form of version 4, which OpenDSR asks for, made of what the request says."""
    digest = blake2b(msgspec.json.encode(parts), digest_size=16).digest()
    return str(UUID(bytes=digest, version=4))
