"""Mistakes in a plan: each is reported at its file and line, with a sentence and a hint, and all at once."""

from __future__ import annotations

from os.path import commonprefix
from pathlib import Path

import pytest
from plan_tools import HEAD, copy_default_plan, write_plan

from cdi_cli.errors import ConfigError, ExitCode
from cdi_cli.plan import PlanError, PlanProblem, load_plan

EVENT = "event: Order Completed\ntrigger: order.completed\nproperties:\n"
GOOD = EVENT + "  order_id: {type: string, from: order.id}\n"
DEEP = "  p: " + "{type: object, properties: {p: " * 9 + "{type: string}" + "}}" * 9

# (what is wrong, the properties of an event with the line marked by `# HERE`, words of the message, words of the hint)
PROPERTIES = [
    ("unknown key", "  a: {type: string, form: order.id} # HERE", "unknown key `form`", "did you mean `from`?"),
    ("unknown keyword", "  a: {type: string, maxLenght: 5} # HERE", "unknown key `maxLenght`", "`maxLength`"),
    ("no type", "  a: {from: order.id} # HERE", "has no `type`", "one of `string`"),
    ("wrong type", "  a: {type: strng, from: order.id} # HERE", "`strng` is not a type", "did you mean `string`?"),
    ("type null unquoted", "  a: {type: [string, null], from: order.id} # HERE", "`None` is not a type", 'quotes: `"null"`'),
    ("not a mapping", "  a: order.id # HERE", "must be a mapping", "{type: string}"),
    ("unknown field", "  a: {type: string, from: order.nummer} # HERE", "`order` has no field `nummer`", "mean `number`? it has"),
    ("no similar field", "  a: {type: string, from: order.xyzzy} # HERE", "no field `xyzzy`", "`placed_at`"),
    ("second of two", "  a:\n    type: string\n    from:\n      - order.id\n      - order.nr # HERE", "no field `nr`", "it has"),
    ("unknown nested", "  a: {type: string, from: order.billing_address.zip} # HERE", "no field `zip`", "`postal_code`"),
    ("field of text", "  a: {type: string, from: order.id.x} # HERE", "`order.id` is text and has no field", "`order.id` itself"),
    ("through a list", "  a: {type: string, from: order.lines.sku} # HERE", "`order.lines` is a list", "`items:`"),
    ("element of entity", "  a: {type: string, from: 'order.lines[0].sku'} # HERE", "`order.lines` is a list", "`items:`"),
    ("unknown root", "  a: {type: string, from: ordr.id} # HERE", "`ordr` is not known here", "did you mean `order`?"),
    ("other subject", "  a: {type: string, from: refund.id} # HERE", "`refund` is not known here", "starts with one of"),
    ("item outside", "  a: {type: string, from: item.sku} # HERE", "`item` stands for the current element", "inside `items`"),
    ("no path", "  a: {type: string, from: 'order .id'} # HERE", "is not a path", "without spaces"),
    ("from is a number", "  a: {type: string, from: 5} # HERE", "`from` must be a path", "from: order.number"),
    ("whole record", "  a: {type: object, from: record} # HERE", "the whole record", "name a field"),
    ("amount as text", "  a: {type: string, from: order.total} # HERE", "is an amount, but", "`type: number`"),
    ("amount or text", "  a: {type: [number, string], from: order.total} # HERE", "cannot be declared as text too", "number"),
    ("time as number", "  a: {type: number, from: order.placed_at} # HERE", "is a time, but", "`type: string`"),
    ("flag as text", "  a: {type: string, from: order.is_paid} # HERE", "is true or false, but", "`type: boolean`"),
    ("count as text", "  a: {type: string, from: order.version} # HERE", "is a whole number, but", "`type: integer`"),
    ("list as text", "  a: {type: string, from: order.coupons} # HERE", "is a list, but", 'add `join: ", "`'),
    ("object as text", "  a: {type: string, from: order.billing_address} # HERE", "is an object (Address)", "`type: object`"),
    ("whole object", "  a: {type: object, from: order.billing_address} # HERE", "cannot be sent whole", "`properties:`"),
    ("whole lines", "  a: {type: array, from: order.lines} # HERE", "a list of objects cannot be sent whole", "`items:`"),
    ("line as text", "  a:\n    type: array\n    from: order.lines\n    items: {type: string} # HERE", "an element is an object", ""),
    ("join of amount", "  a: {type: string, from: order.total, join: ','} # HERE", "only a list of texts", "remove `join`"),
    ("join not text", "  a: {type: array, from: order.coupons, join: ','} # HERE", "`join` makes one text", "`type: string`"),
    ("nothing produces it", "  a: {type: string, required: true} # HERE", "needs `from` or `value`", "where its value"),
    ("from and value", "  a: {type: string, from: order.id, value: x} # HERE", "either `from` or `value`", "remove one"),
    ("required is text", "  a: {type: string, required: yes, from: order.id} # HERE", "must be `true` or `false`", "required: true"),
    ("required element", "  a:\n    type: array\n    from: order.coupons\n    items:\n      type: string\n      required: true # HERE",
     "no meaning on the elements", "`minItems`"),
    ("constant breaks rules", "  a: {type: string, enum: [x], value: y} # HERE", "breaks the property's own rules", "correct"),
    ("empty constant", "  a:\n    type: [string, 'null']\n    value: # HERE", "`value` is empty", "left out"),
    ("bad keyword value", "  a:\n    type: number\n    minimum: low # HERE", "`minimum` is not valid JSON Schema", "draft-07"),
    ("bad pattern", "  a:\n    type: string\n    pattern: '(' # HERE", "`pattern` is not valid JSON Schema", "draft-07"),
    ("look-ahead", "  a:\n    type: string\n    pattern: '(?!x)y' # HERE", "`pattern` is not valid", "draft-07"),
    ("unknown format", "  a:\n    type: string\n    format: e-mail # HERE", "`format` is not valid JSON Schema: Unknown format", ""),
    ("empty enum in anyOf", "  a:\n    type: string\n    anyOf: [] # HERE", "`anyOf` is not valid JSON Schema", "draft-07"),
    ("typo in anyOf", "  a:\n    type: string\n    anyOf:\n      - minLenght: 3 # HERE", "`minLenght` is not allowed inside", "`minLength`"),
    ("remote reference", "  a:\n    type: string\n    not:\n      $ref: 'http://example.com/x' # HERE", "`$ref` is not allowed", "whole"),
    ("dangling ref", "  a: {$ref: shared_b} # HERE", "`$ref: shared_b` names no definition", "did you mean `shared_a`?"),
    ("remote ref", "  a: {$ref: 'https://example.com/a.json'} # HERE", "names no definition", "only `definitions/` of this plan"),
    ("unknown pii", "  a: {type: string, from: order.id, pii: contract} # HERE", "`contract` is not a PII class", "`contact`"),
    ("items on text", "  a:\n    type: string\n    items: {type: string} # HERE", "only a list has `items`", "`type: array`"),
    ("properties on text", "  a:\n    type: string\n    properties: # HERE\n      b: {type: string}", "only an object", "`type: object`"),
    ("no properties", "  a:\n    type: object\n    properties: {} # HERE", "must be a mapping of property names", "order_id"),
    ("mixed kinds", "  a:\n    type: array\n    from: [order.lines, order.refunds] # HERE\n    items: {type: object, properties: "
     "{b: {type: string, from: item.id}}}", "different kinds of things", "map them apart"),
    ("description not text", "  a: {type: string, description: 5} # HERE", "`description` must be text", "quotes"),
    ("empty name", "  '': {type: string} # HERE", "a name has 1 to 255", "another name"),
    ("too deep", DEEP + " # HERE", "nested too deep", "flatten"),
    ("duplicate key", "  a: {type: string}\n  a: {type: number} # HERE", "`a` occurs twice, first in line 4", "remove one"),
    ("alias", "  a: &x {type: string}\n  b: *x # HERE", "aliases are not allowed", "`$ref`"),
    ("merge key", "  a: {type: string, <<: {minLength: 1}} # HERE", "merge keys are not allowed", "`$ref`"),
    ("tag", "  a: !!python/object:os.system {type: string} # HERE", "tag `tag:yaml.org,2002:python/object:os.system`", ""),
]  # fmt: skip

