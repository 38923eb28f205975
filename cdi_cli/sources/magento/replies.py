"""What Magento's answers say: its error envelope, missing permissions, maintenance, pages that are none.

    {"message": "... %1 / %field ...", "parameters": ["a"] | {"field": "a"}, "errors": [...], "trace": "..."}

Sheet "magento", section 4. Texts of the server are shortened and freed from line breaks before they are shown; a `trace`,
which development mode adds, is never shown.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cdi_cli.http import Response

CHARACTERS_MAX = 200
_REPORT = re.compile(r"Report ID:?\s*([A-Za-z0-9_-]{1,80})")
_RESOURCE = re.compile(r"[A-Z][A-Za-z0-9]*_[A-Za-z0-9]+::[A-Za-z0-9_]+")
_LABELS = re.compile(r"%([A-Za-z0-9_]+)")

NO_ROUTE = "Request does not match any route."
NONCE_USED = "The nonce is already being used"
PAGE_SIZE_MAX = "Maximum SearchCriteria pageSize is"


class Problem(msgspec.Struct, frozen=True):
    """The error envelope; `parameters` are a list or an object."""

    message: str = ""
    parameters: Any = None

    @property
    def text(self) -> str:
        """The message with its parameters in place, short and on one line."""
        return " ".join(_LABELS.sub(self._value, self.message).split())[:CHARACTERS_MAX]

    @property
    def resources(self) -> tuple[str, ...]:
        """The ACL resources that a 401 names."""
        named = self.parameters.get("resources") if isinstance(self.parameters, dict) else None
        texts = named if isinstance(named, list) else [named]
        if isinstance(self.parameters, list):
            texts = [*texts, *self.parameters]
        return tuple(
            dict.fromkeys(found for text in texts if isinstance(text, str) for found in _RESOURCE.findall(text[:1000]))
        )

    @property
    def report_id(self) -> str:
        """The id under which the shop's logs hold the cause of a 500; empty if none is told."""
        found = _REPORT.search(self.message)
        return found.group(1) if found else ""

    @property
    def page_size_max(self) -> int | None:
        """The page size that the server allows, where it refuses a larger one."""
        if not self.message.startswith(PAGE_SIZE_MAX):
            return None
        digits = re.search(r"\d{1,6}", self.text)
        return int(digits.group()) if digits and int(digits.group()) else None

    def _value(self, label: re.Match[str]) -> str:
        name = label.group(1)
        found: Any = None
        if isinstance(self.parameters, dict):
            found = self.parameters.get(name)
        elif isinstance(self.parameters, list) and name.isdigit() and 0 < int(name) <= len(self.parameters):
            found = self.parameters[int(name) - 1]
        return str(found) if isinstance(found, str | int | float) else label.group()


def problem_of(response: Response) -> Problem:
    """What an answer says is wrong; empty where it is not Magento that speaks."""
    try:
        return msgspec.json.decode(response.body, type=Problem)
    except (ValueError, RecursionError):
        return Problem()


def is_html(response: Response) -> bool:
    """Whether a page for people came in place of the API's answer."""
    return "html" in response.headers.get("content-type", "").lower() or response.body.lstrip()[:1] == b"<"


def is_maintenance(response: Response) -> bool:
    """Maintenance mode: a 503 that tells no time, as HTML; it lasts minutes (sheet section 4)."""
    return response.status == 503 and not response.headers.get("retry-after")
