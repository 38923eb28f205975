"""The catalogue: what it says, and that neither page nor Markdown takes anything of a plan for markup."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from plan_tools import write_plan

from cdi_cli.plan import Plan, load_plan
from cdi_cli.plan.catalogue import Catalogue, catalogue_of
from cdi_cli.plan.catalogue_examples import NO_EXAMPLE, example_of
from cdi_cli.plan.catalogue_html import to_html
from cdi_cli.plan.catalogue_markdown import to_markdown
from cdi_cli.plan.check import compile_schema
from cdi_cli.plan.schema import event_schema

BYTES_MAX = 200_000
VOID = {"meta", "link", "input", "br", "img"}
EVIL = """
name: "<script>alert(1)</script> & \\"co\\""
version: "3.1.0"
owner: "<img src=x onerror=alert(1)>"
description: "$title ${policy} </style> `</code><b>`"
unplanned_properties: strip
"""
EVENT = """
event: "</summary><svg onload=alert(1)> \\" ' | x"
trigger: none
since: 2.0.0
deprecated: {since: 3.0.0, reason: "see <a href=javascript:alert(1)>", replacement: Order Completed}
description: "[link](javascript:alert(1)) \\u202e hidden"
properties:
  '"><script>':
    {type: string, required: true, pii: contact, description: "a | b\\n# head", examples: ["<i>"], enum: ["<i>", "`|`"]}
  old: {type: [string, "null"], pii: none, since: 2.1.0, deprecated: {since: 3.1.0, replacement: '"><script>'}}
  tags: {type: array, maxItems: 3, items: {type: string, maxLength: 5}}
"""
ORDER = """
event: Order Completed
trigger: order.completed
properties:
  order_id: {type: string, required: true, from: [order.number, order.id], pii: identifier}
  kind: {type: string, value: web}
  products: {type: array, from: order.lines, items: {type: object, properties: {sku: {type: string, from: item.sku}}}}
destinations:
  segment: {rename: Purchase, properties: {exclude: [kind], rename: {order_id: id}}}
  insider: false
"""


class Reader(HTMLParser):
    """Reads a page strictly: every element closed in order, every attribute and text kept."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """An element ends: it must be the last that began."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text, kept under the element that it stands in."""
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


@pytest.fixture(scope="module")
def default_plan() -> Plan:
    """The plan that ships with cdi."""
    return load_plan()


@pytest.fixture
def evil(tmp_path: Path) -> Catalogue:
    """The catalogue of a plan that tries to be a page of its own."""
    return catalogue_of(
        load_plan(write_plan(tmp_path, {"plan.yaml": EVIL, "events/a.yaml": EVENT, "events/b.yaml": ORDER})), ["segment"]
    )


def test_the_page_is_one_file_of_modest_size(default_plan: Plan) -> None:
    """The default plan's page is under 200 KB, well-formed, and refers to nothing outside."""
    page = to_html(catalogue_of(default_plan, ["segment"]))

    reader = Reader(page)
    assert len(page.encode()) < BYTES_MAX
    assert reader.open == []
    targets = [value for _, attributes in reader.tags for name, value in attributes.items() if name in ("href", "src")]
    assert [target for target in targets if target and not target.startswith("#")] == ["data:,"]
    assert re.findall(r"@import|url\(|fetch\(|XMLHttp|https?://(?!shop\.example)", page) == []


def test_the_policy_allows_its_own_style_and_script_alone(default_plan: Plan) -> None:
    """The hashes in the policy are those of the two inline blocks; no element has a style or a handler of its own."""
    reader = Reader(to_html(catalogue_of(default_plan)))

    policy = next(dict(attributes)["content"] for tag, attributes in reader.tags if attributes.get("http-equiv"))
    assert policy is not None
    (style,), (script,) = reader.texts["style"], reader.texts["script"]
    hashes = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in (style, script)]
    assert f"style-src {hashes[0]}; script-src {hashes[1]};" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    names = {name for _, attributes in reader.tags for name in attributes}
    assert [name for name in names if name.startswith("on") or name == "style"] == []


