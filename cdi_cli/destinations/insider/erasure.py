"""What Insider must be asked so that it forgets a person: deletions of the user API (sheet "Insider", section 1).

One person a request, 10,000 a minute; it cannot be undone. A guest who was only ever named by e-mail is not among the ids
that events carry, and must be deleted by that e-mail.
"""

from __future__ import annotations

from cdi_cli.destinations._base import ErasureRequest, Person
from cdi_cli.destinations.insider.settings import InsiderSettings

PATH = "/api/user/v1/delete"
_NEEDS = "the headers `X-PARTNER-NAME` and `X-REQUEST-TOKEN` (the same API key that events are sent with)"


def erasure_of(settings: InsiderSettings, person: Person) -> list[ErasureRequest]:
    """The requests that delete a person's profile, by the first identifier that holds each id; none for ids not sent."""
    policy = settings.identifiers
    by_source: dict[str, dict[str, str]] = {source: {"custom": name} for name, source in reversed(policy.custom.items())}
    if policy.uuid is not None:
        by_source[policy.uuid] = {}
    requests = []
    for source, ids in (("user_id", person.user_ids), ("anonymous_id", person.anonymous_ids)):
        place = by_source.get(source)
        if place is None:
            continue
        for value in dict.fromkeys(ids):
            identifiers = {"custom": {place["custom"]: value}} if place else {"uuid": value}
            requests.append(
                ErasureRequest(
                    "delete the profile with its attributes and events",
                    "POST",
                    f"{settings.endpoint}{PATH}",
                    {"identifiers": identifiers},
                    _NEEDS,
                )
            )
    return requests
