"""The preflight: which names of a plan nobody has defined in Insider's panel, so that what carries them would vanish.

Insider answers 200 and leaves out events, parameters and attributes that it does not know (sheet "Insider", section 5). The
names are asked for under the address that `cdi check` uses (`checks.columns_of`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cdi_cli.checks import Check
from cdi_cli.destinations._base import Planned
from cdi_cli.destinations.insider.checks import Column, columns_of
from cdi_cli.destinations.insider.client import InsiderClient
from cdi_cli.destinations.insider.encode import Encoder
from cdi_cli.destinations.insider.lines import LINE_CONSUMED, LINE_PARAMETERS, ORDER_CONSUMED
from cdi_cli.destinations.insider.names import ATTRIBUTES, DEFAULT_EVENTS, LINE_EVENTS, PARAMETERS, snake
from cdi_cli.destinations.insider.profile import GROUP, attribute_place
from cdi_cli.destinations.insider.settings import InsiderSettings

_HINT = (
    "define them in Insider's panel (Components > Attributes and Events), or keep them back with `drop` in the pipeline's "
    "`routing:`"
)
_HINT_ID = (
    "define it in Insider's panel (Components > Attributes and Events), or set `event_id_param: null`: events whose answer "
    "was lost are then harder to tell apart"
)
Names = dict[Planned, str]
"""Insider's name for each event of a plan; empty where it can have none."""


async def preflight(
    client: InsiderClient, encoder: Encoder, settings: InsiderSettings, planned: Sequence[Planned]
) -> list[Check]:
    """What of a plan Insider would drop, one check each; one check that all is well where it would drop nothing.

    Raises what asking the panel raises.
    """
    attributes = await columns_of(client, "contacts", is_check=True)
    events = await columns_of(client, "events", is_check=True)
    names = {
        each: encoder.event_name(each.kind, each.type, each.name)
        for each in planned
        if each.type in ("track", "page", "screen") and not each.kind.startswith("product.")
    }
    found = [
        *_undefined_events(names, events, settings),
        *_undefined_attributes(planned, set(attributes), settings),
        *_nameless(names, planned, settings),
        *_merged(names),
    ]
    return found or [Check("insider panel", True, "knows every event, parameter and attribute that the plan may send")]


def _undefined_events(names: Names, events: Mapping[str, Column], settings: InsiderSettings) -> Iterator[Check]:
    """Events that are not defined, and parameters that events which are do not have, each list of them once."""
    sent: dict[str, dict[str, None]] = {}
    for each, name in names.items():
        if name:
            sent.setdefault(name, {}).update(dict.fromkeys(_custom_params(each, name, settings)))
    lacking: dict[str, list[str]] = {}
    for name, params in sorted(sent.items()):
        column = events.get(name)
        if column is None and name not in DEFAULT_EVENTS:
            needs = f", nor its parameters {_quoted(params)}" if params else ""
            yield Check("insider events", False, f"event `{name}` is not defined{needs}", _HINT)
        elif column is not None and column.params is not None:
            known = {param.key.removeprefix("c_") for param in column.params}
            if missing := [param for param in params if param not in known]:
                lacking.setdefault(_quoted(missing), []).append(name)
    for missing_params, of in lacking.items():
        detail = f"parameters not defined for {_quoted(of)}: {missing_params}"
        is_id = missing_params == f"`{settings.event_id_param}`"
        yield Check("insider parameters", False, detail, _HINT_ID if is_id else _HINT)


def _custom_params(planned: Planned, name: str, settings: InsiderSettings) -> list[str]:
    """The parameters of an event that must be defined, by their names there."""
    params = [place.removeprefix("custom.") for place in param_places(planned, name).values() if place]
    if name in LINE_EVENTS:
        params.append("position")
    if settings.event_id_param is not None:
        params.append(settings.event_id_param)
    return params


def _quoted(names: Iterable[str]) -> str:
    """All of them: whoever defines them needs the whole list."""
    return ", ".join(f"`{name}`" for name in sorted(set(names)))


def _leaves(planned: Planned) -> list[str]:
    """The paths of values, dotted: those of objects and lists that hold others are no values."""
    paths = list(dict.fromkeys(path.replace("[]", "") for path in planned.properties))
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


def _undefined_attributes(planned: Sequence[Planned], known: set[str], settings: InsiderSettings) -> Iterator[Check]:
    plain = {key.removeprefix("c_") for key in known}
    missing: set[str] = set()
    for each in planned:
        if each.type == "group":
            names = [f"{GROUP}_id", *(f"{GROUP}_{snake(path)}" for path in _leaves(each))]
        elif each.type == "identify":
            names = [(attribute_place(path, settings) or "").removeprefix("custom.") for path in _leaves(each)]
        else:
            continue
        missing |= {name for name in names if name and name not in ATTRIBUTES and name not in plain}
    if missing:
        yield Check("insider attributes", False, f"attributes not defined: {_quoted(missing)}", _HINT)


def _nameless(names: Names, planned: Sequence[Planned], settings: InsiderSettings) -> Iterator[Check]:
    """Names of which nothing remains in lower snake case."""
    lost = {f"{each.name}" for each, name in names.items() if not name}
    for each, name in names.items():
        lost |= {f"{each.name}.{path}" for path, place in param_places(each, name).items() if not place}
    for each in planned:
        if each.type == "identify":
            lost |= {f"{each.name}.{path}" for path in _leaves(each) if attribute_place(path, settings) == ""}
    if lost:
        yield Check(
            "insider names",
            False,
            f"cannot be spelt in Insider: {_quoted(lost)}",
            "use Latin letters or digits, or `event_names` and `attributes` of the destination",
        )


def _merged(names: Names) -> Iterator[Check]:
    """Two events of the plan that become the same sale would count it twice."""
    by_name: dict[str, list[str]] = {}
    for each, name in names.items():
        by_name.setdefault(name, []).append(each.name)
    for name, events in by_name.items():
        if name in LINE_EVENTS and len(events) > 1:
            told = " and ".join(f"`{event}`" for event in events)
            yield Check("insider sales", False, f"{told} both become `{name}`", "give one of them a name in `event_names`")