def test_a_plan_cannot_write_into_the_page(evil: Catalogue) -> None:
    """Tags, quotes and placeholders of a plan are text; what turns text around is shown as such."""
    page = to_html(evil)

    reader = Reader(page)
    assert reader.open == []
    assert [tag for tag, _ in reader.tags if tag in ("svg", "img", "b", "i", "a") and tag != "a"] == ["b", "b", "b"]
    assert len(reader.texts["script"]) == len(reader.texts["style"]) == 1
    assert "\u202e" not in page
    assert "$title ${policy} </style>" in "".join(reader.texts["p"])
    assert any('"><script>' in text for text in reader.texts["span"])


def test_the_page_works_without_a_script(default_plan: Plan) -> None:
    """Each event is a `details` with a summary and an address of its own; the filters stay hidden until the script runs."""
    reader = Reader(to_html(catalogue_of(default_plan)))

    events = [attributes["id"] for tag, attributes in reader.tags if tag == "details" and attributes.get("class") == "event"]
    links = [attributes["href"] for tag, attributes in reader.tags if tag == "a"]
    assert events == [link.removeprefix("#") for link in links[1:] if link]
    assert len(set(events)) == len(default_plan.events)
    assert next(attributes for tag, attributes in reader.tags if tag == "form").keys() >= {"hidden"}


def test_the_page_says_what_a_reader_wants_to_know(evil: Catalogue) -> None:
    """Trigger, requirement, PII, lineage, example, versions and destinations are on the page."""
    page = to_html(evil)

    for text in (
        "An order was placed (or paid, or fulfilled: a setting)",
        "Others send it; cdi only checks it",
        "<code>order.number</code><br>else <code>order.id</code>",
        "order.lines[].sku",
        "always &quot;web&quot;",
        "Deprecated since 3.0.0: see",
        "Since 2.1.0",
        "At most 3 elements",
        "Each: at most 5 characters",
        "Not sent to <code>segment</code>",
        "<code>id</code> in <code>segment</code>",
        "<code>segment</code> gets it as <code>Purchase</code>",
        'data-to="segment"',
        '<option value="insider">',
    ):
        assert text in page, text


def test_pages_are_reproducible(default_plan: Plan) -> None:
    """The same plan gives the same page, so that a change in review is a change of the plan."""
    assert to_html(catalogue_of(default_plan)) == to_html(catalogue_of(load_plan()))


def test_markdown_lists_every_event_and_property(default_plan: Plan) -> None:
    """A heading and a table per event, a row per property, every row with as many cells as the head."""
    text = to_markdown(catalogue_of(default_plan))

    for event in default_plan.events:
        section = text.partition(f"\n## {event.name}\n")[2].partition("\n## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        assert len(rows) == len([path for path, _ in event.walk() if not path.endswith("[]")])
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {8}
    assert "checkout. `checkout_id` ties" in text or "cart. `checkout_id` ties" in text


def test_a_plan_cannot_write_into_markdown(evil: Catalogue) -> None:
    """No tag, link, heading or table cell comes out of a text of the plan."""
    text = to_markdown(evil)

    bare = re.sub(r"(`+)[^`].*?\1", "", text)
    assert re.findall(r"(?<!\\)<(?!br>)", bare) == []
    assert re.findall(r"(?<!\\)\]\((?!#)", bare) == []
    assert [line for line in text.splitlines() if line.startswith("# ")] == [text.splitlines()[0]]
    row = next(line for line in text.splitlines() if line.startswith('| `"><script>`'))
    assert len(re.findall(r"(?<!\\)\|", row)) == 8


def test_examples_keep_to_the_plan(default_plan: Plan) -> None:
    """Every example event of the default plan satisfies its own schema, and most properties have one."""
    for event in default_plan.events:
        values = {each.name: value for each in event.properties if (value := example_of(each)) is not NO_EXAMPLE}
        schema = event_schema(event, allows_unplanned=default_plan.allows_unplanned)
        assert compile_schema(schema).is_valid(values), event.name
        assert len(values) == len(event.properties)


def test_an_example_that_breaks_the_rules_is_not_shown(tmp_path: Path) -> None:
    """A pattern that nothing made up fits leaves the place empty; the plan's own example is taken first."""
    properties = "  a: {type: string, pattern: '^Q{7}$'}\n  b: {type: string, examples: [mine], enum: [other, mine]}\n"
    event = f"event: Thing Done\ntrigger: none\nproperties:\n{properties}"
    a, b = load_plan(write_plan(tmp_path, {"events/a.yaml": event})).events[0].properties

    assert example_of(a) is NO_EXAMPLE
    assert example_of(b) == "mine"
