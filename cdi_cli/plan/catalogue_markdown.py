"""The catalogue as Markdown: an overview and one table per event. Whatever the plan says is text, never markup."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cdi_cli.plan.catalogue import Catalogue, Entry, Row

_CODE = re.compile(r"`([^`]*)`")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#!|~&])")


def to_markdown(catalogue: Catalogue) -> str:
    """The catalogue as one Markdown document (GitHub's dialect, for its tables)."""
    parts = [f"# {_text(catalogue.name)} {_text(catalogue.version)}"]
    parts += [_prose(catalogue.description)] if catalogue.description else []
    owner = f"Owner: {_text(catalogue.owner)}. " if catalogue.owner else ""
    parts.append(f"{owner}{_prose(catalogue.unplanned)}.")
    parts.append("\n".join(_overview(catalogue.entries)))
    for entry in catalogue.entries:
        parts += _event(entry)
    return "\n\n".join(parts) + "\n"


def _overview(entries: Iterable[Entry]) -> Iterable[str]:
    yield "| Event | Happens when | Properties | Personal data |"
    yield "|---|---|---|---|"
    for entry in entries:
        personal = ", ".join(entry.personal) or "none"
        count = f"{len(entry.rows)}, {entry.required_count} required" if entry.rows else "any"
        yield f"| [{_prose(entry.name)}](#{_anchor(entry.name)}) | {_prose(entry.when)} | {count} | {personal} |"


def _event(entry: Entry) -> list[str]:
    parts = [f"## {_text(entry.name)}"]
    parts += [f"**{_prose(entry.deprecated)}**"] if entry.deprecated else []
    parts += [_prose(entry.description)] if entry.description else []
    facts = [f"Happens when: {_prose(entry.when)}"]
    facts += [f"If it breaks the plan: {_prose(entry.on_violation)}"] if entry.on_violation else []
    facts += [f"Goes to: {', '.join(_prose(f'`{name}`') for name in entry.destinations)}"] if entry.destinations else []
    facts += [_prose(text) for text in entry.elsewhere]
    facts += [f"Since: {_text(entry.since)}"] if entry.since else []
    parts.append("\n".join(f"- {fact}" for fact in facts))
    if entry.rows:
        head = [
            "| Property | Type | Required | What it is | PII | Example | Comes from |",
            "|---|---|---|---|---|---|---|",
        ]
        parts.append("\n".join([*head, *(_row(row) for row in entry.rows)]))
    return parts


def _row(row: Row) -> str:
    described = [part for part in (row.deprecated, row.description, *row.rules, *row.elsewhere) if part]
    described += [f"Since {row.since}"] if row.since else []
    cells = [
        _code(row.path),
        _prose(row.types),
        "yes" if row.is_required else "",
        "<br>".join(_prose(part) for part in described),
        _prose(row.pii),
        _code(row.example) if row.example else "",
        ", else ".join(_code(path) for path in row.origin),
    ]
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Text on one line that no Markdown reader takes for markup."""
    return _SPECIAL.sub(r"\\\1", _flat(text))


def _flat(text: str) -> str:
    """Text without line ends; spaces at its ends stay, as code may follow."""
    return re.sub(r"\s+", " ", text)


def _prose(text: str) -> str:
    """Text in which backticks mark code, as descriptions have it."""
    pieces = _CODE.split(text.strip())
    return "".join(_code(piece) if number % 2 else _text(piece) for number, piece in enumerate(pieces))


def _code(text: str) -> str:
    """Text as code, in more backticks than it holds itself; a bar must be escaped even there, or a table cell ends."""
    flat = _flat(text).strip()
    fence = "`" * (max((len(run) for run in re.findall(r"`+", flat)), default=0) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    escaped = flat.replace("|", "\\|")
    return f"{fence}{pad}{escaped}{pad}{fence}"


def _anchor(name: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-")
