"""The catalogue as one HTML page: everything inline, nothing fetched, a policy that forbids the rest.

The page's own Content-Security-Policy allows exactly its own style and script, by their hashes. Without a script it is a
list that opens and closes; with it, search and filters appear. Whatever the plan says is escaped. The page's parts lie in
`catalogue_page/`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template

from cdi_cli.plan.catalogue import PERSONAL, Catalogue, Entry, Row
from cdi_cli.plan.model import holder_of

_PARTS = Path(__file__).parent / "catalogue_page"
_CODE = re.compile(r"`([^`]*)`")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Characters that cannot be seen but change what is, such as one that turns the direction of text around."""

_INDENT_MAX = 3


def to_html(catalogue: Catalogue) -> str:
    """The page; it is valid for any plan, and the same plan always gives the same page."""
    style, script = _part("page.css"), _part("page.js")
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; base-uri 'none'"
    facts = [f"Owner: {_text(catalogue.owner)}"] if catalogue.owner else []
    count = sum(len(entry.rows) for entry in catalogue.entries)
    facts.append(f"{len(catalogue.entries)} events, {count} properties")
    return Template(_part("page.html")).substitute(
        policy=escape(policy, quote=True),
        title=_text(f"{catalogue.name} {catalogue.version}: tracking plan"),
        style=style,
        script=script,
        name=_text(catalogue.name),
        version=_text(catalogue.version),
        description=f"<p>{_prose(catalogue.description)}</p>" if catalogue.description else "",
        facts=" · ".join(facts),
        classes="".join(_option(name) for name in (*PERSONAL, "none")),
        destinations="".join(_option(name) for name in catalogue.destinations),
        links="".join(f'<li><a href="#{entry.anchor}">{_text(entry.name)}</a></li>' for entry in catalogue.entries),
        events="\n".join(_event(entry) for entry in catalogue.entries),
        unplanned=_prose(catalogue.unplanned),
    )


def _part(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    """A source of the policy: the text whose SHA-256 this is, and no other."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _text(text: str) -> str:
    """Text that is shown as it is, wherever it stands in the page."""
    return escape(_UNSEEN.sub("\ufffd", text), quote=True)


def _prose(text: str) -> str:
    """Text in which backticks mark code."""
    pieces = _CODE.split(text)
    return "".join(f"<code>{_text(piece)}</code>" if number % 2 else _text(piece) for number, piece in enumerate(pieces))


def _option(name: str) -> str:
    return f'<option value="{_text(name)}">{_text(name)}</option>'


def _tag(text: str, kind: str = "") -> str:
    return f'<span class="tag{f" {kind}" if kind else ""}">{_text(text)}</span>'


_TYPE_TAGS = {"identify": "profile", "group": "group", "page": "page view", "screen": "screen view", "alias": "alias"}


def _event(entry: Entry) -> str:
    tags = [_tag(_TYPE_TAGS[entry.type])] if entry.type in _TYPE_TAGS else []
    tags += [_tag("deprecated", "warn")] if entry.deprecated else []
    tags += [_tag(name, "pii") for name in entry.personal]
    tags += [] if entry.is_produced else [_tag("not sent by cdi")]
    search = _text(f"{entry.name} {entry.description} {entry.when}".lower())
    goes = _text(" ".join(entry.destinations))
    return "\n".join(
        [
            f'<details class="event" id="{entry.anchor}" data-text="{search}" data-to="{goes}">',
            f"<summary><h2>{_text(entry.name)}</h2> {' '.join(tags)}<p>{_prose(entry.description)}</p></summary>",
            '<div class="body">',
            f'<p class="notice">{_prose(entry.deprecated)}</p>' if entry.deprecated else "",
            _facts(entry),
            _table(entry),
            _example(entry),
            "</div></details>",
        ]
    )


def _facts(entry: Entry) -> str:
    facts = [("Happens when", _prose(entry.when))]
    if entry.on_violation:
        facts.append(("If it breaks the plan", _prose(entry.on_violation)))
    if entry.destinations:
        facts.append(("Goes to", ", ".join(_text(name) for name in entry.destinations)))
    if entry.elsewhere:
        facts.append(("Elsewhere", "; ".join(_prose(text) for text in entry.elsewhere)))
    if entry.since:
        facts.append(("Since", _text(entry.since)))
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{text}</dd>' for name, text in facts)}</dl>"


def _table(entry: Entry) -> str:
    if not entry.rows:
        return "<p>It has no planned properties.</p>"
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Property", "What it is", "Example", "Comes from"))
    caption = f"{len(entry.rows)} properties, {entry.required_count} of them required"
    rows = "\n".join(_row(row) for row in entry.rows)
    return f"<table><caption>{caption}</caption><thead><tr>{heads}</tr></thead><tbody>\n{rows}\n</tbody></table>"


def _row(row: Row) -> str:
    tags = [_tag("required", "need")] if row.is_required else []
    tags += [_tag(row.pii, "pii")] if row.pii in PERSONAL else []
    marks = f'<span class="tags">{" ".join(tags)}</span>' if tags else ""
    around = _text(row.path[: len(row.path) - len(row.name)])
    before = f'<span class="around">{around}</span>' if around else ""
    name = f'<code>{before}<span class="name">{_text(row.name)}</span></code>'
    cells = [
        f'<th scope="row">{name}<span class="type">{_text(row.types)}</span>{marks}</th>',
        f"<td>{''.join(_described(row))}</td>",
        f'<td data-label="Example">{f"<code>{_text(row.example)}</code>" if row.example else ""}</td>',
        f'<td data-label="Comes from" class="origin">{"<br>else ".join(_source(path) for path in row.origin)}</td>',
    ]
    data = {
        "path": row.path,
        "pii": row.pii,
        "required": "yes" if row.is_required else "",
        "text": f"{row.path} {row.description} {row.types} {row.pii}".lower(),
    }
    attributes = " ".join(f'data-{key}="{_text(value)}"' for key, value in data.items())
    classes = " ".join([f"d{min(row.depth, _INDENT_MAX)}", *(["gone"] if row.deprecated else [])])
    return f'<tr class="{classes}" {attributes}>{"".join(cells)}</tr>'


def _source(path: str) -> str:
    return _text(path) if path.startswith("always ") else f"<code>{_text(path)}</code>"


def _described(row: Row) -> Iterable[str]:
    if row.deprecated:
        yield f'<p class="notice">{_prose(row.deprecated)}</p>'
    if row.description:
        yield f"<p>{_prose(row.description)}</p>"
    for text in (*row.rules, *row.elsewhere, *([f"Since {row.since}"] if row.since else [])):
        yield f'<p class="rule">{_prose(text)}</p>'


def _example(entry: Entry) -> str:
    if not entry.example:
        return ""
    noun = holder_of(entry.type)
    return (
        f'<details class="example"><summary>Its {noun} as JSON, for example</summary>'
        f"<pre>{_text(entry.example)}</pre></details>"
    )
