"""What `cdi check` can tell of an Insider account: credentials, catalogue, journeys; and the names that its panel defines.

The address that lists attributes, events and parameters is not documented; Insider's own n8n node tests its credentials with
it (sheet "Insider", section 1). `[{"key", "display_name", "type", "params": [{"key"}]}]`, custom keys beginning with `c_`.
"""

from __future__ import annotations

import msgspec

from cdi_cli.checks import Check
from cdi_cli.destinations.insider.catalog import INGEST
from cdi_cli.destinations.insider.client import InsiderClient
from cdi_cli.destinations.insider.settings import InsiderSettings
from cdi_cli.errors import CdiError, RefusedError

_PATH = "/api/user/v3/metadata/columns"


class Key(msgspec.Struct):
    """A parameter by its name, which begins with `c_` where it is the account's own."""

    key: str


class Column(msgspec.Struct):
    """An attribute, or an event with its parameters."""

    key: str
    params: list[Key] | None = None


async def check_account(client: InsiderClient, settings: InsiderSettings, *, is_backfill: bool) -> list[Check]:
    """The checks of `cdi check`; never raises."""
    try:
        attributes = await columns_of(client, "contacts", is_check=True)
        events = await columns_of(client, "events", is_check=True)
    except CdiError as error:
        found = [Check("insider account", False, error.message, error.hint)]
    else:
        known = f"{len(attributes)} attributes and {len(events)} events are defined"
        found = [Check("insider account", True, f"`{settings.partner_name}` at `{settings.endpoint}`: {known}")]
    found.append(await _catalog(client, settings))
    found.append(_hooks(settings, is_backfill=is_backfill))
    if any("gdpr_optin" in optins for optins in settings.consent.values()):
        category = next(name for name, optins in settings.consent.items() if "gdpr_optin" in optins)
        found.append(
            Check(
                "insider opt-ins",
                True,
                f"who has denied `{category}` in so many words is no longer processed at all (`gdpr_optin: false`)",
                "that category must be an objection to all processing, not one to marketing",
            )
        )
    return found


async def columns_of(client: InsiderClient, table: str, *, is_check: bool = False) -> dict[str, Column]:
    """What the panel defines, by name: attributes (`contacts`) or events (`events`). Raises what asking raises."""
    response = await client.read(_PATH, {"table": table}, f"Insider metadata of {table}", is_check=is_check)
    if response.status == 404:
        raise RefusedError("Insider metadata: no such address", status=404, hint="check `endpoint`")
    return {column.key: column for column in response.json(type=list[Column])}


async def _catalog(client: InsiderClient, settings: InsiderSettings) -> Check:
    name = "insider catalogue"
    if not settings.has_catalog:
        lacking = "catalog_token" if settings.catalog_token is None else "locales"
        return Check(name, True, f"off: no `{lacking}`; products are counted as filtered")
    try:
        await client.catalog(INGEST, b"[]", is_check=True)
    except RefusedError as error:
        if error.status != 400:
            return Check(name, False, error.message, error.hint)
    except CdiError as error:
        return Check(name, False, error.message, error.hint)
    locales = ", ".join(f"`{locale}`" for locale in settings.locales)
    return Check(
        name,
        True,
        f"took a request without products; locales, not confirmed: {locales}",
        "they must be spelt as in the account's catalogue settings, else products are not ingested",
    )


def _hooks(settings: InsiderSettings, *, is_backfill: bool) -> Check:
    name = "insider journeys"
    if is_backfill or settings.skip_hook:
        return Check(name, True, f"{'a backfill starts' if is_backfill else 'events start'} none (`skip_hook`)")
    return Check(name, True, "events of a sync start journeys and feed streams", "`skip_hook: true` turns that off")
