"""What mParticle's answers mean (sheet "mParticle", section 4).

| answer | what it means here |
|---|---|
| 202 | all batches accepted: received, that is; see the package docstring |
| 408, 429, 5xx but 501 and 505, network, any other 2xx | repeated, with the same ids |
| 401, 403 | AuthError: no credentials, wrong ones, or the wrong pod |
| 413 | TooLargeError, so the batch is halved |
| 400, 3xx and every other status | RefusedError; a 400 is about what the batch holds, so it is halved |
"""

from __future__ import annotations

import re

import msgspec

from cdi_cli.errors import AuthError, ProtocolError, RefusedError, TooLargeError
from cdi_cli.http import Response, RetryPolicy

ACCEPTED_STATUS = 202
RETRY = RetryPolicy(attempts=10, statuses=frozenset({408, 429, *range(500, 600)} - {501, 505}))
USED_HEADER = "x-mp-rate-limit-percentage-used"
EXCEEDED_HEADER = "x-mp-rate-limit-exceeded"
ACCELERATION = "acceleration"

_EASED = ((95, 0.7), (80, 0.9))
"""From how many percent of the limit on the pace is lowered, and by which factor; the sheet says to ease off above 80."""
_CODE = re.compile(r"[A-Z][A-Z_]{0,39}")
_KNOWN_WORDS = re.compile(r'Required event field "[a-z_]{1,40}" is missing or empty\.?')


class _Problem(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Problems(msgspec.Struct):
    errors: list[_Problem] = []


def check_accepted(response: Response) -> None:
    """Refuse a 2xx answer that is not mParticle's 202 (a proxy's page), so that the batch is sent again."""
    if 200 <= response.status < 300 and response.status != ACCEPTED_STATUS:
        raise ProtocolError(
            f"{response.what}: answered {response.status}, where mParticle answers 202",
            hint="check that `endpoint` is mParticle's Events API and that no proxy answers in its place",
        )


def judge(response: Response) -> None:
    """Raise what a final answer other than 202 means."""
    status, what = response.status, response.what
    if status == ACCEPTED_STATUS:
        return
    if status in (401, 403):
        raise AuthError(
            f"{what}: the credentials were refused ({status})",
            hint="check `key` and `secret`, and that `pod` is the account's: another pod does not know the key",
        )
    if status == 413:
        raise TooLargeError(f"{what}: mParticle found it too large (413)", status=413, code="too_large")
    code, words = _problem(response)
    raise RefusedError(
        f"{what}: mParticle answered {status}{f': {words}' if words else ''}",
        status=status,
        code=code.lower(),
        hint="check `pod` or `endpoint`" if status in (404, 405, 501, 505) else None,
    )


def _problem(response: Response) -> tuple[str, str]:
    """mParticle's code, and its own words if they are known ones: any other text may quote personal data."""
    try:
        problems: list[_Problem] = response.json(type=_Problems).errors
    except ProtocolError:
        return "", ""
    if not problems:
        return "", ""
    first = problems[0]
    code = first.code if _CODE.fullmatch(first.code) else ""
    return code, first.message if _KNOWN_WORDS.fullmatch(first.message) else code


def pace_after(response: Response) -> float | None:
    """The factor by which to lower the pace after an accepted request, by how much of the limit is used; None: go on."""
    used = response.headers.get(USED_HEADER, "").strip()
    if not used.isascii() or not used.isdecimal() or len(used) > 6:
        return None
    return next((factor for percent, factor in _EASED if int(used) >= percent), None)
