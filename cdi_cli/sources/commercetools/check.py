"""`cdi check` for commercetools: credentials, scopes, project, clock; each a line, none an exception."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from cdi_cli.checks import Check
from cdi_cli.errors import CdiError, ScopeError
from cdi_cli.sources._server_clock import clock_check
from cdi_cli.sources.commercetools.client import Ask, Client
from cdi_cli.sources.commercetools.settings import CommercetoolsSettings
from cdi_cli.sources.commercetools.streams import STREAMS


class Messages(msgspec.Struct, frozen=True, rename="camel"):
    """Whether the project keeps messages, and for how many days."""

    enabled: bool = False
    delete_days_after_creation: int | None = None


class Project(msgspec.Struct, frozen=True):
    """What we read of the project's settings."""

    name: str = ""
    languages: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()
    messages: Messages = Messages()


PROJECT = Ask(path="", what="commercetools project", permission="view_project_settings")


async def run_checks(client: Client, settings: CommercetoolsSettings) -> list[Check]:
    """Every check that can be made; without a token only the first."""
    credentials = await _guarded("credentials", lambda: _credentials(client, settings))
    if not all(check.is_ok for check in credentials):
        return credentials
    return [
        *credentials,
        *await _guarded("scopes", lambda: _scopes(client, settings)),
        *await _guarded("project", lambda: _project(client, settings)),
        clock_check(client.tokens.skew_seconds, "the server"),
    ]


async def _guarded(name: str, make: Callable[[], Awaitable[list[Check]]]) -> list[Check]:
    try:
        return await make()
    except CdiError as error:
        place = f" ({error.where})" if error.where else ""
        return [Check(name, is_ok=False, detail=f"{error.message}{place}", hint=error.hint)]


async def _credentials(client: Client, settings: CommercetoolsSettings) -> list[Check]:
    await client.tokens.get()
    return [Check("credentials", is_ok=True, detail=f"API client `{settings.client_id}` is accepted")]


async def _scopes(client: Client, settings: CommercetoolsSettings) -> list[Check]:
    token = await client.tokens.get()
    try:
        seen = await client.tokens.introspect()
        text = seen.scope or token.scope
    except CdiError:  # not every host offers introspection; the token's own answer lists the scopes as well
        text = token.scope
    held = set(text.split())
    checks = [_stream_scope(stream.name, stream.scope, held, settings) for stream in STREAMS]
    checks += [*_lookup_scopes(held, settings), *_price_scope(held, settings)]
    if (broad := settings.full_scope("manage_project")) in held:
        checks.append(
            Check(
                "scopes",
                is_ok=True,
                detail=f"the API client holds `{broad}`, which may change everything",
                hint="use an API client with the `view_...` scopes alone",
            )
        )
    return checks


def _stream_scope(name: str, permission: str, held: set[str], settings: CommercetoolsSettings) -> Check:
    scope = settings.full_scope(permission)
    if _is_held(permission, held, settings):
        return Check(f"scope of {name}", is_ok=True, detail=f"`{scope}` is held")
    if name in ("products", "deletions", "product_deletions"):
        return Check(
            f"scope of {name}", is_ok=True, detail=f"`{scope}` is missing", hint=f"needed only to read the stream `{name}`"
        )
    hint = "without it refunds cannot be seen" if name == "payments" else "give the API client this scope"
    return Check(f"scope of {name}", is_ok=False, detail=f"`{scope}` is missing", hint=hint)


def _price_scope(held: set[str], settings: CommercetoolsSettings) -> list[Check]:
    """Standalone prices are looked up for the stream `products` alone."""
    permission = "view_standalone_prices"
    if not settings.lookups.standalone_prices or _is_held(permission, held, settings):
        return []
    hint = "needed for products whose price mode is `Standalone`; else set `lookups.standalone_prices: false`"
    detail = f"`{settings.full_scope(permission)}` is missing"
    return [Check("scope of look-up standalone_prices", is_ok=True, detail=detail, hint=hint)]


def _lookup_scopes(held: set[str], settings: CommercetoolsSettings) -> list[Check]:
    """The look-ups that are on and not permitted; REF names two scopes for each, of which one is enough."""
    needed = {
        "product_categories": ("view_products",),
        "discount_codes": ("view_discount_codes", "view_orders"),
        "customer_groups": ("view_customer_groups", "view_customers"),
    }
    return [
        Check(
            f"scope of look-up {setting}",
            is_ok=False,
            detail=f"`{settings.full_scope(permissions[0])}` is missing",
            hint=f"give the API client this scope, or set `lookups.{setting}: false`",
        )
        for setting, permissions in needed.items()
        if getattr(settings.lookups, setting) and not any(_is_held(permission, held, settings) for permission in permissions)
    ]


def _is_held(permission: str, held: set[str], settings: CommercetoolsSettings) -> bool:
    """`manage_x` includes `view_x`, `manage_project` everything; a store's scope is enough where only that store is read."""
    manage = permission.replace("view_", "manage_", 1)
    enough = {settings.full_scope(name) for name in (permission, manage, "manage_project")}
    if settings.store_key:
        enough |= {f"{settings.full_scope(name)}:{settings.store_key}" for name in (permission, manage)}
    return not enough.isdisjoint(held)


async def _project(client: Client, settings: CommercetoolsSettings) -> list[Check]:
    try:
        project, _ = await client.get(PROJECT, Project)
    except ScopeError:
        return [
            Check(
                "project",
                is_ok=True,
                detail=f"`{settings.project_key}` answers; its settings may not be read",
                hint="give the API client `view_project_settings` to see languages and currencies here",
            )
        ]
    languages, currencies = ", ".join(project.languages), ", ".join(project.currencies)
    detail = f"`{settings.project_key}` answers: languages {languages or 'none'}; currencies {currencies or 'none'}"
    return [_messages(project.messages), Check("project", is_ok=True, detail=detail)]


def _messages(messages: Messages) -> Check:
    """Whether deleted customers can be told: retention is 1 to 90 days, 15 unless set (sheet, section 3)."""
    if messages.enabled:
        days = messages.delete_days_after_creation
        kept = f"kept for {days} days" if days is not None else "kept"
        return Check(
            "messages",
            is_ok=True,
            detail=f"messages are {kept}: the stream `deletions` tells which customers were deleted",
            hint=f"list `deletions` in a pipeline's `streams` to stop sending about them, and sync within {days or 15} days",
        )
    return Check(
        "messages",
        is_ok=True,
        detail="messages are off: the project does not tell which customers were deleted",
        hint="switch messages on and read the stream `deletions`, or run `cdi erase` for each customer who is deleted",
    )
