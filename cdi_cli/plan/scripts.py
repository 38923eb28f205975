"""Scripts: the JSONata of a plan, an expression of one property or a template of a whole event, with its places.

    jsonata: $uppercase(order.country)         beside a property's other keys: its value
    template: order_completed.jsonata          beside an event's: a file of `templates/` that makes all of its properties

What a script may read is `INPUTS`, and what stands for an amount in it is `Amount` (`script_input.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdi_cli.plan.jsonata_check import Fields, Reads, mistakes
from cdi_cli.plan.jsonata_parse import parse
from cdi_cli.plan.jsonata_places import maker_of, makers
from cdi_cli.plan.jsonata_tokens import JsonataError
from cdi_cli.plan.jsonata_tree import Node
from cdi_cli.plan.problems import Place
from cdi_cli.plan.shapes import Shape

CHARACTERS_MAX = 100_000
FOLDER = "templates"
SUFFIX = ".jsonata"
EXPRESSION_FAILED = "expression_failed"
TEMPLATE_FAILED = "template_failed"


@dataclass(frozen=True, slots=True)
class Script:
    """One expression as its file holds it.

    `start`: where its text begins; a later line of it begins `indent` characters into its own. `name` is the file of a
    template, "" for the expression of a property. `tree`: what it is made of; `reads`: what it reads of the input,
    None where that can be anything.
    """

    text: str
    start: Place
    name: str = ""
    indent: int = 0
    tree: Node = field(default_factory=lambda: Node("block", 0, 0), compare=False, repr=False)
    reads: Fields | None = field(default=None, compare=False, repr=False)
    makers: dict[tuple[str, ...], Node] = field(default_factory=dict, compare=False, repr=False)

    @property
    def reason(self) -> str:
        """The reason of a dead letter, where it fails."""
        return TEMPLATE_FAILED if self.name else EXPRESSION_FAILED

    def place(self, offset: int) -> Place:
        """The place of a character of it."""
        before = self.text[:offset]
        lines = before.count("\n")
        if not lines:
            return Place(self.start.file, self.start.line, self.start.column + offset)
        return Place(self.start.file, self.start.line + lines, self.indent + offset - before.rindex("\n"))

    def maker(self, steps: tuple[str | int, ...]) -> Place:
        """The place of the part that makes what stands at some steps of its result."""
        return self.place(maker_of(self.makers, steps).start)

    def title(self, place: Place) -> str:
        """It and a line of it, for people: `template order_completed.jsonata:12`, `expression order_completed.yaml:7`."""
        file = place.file.replace("\\", "/").rpartition("/")[2]
        return f"{'template' if self.name else 'expression'} {file}:{place.line}"


class MappingError(Exception):
    """A script fails for a record: `script` at `place`; `detail` says why, without a value of the record."""

    def __init__(self, script: Script, place: Place, sentence: str) -> None:
        self.script = script
        self.place = place
        self.sentence = sentence
        self.reason = script.reason
        self.detail = f"{script.title(place)}:{place.column}: {sentence}"
        super().__init__(self.detail)


def read_script(script: Script, inputs: Mapping[str, Shape], denied: frozenset[str]) -> Script | list[JsonataError]:
    """The script with its tree, or everything that is wrong with it; `inputs` and `denied` as `mistakes` takes them."""
    if len(script.text) > CHARACTERS_MAX:
        return [JsonataError(f"it is longer than {CHARACTERS_MAX:,} characters", 0, "split the event")]
    try:
        tree = parse(script.text)
    except JsonataError as error:
        return [error]
    found = list(mistakes(tree, inputs, denied))
    if found:
        return found
    reads = Reads(tree, inputs).fields
    return Script(script.text, script.start, script.name, script.indent, tree, reads, makers(tree))
