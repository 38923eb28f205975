"""The generated parts of `docs/templates.md`: what the JSONata of a plan reads, and its bounds."""

from __future__ import annotations

from collections.abc import Iterator


def tables() -> dict[str, str]:
    """Mark between whose two ends it stands -> table."""
    return {"inputs": inputs_table(), "entities": entities_table(), "limits": limits_table()}


def inputs_table() -> str:
    """One row per trigger: its subjects, and what `entity` is."""
    from cdi_cli.events.lifecycle import KINDS
    from cdi_cli.plan.script_input import inputs_of

    rows = ["| trigger | subjects | `entity` |", "|---|---|---|"]
    for name, kind in KINDS.items():
        subjects = ", ".join(f"`{subject}`" for subject in kind.subjects)
        entity = inputs_of(name)["entity"].entity
        rows.append(f"| `{name}` | {subjects} | {f'the {entity.__name__.lower()}' if entity else 'what the record is'} |")
    return "\n".join(rows)


def entities_table() -> str:
    """One row per entity: its fields, with a mark for what each is."""
    from cdi_cli.commerce import Address, Cart, Customer, Group, LineItem, Order, Product, ProductTexts, Refund, Shipment

    rows = ["| | fields |", "|---|---|"]
    entities = (Order, Cart, LineItem, Refund, Shipment, Customer, Address, Group, Product, ProductTexts)
    rows += [f"| {entity.__name__} | {', '.join(_fields(entity))} |" for entity in entities]
    rows += ["| | € an amount, [] a list, {} an object or a table; everything else is text, a number, true or false |"]
    return "\n".join(rows)


def _fields(entity: type) -> Iterator[str]:
    from cdi_cli.plan.shapes import Shape, entity_shape

    marks = {"money": " €", "list": " []", "object": " {}", "map": " {}"}
    whole = entity_shape(entity)
    for name in entity.__struct_fields__:  # type: ignore[attr-defined]
        shape: Shape | None = whole.inner(name)
        if shape is not None:
            yield f"`{name}`{marks.get(shape.kind, '')}"


def limits_table() -> str:
    """What a script may not do, and how far it may go."""
    from cdi_cli.plan import expressions, jsonata_parse, scripts
    from cdi_cli.plan.jsonata_check import FORBIDDEN

    listed = ", ".join(f"`${name}`" for name in FORBIDDEN)
    rows = {
        f"{listed}, names of functions that there are not": "refused when the plan is loaded",
        "fields that a source protects": "refused by name, and not there",
        "text of a script": f"{scripts.CHARACTERS_MAX:,} characters",
        "forms inside each other": f"{jsonata_parse.NESTING_MAX}; operators one after the other {jsonata_parse.DEPTH_MAX}",
        "time of one expression": f"{expressions.EVALUATION_MILLISECONDS} ms, three tries",
        "depth of calls": f"{expressions.DEPTH_MAX}; a function that ends in its own call may go on",
        "elements of a list that is made": f"{expressions.SEQUENCE_MAX:,}",
        "memory of the process": f"{expressions.MEMORY_BYTES_MAX // 1024 // 1024} MB (Linux)",
        "result": f"{expressions.OUTPUT_BYTES_MAX:,} bytes",
        "regular expressions": "linear time: no look-around, no back-references",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])