# (what is wrong, the files with the line marked by `# HERE`, words of the message, words of the hint)
FILES = [
    ("no version", {"plan.yaml": "name: x # HERE"}, "`version` is missing", "version"),
    ("bad version", {"plan.yaml": "name: x\nversion: '1.0' # HERE"}, "`1.0` is not a semantic version", "1.0.0"),
    ("version is a number", {"plan.yaml": "name: x\nversion: 1.0 # HERE"}, "`version` must be text", "quotes"),
    ("unknown plan key", {"plan.yaml": HEAD + "onviolation: warn # HERE"}, "unknown key `onviolation`", "`on_violation`"),
    ("unknown policy", {"plan.yaml": HEAD + "on_violation: blok # HERE"}, "`blok` is not a on violation", "did you mean `block`?"),
    ("unknown convention", {"plan.yaml": HEAD + "conventions:\n  event_style: title # HERE"}, "`event_style`", "`event_case`"),
    ("unknown case", {"plan.yaml": HEAD + "conventions:\n  event_case: tilte # HERE"}, "`tilte`", "`title`"),
    ("event case", {"plan.yaml": HEAD + "conventions: {event_case: title}", "events/a.yaml":
     "event: order_completed # HERE\ntrigger: order.completed\nproperties: {a: {type: string}}"}, "not in title case", "conventions"),
    ("property case", {"plan.yaml": HEAD + "conventions: {property_case: snake}", "events/a.yaml":
     EVENT + "  orderId: {type: string} # HERE"}, "`orderId` is not in snake case", "conventions"),
    ("unknown trigger", {"events/a.yaml": "event: A\ntrigger: order.complete # HERE\nproperties: {a: {type: string}}"},
     "`order.complete` is not a trigger", "did you mean `order.completed`?"),
    ("no trigger", {"events/a.yaml": "event: A # HERE\nproperties: {a: {type: string}}"}, "`trigger` is missing", "one of"),
    ("unknown type", {"events/a.yaml": "event: A\ntype: trck # HERE\ntrigger: order.completed\nproperties: {a: {type: string}}"},
     "`trck` is not a type", "did you mean `track`?"),
    ("unknown event key", {"events/a.yaml": GOOD + "triger: x # HERE"}, "unknown key `triger`", "`trigger`"),
    ("no properties", {"events/a.yaml": "event: A # HERE\ntrigger: order.completed\n"}, "has no `properties`", "at least one"),
    ("traits of a track", {"events/a.yaml": "event: A\ntrigger: order.completed\ntraits: {a: {type: string}} # HERE"},
     "has `properties`, not `traits`", "rename"),
    ("identify named", {"events/a.yaml": "event: Customer # HERE\ntype: identify\ntrigger: customer.profile\ntraits: {a: {type: string}}"},
     "is named `identify`", "event: identify"),
    ("long name", {"events/a.yaml": f"event: {'x' * 256} # HERE\ntrigger: order.completed\nproperties: {{a: {{type: string}}}}"},
     "1 to 255 printable", "shorter"),
    ("same event twice", {"events/a.yaml": GOOD, "events/b.yaml": GOOD.replace("Completed", "Completed # HERE")},
     "`Order Completed` is planned twice", "another name"),
    ("same id", {"events/a.yaml": GOOD, "events/b.yaml": GOOD.replace("Order Completed", "order-completed # HERE")},
     "`order-completed` is planned twice, first as `Order Completed`", "another name"),
    ("loop", {"events/a.yaml": EVENT + "  a: {$ref: x}", "definitions/x.yaml":
     "type: object\nproperties:\n  b: {$ref: x} # HERE"}, "`x` contains itself", "end somewhere"),
    ("mistake in definition", {"events/a.yaml": EVENT + "  a: {type: array, from: order.lines, items: {$ref: x}}", "definitions/x.yaml":
     "type: object\nproperties:\n  b: {type: string, from: item.skuu} # HERE"}, "`item` has no field `skuu`", "`sku`"),
    ("definition is a list", {"definitions/x.yaml": "- a # HERE"}, "must hold a mapping", "key: value"),
    ("broken YAML", {"events/a.yaml": EVENT + "  a: b: c # HERE"}, "not valid YAML", "indentation"),
    ("two documents", {"events/a.yaml": GOOD + "--- # HERE\na: 1"}, "more than one document", "one file"),
    ("empty file", {"events/a.yaml": "# HERE"}, "the file is empty", ""),
    ("wrong suffix", {"events/a.yml": "# HERE\n" + GOOD, "events/b.yaml": GOOD}, "the file is not read", "rename"),
    ("deep nesting", {"events/a.yaml": "a: " + "[" * 5000 + " # HERE"}, "nested deeper than 40 levels", ""),
]  # fmt: skip


