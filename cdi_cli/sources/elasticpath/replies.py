"""What Elastic Path says when it refuses: its errors in both shapes, and nothing of them that could be somebody's data.

    {"errors": [{"status": 400, "title": "Bad Request", "detail": "...", "request_id": "..."}]}      a list, or one object

(sheet "elasticpath", section 4). `status` is a number or text.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cdi_cli.http import Response

CHARACTERS_MAX = 200
BAD_FILTER = "parse the supplied filter"
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,80}")


class Problem(msgspec.Struct, frozen=True):
    """The first error of an answer; empty texts where there is none."""

    title: str = ""
    detail: str = ""
    request_id: str = ""

    @property
    def text(self) -> str:
        """Title and detail, short and on one line."""
        said = ": ".join(part for part in dict.fromkeys((self.title, self.detail)) if part)
        return " ".join(said.split())[:CHARACTERS_MAX].rstrip(".")

    @property
    def is_bad_filter(self) -> bool:
        """Whether the server says that it cannot read the filter."""
        return BAD_FILTER in self.detail.lower() or BAD_FILTER in self.title.lower()


def problem_of(response: Response) -> Problem:
    """What an answer says is wrong; empty where it is not Elastic Path that speaks."""
    try:
        body: Any = msgspec.json.decode(response.body)
    except (ValueError, RecursionError):
        return Problem()
    errors = body.get("errors") if isinstance(body, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else errors
    if not isinstance(first, dict):
        return Problem()
    request_id = first.get("request_id") or first.get("requestId") or ""
    return Problem(
        title=_text(first.get("title")),
        detail=_text(first.get("detail")),
        request_id=request_id if isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id) else "",
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
