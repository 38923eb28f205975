"""What can be known of an Insider account before anything is sent: credentials, and the names that its panel defines.

The address that lists attributes, events and parameters is not documented; Insider's own n8n node tests its credentials with
it (sheet "Insider", section 1). `[{"key", "display_name", "type", "params": [{"key"}]}]`, custom keys beginning with `c_`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from cdi_cli.checks import Check
from cdi_cli.destinations._base import Planned
from cdi_cli.destinations.insider.catalog import INGEST
from cdi_cli.destinations.insider.client import InsiderClient
from cdi_cli.destinations.insider.encode import Encoder
from cdi_cli.destinations.insider.lines import LINE_CONSUMED, LINE_PARAMETERS, ORDER_CONSUMED
from cdi_cli.destinations.insider.names import ATTRIBUTES, DEFAULT_EVENTS, LINE_EVENTS, PARAMETERS, snake
from cdi_cli.destinations.insider.profile import GROUP, attribute_place
from cdi_cli.destinations.insider.settings import InsiderSettings
from cdi_cli.errors import CdiError, RefusedError

_PATH = "/api/user/v3/metadata/columns"
_HINT = "define it in Insider's panel (Components > Attributes and Events), or what carries it vanishes without an error"
_SHOWN_MAX = 12


class _Key(msgspec.Struct):
    key: str


class _Column(msgspec.Struct):
    key: str
    params: list[_Key] | None = None


async def check_account(client: InsiderClient, settings: InsiderSettings, *, is_backfill: bool) -> list[Check]:
    """The checks of `cdi check`; never raises."""
    try:
        attributes = await _columns(client, "contacts", is_check=True)
        events = await _columns(client, "events", is_check=True)
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


async def _columns(client: InsiderClient, table: str, *, is_check: bool = False) -> dict[str, _Column]:
    response = await client.read(_PATH, {"table": table}, f"Insider metadata of {table}", is_check=is_check)
    if response.status == 404:
        raise RefusedError("Insider metadata: no such address", status=404, hint="check `endpoint`")
    return {column.key: column for column in response.json(type=list[_Column])}


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


async def preflight(
    client: InsiderClient, encoder: Encoder, settings: InsiderSettings, planned: Sequence[Planned]
) -> list[Check]:
    """What of a plan is not defined in the panel, one check per kind of name; never raises."""
    try:
        attributes = await _columns(client, "contacts")
        events = await _columns(client, "events")
    except CdiError as error:
        return [Check("insider preflight", False, error.message, error.hint)]
    names = {
        each: encoder.event_name(each.kind, each.type, each.name)
        for each in planned
        if each.type in ("track", "page", "screen") and not each.kind.startswith("product.")
    }
    missing = {name for name in names.values() if name and name not in events and name not in DEFAULT_EVENTS}
    return [
        _undefined("events", missing),
        _undefined("parameters", _undefined_params(names, events, settings)),
        _undefined("attributes", _undefined_attributes(planned, set(attributes), settings)),
        _nameless(names, planned, settings),
        _merged(names),
    ]


def _undefined(what: str, names: Iterable[str]) -> Check:
    missing = sorted(set(names))
    if not missing:
        return Check(f"insider {what}", True, "all that the plan sends are defined")
    shown = ", ".join(f"`{name}`" for name in missing[:_SHOWN_MAX])
    more = f" and {len(missing) - _SHOWN_MAX} more" if len(missing) > _SHOWN_MAX else ""
    return Check(f"insider {what}", False, f"not defined: {shown}{more}", _HINT)


def _undefined_params(names: dict[Planned, str], events: dict[str, _Column], settings: InsiderSettings) -> Iterable[str]:
    for each, name in names.items():
        column = events.get(name)
        if column is None or column.params is None:
            continue
        known = {param.key.removeprefix("c_") for param in column.params}
        sent = [place.removeprefix("custom.") for place in param_places(each, name).values() if place]
        if name in LINE_EVENTS:
            sent.append("position")
        if settings.event_id_param is not None:
            sent.append(settings.event_id_param)
        yield from (f"{name}.{param}" for param in sent if param not in known)


def _leaves(planned: Planned) -> list[str]:
    """The paths of values, dotted: those of objects and lists that hold others are no values."""
    paths = [path.replace("[]", "") for path in planned.properties]
    return [path for path in paths if not any(other.startswith(f"{path}.") for other in paths)]


def param_places(planned: Planned, event_name: str) -> dict[str, str]:
    """Where the properties of a planned event go that become custom parameters: `custom.<name>`, or nowhere (empty)."""
    is_line_event = event_name in LINE_EVENTS
    places: dict[str, str] = {}
    for path in _leaves(planned):
        is_of_line = path.startswith("products.")
        own = path.removeprefix("products.")
        if path == "products" or (is_of_line and not is_line_event):
            places["products"] = "" if is_line_event else "custom.product_ids"
            continue
        consumed = (LINE_CONSUMED if is_of_line else ORDER_CONSUMED) if is_line_event else frozenset()
        is_default = (is_of_line or not is_line_event) and LINE_PARAMETERS.get(own, own) in PARAMETERS
        if own not in consumed and not is_default:
            places[path] = f"custom.{snake(own)}" if snake(own) else ""
    if is_line_event:
        places.pop("products", None)
    return places


def _undefined_attributes(planned: Sequence[Planned], known: set[str], settings: InsiderSettings) -> Iterable[str]:
    plain = {key.removeprefix("c_") for key in known}
    for each in planned:
        if each.type == "group":
            names = [f"{GROUP}_id", *(f"{GROUP}_{snake(path)}" for path in _leaves(each))]
        elif each.type == "identify":
            names = [(attribute_place(path, settings) or "").removeprefix("custom.") for path in _leaves(each)]
        else:
            continue
        yield from (name for name in names if name and name not in ATTRIBUTES and name not in plain)


def _nameless(names: dict[Planned, str], planned: Sequence[Planned], settings: InsiderSettings) -> Check:
    """Names of which nothing remains in lower snake case."""
    lost = {f"{each.name}" for each, name in names.items() if not name}
    for each, name in names.items():
        lost |= {f"{each.name}.{path}" for path, place in param_places(each, name).items() if not place}
    for each in planned:
        if each.type == "identify":
            lost |= {f"{each.name}.{path}" for path in _leaves(each) if attribute_place(path, settings) == ""}
    if not lost:
        return Check("insider names", True, "all names of the plan can be spelt in Insider")
    shown = ", ".join(f"`{name}`" for name in sorted(lost)[:_SHOWN_MAX])
    return Check(
        "insider names", False, f"cannot be spelt in Insider, and are left out: {shown}", "use Latin letters or digits"
    )


def _merged(names: dict[Planned, str]) -> Check:
    """Two events of the plan that become the same sale would count it twice."""
    by_name: dict[str, list[str]] = {}
    for each, name in names.items():
        by_name.setdefault(name, []).append(each.name)
    for name, events in by_name.items():
        if name in LINE_EVENTS and len(events) > 1:
            told = " and ".join(f"`{event}`" for event in events)
            return Check("insider sales", False, f"{told} both become `{name}`", "give one of them a name in `event_names`")
    return Check("insider sales", True, "no two events of the plan become the same one")