def problems_of(folder: Path, denied: frozenset[str] = frozenset()) -> tuple[PlanProblem, ...]:
    """The mistakes of a plan that has some."""
    with pytest.raises(PlanError) as caught:
        load_plan(folder, denied_fields=denied)
    return caught.value.problems


def marked_places(folder: Path) -> list[tuple[str, int]]:
    """Every file and line that carries a mark."""
    return [
        (str(path), number)
        for path in sorted(folder.rglob("*.y*ml"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if "# HERE" in line
    ]


def assert_found(folder: Path, message: str, hint: str) -> None:
    """The plan has one mistake, at the marked line, with these words."""
    found = problems_of(folder)

    assert [(problem.file, problem.line) for problem in found] == marked_places(folder), [str(each) for each in found]
    assert message in found[0].message
    assert hint in (found[0].hint or "")


@pytest.mark.parametrize(("properties", "message", "hint"), [case[1:] for case in PROPERTIES], ids=[case[0] for case in PROPERTIES])
def test_a_mistake_in_a_property_is_found_at_its_line(tmp_path: Path, properties: str, message: str, hint: str) -> None:
    """One mistake in a property gives exactly one finding, at its line."""
    files = {"events/a.yaml": EVENT + properties, "definitions/shared_a.yaml": "type: string\n"}

    write_plan(tmp_path, files)

    assert_found(tmp_path, message, hint)


@pytest.mark.parametrize(("files", "message", "hint"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_a_mistake_in_a_file_is_found_at_its_line(tmp_path: Path, files: dict[str, str], message: str, hint: str) -> None:
    """One mistake in the plan, an event or a definition gives exactly one finding, at its line."""
    write_plan(tmp_path, files if any(name.startswith("events/") for name in files) else {"events/a.yaml": GOOD, **files})

    assert_found(tmp_path, message, hint)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    """Twenty mistakes planted in the shipped plan give twenty findings, each at its file and line, in reading order."""
    plan = copy_default_plan(tmp_path)
    for path, old, new in PLANTED:
        text = (plan / path).read_text(encoding="utf-8")
        assert text.count(old) == 1, (path, old)
        (plan / path).write_text(text.replace(old, new), encoding="utf-8")

    found = problems_of(plan)

    assert len(PLANTED) == 20
    expected = sorted((str(plan / path), line_of_change((plan / path).read_text("utf-8"), old, new)) for path, old, new in PLANTED)
    assert [(problem.file, problem.line) for problem in found] == expected, [str(each) for each in found]


def line_of_change(text: str, old: str, new: str) -> int:
    """The line of `text` at which the planted `new` begins to differ from `old`."""
    shared = len(commonprefix([old, new]))
    return text[: text.index(new) + shared].count("\n") + 1 + (new[shared : shared + 1] == "\n")


PLANTED = [
    ("plan.yaml", "owner: data team", "ownr: data team"),
    ("plan.yaml", 'version: "1.0.0"', 'version: "1.0"'),
    ("plan.yaml", "unplanned_properties: forbid", "unplanned_properties: forbidden"),
    ("definitions/address.yaml", "street: {type: string, from: item.street, description: Street and house number}",
     "street: {type: string, from: item.stret, description: Street and house number}"),
    ("definitions/product_line.yaml", "    type: number\n    required: true\n    from: item.price",
     "    type: number\n    required: true\n    from: item.name"),
    ("events/order_completed.yaml", "trigger: order.completed", "trigger: order.completed\nowner: me"),
    ("events/order_completed.yaml", "from: order.shipping,", "from: order.shiping,"),
    ("events/order_cancelled.yaml", "trigger: order.cancelled", "trigger: order.canceled"),
    ("events/order_refunded.yaml", "enum: [refund, chargeback]", "enum: refund"),
    ("events/order_refunded.yaml", "    from: refund.is_full\n", "    from: refund.full\n"),
    ("events/identify.yaml", "on_violation: strip        # a malformed e-mail must not cost the rest of the profile", "on_violation: stripp"),
    ("events/identify.yaml", "format: idn-email", "format: mail"),
    ("events/identify.yaml", "title: {type: string,", "title: {type: sting,"),
    ("events/order_updated.yaml", "products: {type: array, from: order.lines, items: {$ref: product_line}",
     "products: {type: array, from: order.lines, items: {$ref: product}"),
    ("events/order_fulfilled.yaml", "shipment_id: {type: string, from: shipment.id, pii: identifier,",
     "shipment_id: {type: string, from: shipment.id, pii: identity,"),
    ("events/order_fulfilled.yaml", "carrier: {type: string, from: shipment.carrier,", "Carrier: {type: string, from: shipment.carrier,"),
    ("events/signed_up.yaml", "event: Signed Up", "event: signed up"),
    ("events/signed_up.yaml", "  phone: {type: string, from: customer.phone,", "  phone: {type: boolean, from: customer.phone,"),
    ("events/checkout_started.yaml", 'from: cart.coupons, join: ", ", ', "from: cart.coupons, "),
    ("events/checkout_started.yaml", "checkout_id: {type: string, required: true, from: cart.id,", "checkout_id: {type: string, required: true,"),
]  # fmt: skip
