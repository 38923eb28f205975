"""What Insider's answers mean (sheet "Insider", section 4).

| answer to an upsert | what it means here |
|---|---|
| 200 with counts | each user accepted or rejected; `Unknown` for those that the counts do not account for |
| 429, 500, 503, 520, 521, 523, a 403 that speaks of a limit, no connection | repeated: Insider says that it did nothing |
| 408, 502, 504, 522, 524, any other 5xx or 2xx, no answer, an unreadable one | `Unknown`, never repeated |
| 400 about the partner, 401, 403 | AuthError |
| 400 about the size, 413 | TooLargeError |
| 3xx and every other status | RefusedError; a 400 is about what the request holds, so it is halved |

The catalogue takes a repeat without harm, so there every transient answer is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from cdi_cli.destinations._base import ACCEPTED, Outcome, Rejected, Unknown
from cdi_cli.errors import AuthError, ProtocolError, RefusedError, TooLargeError
from cdi_cli.http import TRANSIENT_STATUSES, Response, RetryPolicy

HARMLESS_STATUSES = frozenset({403, 429, 500, 503, 520, 521, 523})
"""Answers after which an upsert may be sent again (a 403 only if it is a throttle)."""
_THROTTLED = re.compile(rb"limit|too many", re.IGNORECASE)
_USER = re.compile(r"users\.(\d{1,5})\.(.*)", re.DOTALL)
_PLACE = re.compile(r"[a-z_]+(?:\.(?:\d+|\*|[a-z_]+))*")
_REQUIRED = re.compile(r"[a-z_]{1,40} parameter is required on [a-z_]{1,60} event")
_PLAIN_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9 ,.:_`'-]{0,119}")
_MERE_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9 ,._-]{0,119}")
_MANY_DIGITS = re.compile(r"\d{5}")
_LEVEL_MAX = 80


def is_final(response: Response) -> bool:
    """Whether a status that may be repeated comes again: a 403 that is no throttle."""
    return response.status == 403 and not _THROTTLED.search(response.body)


UPSERT_RETRY = RetryPolicy(attempts=10, statuses=HARMLESS_STATUSES, is_final=is_final, is_repeatable=False)
RETRY = RetryPolicy(attempts=10, statuses=TRANSIENT_STATUSES | {403}, is_final=is_final)
"""For what can be repeated without harm: the catalogue, reading."""


class _Part(msgspec.Struct):
    count: int = 0
    errors: dict[str, list[str] | str] = {}


class _Data(msgspec.Struct):
    successful: _Part
    fail: _Part


class _Upserted(msgspec.Struct):
    data: _Data


class _Detail(msgspec.Struct):
    field: str = ""
    message: str = ""
    document_ids: list[str] = []


class _Found(msgspec.Struct):
    count: int = 0
    details: list[_Detail] = []


class _Message(msgspec.Struct):
    valid: _Found
    invalid: _Found = msgspec.field(default_factory=_Found)


class _Ingested(msgspec.Struct):
    success: bool
    message: _Message


class _Refused(msgspec.Struct):
    error: str = ""
    message: str = ""


def upserted(response: Response, count: int) -> list[Outcome]:
    """The outcome of each of `count` users; raises ProtocolError for an answer that says nothing about them."""
    data = response.json(type=_Upserted).data
    rejected: dict[int, Rejected] = {}
    for key, texts in data.fail.errors.items():
        found = _USER.fullmatch(key)
        if found is not None and (number := int(found[1])) < count:
            rejected.setdefault(number, _rejection(found[2], texts))
    rest: Outcome = ACCEPTED
    if (data.successful.count, data.fail.count) != (count - len(rejected), len(rejected)):
        rest = Unknown(
            f"Insider counted {data.successful.count} good and {data.fail.count} bad of {count} users, "
            f"and named {len(rejected)} bad ones"
        )
    return [rejected.get(number, rest) for number in range(count)]


def _rejection(place: str, texts: list[str] | str) -> Rejected:
    """Insider's reason without its values: the place of the mistake, and which parameter it misses."""
    path = place.partition("(")[0]
    where = path[:_LEVEL_MAX] if _PLACE.fullmatch(path) else "the user"
    part = next((name for name in ("identifiers", "attributes", "event_name", "events") if name in where), "user")
    words = [text for text in ([texts] if isinstance(texts, str) else texts) if _REQUIRED.fullmatch(text)]
    return Rejected(f"insider_invalid_{part}", f"Insider refuses `{where}`{': ' + '; '.join(words[:3]) if words else ''}")


def ingested(response: Response, item_ids: Sequence[str]) -> list[Rejected | None]:
    """What is wrong with each record of a catalogue request of one locale; None where nothing is.

    Raises RefusedError (422) when more are invalid than are named, so that the request is halved, and ProtocolError for an
    answer that says nothing about the records.
    """
    answer = response.json(type=_Ingested)
    wrong: dict[str, Rejected] = {}
    for detail in answer.message.invalid.details:
        field = detail.field if _PLAIN_WORDS.fullmatch(detail.field) else "a field"
        for item_id in detail.document_ids:
            wrong.setdefault(item_id, Rejected("insider_invalid_product", f"Insider refuses the product's `{field}`"))
    found = [wrong.get(item_id) for item_id in item_ids]
    named = sum(each is not None for each in found)
    if answer.message.valid.count != len(item_ids) - named:
        if len(item_ids) == 1 and answer.message.invalid.count:
            return [Rejected("insider_invalid_product", "Insider refuses the product and does not say why")]
        raise RefusedError(
            f"{response.what}: Insider found {answer.message.valid.count} of {len(item_ids)} products valid and named "
            f"{named} that are not",
            status=422,
            code="unnamed_products",
        )
    return found


def raise_refusal(response: Response, *, token: str) -> None:
    """Raise what a status other than 200 means where nothing was done; `token`: the setting that the token stands in."""
    status, what = response.status, response.what
    words = _words(response)
    if status == 401 or (status == 400 and "partner" in words.lower()):
        raise AuthError(
            f"{what}: the credentials were refused ({status}{f': {words}' if words else ''})",
            hint=f"check `{token}` and `partner_name`, which must be in lower case",
        )
    if status == 403:
        raise AuthError(
            f"{what}: Insider refused access (403{f': {words}' if words else ''})",
            hint=f"check the rights and the allowed addresses of `{token}`; Insider also says this to a sender that is too "
            "fast: then run the same command again later",
        )
    if status == 413 or (status == 400 and ("bigger than" in words or "Maximum allowed" in words)):
        raise TooLargeError(f"{what}: Insider found it too large ({status})", status=status, code="too_large")
    raise RefusedError(
        f"{what}: Insider answered {status}{f': {words}' if words else ''}",
        status=status,
        code=re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:60],
        hint="check `endpoint` and `catalog_endpoint`" if status in (404, 405) else None,
    )


def may_have_arrived(response: Response) -> bool:
    """Whether an answer leaves open what became of an upsert."""
    status = response.status
    return status == 408 or status >= 500 or (200 < status < 300)


def _words(response: Response) -> str:
    """Insider's own words, if they are nothing but words: a text that quotes the request may hold personal data.

    What stands behind a colon is left out: there Insider quotes what it was sent.
    """
    try:
        answer: Any = response.json(type=_Refused)
    except ProtocolError:
        return ""
    text = str(answer.error or answer.message).partition(":")[0].rstrip(".")
    return text if _MERE_WORDS.fullmatch(text) and not _MANY_DIGITS.search(text) else ""
