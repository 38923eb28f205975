"""The errors that an answer of the shop stands for (sheet "magento", section 4); the client itself looks into a 401."""

from __future__ import annotations

from cdi_cli.errors import CdiError, RefusedError, StoppedError, TooLargeError, TransientError
from cdi_cli.http import Response
from cdi_cli.sources.magento.replies import NO_ROUTE, is_html, is_maintenance, problem_of

SLOW = frozenset({408, 502, 504})
"""Statuses of a page that is too heavy."""


class SlowAnswerError(StoppedError):
    """The shop takes too long for this request: ask for less at once."""


class PageSizeError(TooLargeError):
    """The shop allows fewer rows a page: `rows_max`."""

    def __init__(self, message: str, rows_max: int) -> None:
        super().__init__(message, status=400, code="page_size", hint=f"set `page_size: {rows_max}`")
        self.rows_max = rows_max


class NoRouteError(RefusedError):
    """The shop has no such resource: the module that offers it is not installed, or the address is wrong."""


class ServerFaultError(RefusedError):
    """The shop failed on this request every time; `report_id` names the entry in its logs, empty where it tells none."""

    def __init__(self, message: str, *, report_id: str, hint: str) -> None:
        super().__init__(message, status=500, code=report_id, hint=hint)
        self.report_id = report_id


def in_maintenance() -> str:
    """What is said of a shop that is down on purpose."""
    return "the shop is in maintenance mode"


def refused(what: str, response: Response, *, is_divisible: bool) -> CdiError:
    """The error for an answer that is neither good nor a 401."""
    status, problem = response.status, problem_of(response)
    if is_maintenance(response):
        return TransientError(f"{what}: {in_maintenance()}", hint="run again when the shop is back")
    if status in SLOW:
        kind = SlowAnswerError if is_divisible else TransientError
        return kind(f"{what}: the shop took too long", hint="run again later, or with a smaller `page_size`")
    if status == 500:
        report = problem.report_id
        return ServerFaultError(
            f"{what}: the shop fails every time{f' (Report ID {report})' if report else ''}",
            report_id=report,
            hint="look for the Report ID in the shop's `var/log`" if report else "look into the shop's `var/log`",
        )
    if status == 413:
        return TooLargeError(f"{what}: the answer is too large", status=status, hint="set a smaller `page_size`")
    if (rows_max := problem.page_size_max) is not None:
        return PageSizeError(f"{what}: the shop allows {rows_max} records a page", rows_max)
    if status == 404 and problem.message.startswith(NO_ROUTE):
        return NoRouteError(
            f"{what}: the shop does not offer it",
            status=status,
            code="no_route",
            hint="check `base_url`; if other streams can be read, the shop lacks this one's module: leave the stream out",
        )
    if is_html(response):
        return RefusedError(
            f"{what}: something in front of the shop answered {status} with a page for people",
            status=status,
            code="html",
            hint="have this machine's address allowed by the firewall or CDN of the shop"
            if status == 403
            else "check `base_url`",
        )
    text = problem.text.rstrip(".")
    return RefusedError(
        f"{what}: the shop answered {status}{f': {text}' if text else ''}",
        status=status,
        hint="check `base_url` and `store_views`" if status in (400, 404) else None,
    )
