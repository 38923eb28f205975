"""What Segment must be asked so that it forgets a person: regulations of its Public API.

`SUPPRESS_WITH_DELETE` deletes what Segment and its connected destinations hold of a user, and drops what still arrives for
that user (with 200, as Segment does). It is made per workspace and user id, at most 5,000 ids a call; an anonymous id can
only be named to one source (docs.segmentapis.com, "Deletion and Suppression"; segment.com/docs, "User deletion and
suppression").
The Public API takes a token of its own kind: a write key opens nothing there.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdi_cli.destinations._base import ErasureRequest, Person
from cdi_cli.destinations.segment.settings import SegmentSettings

PUBLIC_API = {"us": "https://api.segmentapis.com", "eu": "https://eu1.api.segmentapis.com"}
"""Public API by region (docs.segmentapis.com, "Getting started")."""
SUBJECTS_MAX = 5_000
_CREDENTIAL = (
    "a Public API token of the workspace as `Authorization: Bearer ...` (made by a workspace owner under Settings, Access "
    "Management, Tokens)"
)
_SOURCE = "the id of the Segment source in place of `SOURCE_ID` (its Settings, API Keys), and "


def erasure_of(settings: SegmentSettings, person: Person) -> list[ErasureRequest]:
    """The requests that make Segment delete and suppress a person; none for a person without ids."""
    # An address of one's own says nothing of the region: Segment's first is named, and that it may be the other.
    base = PUBLIC_API[settings.region or "us"]
    needs = _CREDENTIAL if settings.region else f"{_CREDENTIAL}; of a workspace in the EU, the address {PUBLIC_API['eu']}"
    requests = [
        _request("delete and suppress the user in the workspace", f"{base}/regulations", "USER_ID", ids, needs)
        for ids in _groups(person.user_ids)
    ]
    requests += [
        _request(
            "delete and suppress what was sent under an anonymous id",
            f"{base}/regulations/sources/SOURCE_ID",
            "ANONYMOUS_ID",
            ids,
            _SOURCE + needs,
        )
        for ids in _groups(person.anonymous_ids)
    ]
    return requests


def _request(title: str, url: str, subject_type: str, ids: Sequence[str], needs: str) -> ErasureRequest:
    body = {"regulationType": "SUPPRESS_WITH_DELETE", "subjectType": subject_type, "subjectIds": list(ids)}
    return ErasureRequest(title, "POST", url, body, needs)


def _groups(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + SUBJECTS_MAX] for start in range(0, len(ids), SUBJECTS_MAX)]
