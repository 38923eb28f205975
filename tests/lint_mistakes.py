"""Twenty mistakes to plant in the shipped plan, which still loads with them; each is one finding of lint."""

from __future__ import annotations

from pathlib import Path

from plan_tools import copy_default_plan

# (file of the shipped plan, what stands there, what is put there, the finding's rule, words of its message)
PLANTED = [
    (
        "events/checkout_started.yaml",
        "    minimum: 0\n    from: cart.total",
        "    minimum: 5\n    maximum: 1\n    from: cart.total",
        "plan/bounds",
        "no number can satisfy `minimum: 5` and `maximum: 1`",
    ),
    (
        "events/order_updated.yaml",
        "minimum: 0, from: order.discount",
        "minimum: 0, exclusiveMaximum: 0, from: order.discount",
        "plan/bounds",
        "no number",
    ),
    (
        "events/order_refunded.yaml",
        "enum: [refund, chargeback]",
        "enum: [refund, 7]",
        "plan/enum",
        "`7` of `enum` can never pass",
    ),
    (
        "definitions/product_line.yaml",
        "enum: [product, gift, fee]",
        "enum: [product, gift, gift, fee]",
        "plan/enum-twice",
        "`gift` is named twice",
    ),
    (
        "definitions/product_line.yaml",
        "sku: {type: string,",
        "sku: {type: string, minLength: 9, maxLength: 3,",
        "plan/bounds",
        "no text can satisfy",
    ),
    (
        "definitions/product_line.yaml",
        "brand: {type: string,",
        "brand: {type: string, const: 5,",
        "plan/const",
        "no value of `const` can pass",
    ),
    ("definitions/address.yaml", '"^[A-Z]{2}$"', '"[A-Z]{2}^$"', "plan/pattern-empty", "no text can match"),
    (
        "events/order_cancelled.yaml",
        '"^[A-Z]{3}$"',
        '"^[A-Z]{3}$", maxLength: 2',
        "plan/pattern-length",
        "at least 3 characters, but `maxLength` is 2",
    ),
    ("events/order_completed.yaml", '"^[A-Z]{3}$"', '"^([A-Z]+)*$"', "plan/pattern-backtracking", "exponential time"),
    (
        "events/order_completed.yaml",
        "tax: {type: number,",
        "tax: {type: number, maxLength: 4,",
        "plan/no-effect",
        "`maxLength` has no effect",
    ),
    (
        "events/order_completed.yaml",
        "shipping: {type: number,",
        "shipping: {type: number, examples: [free],",
        "plan/example",
        "`free` of `examples`",
    ),
    (
        "events/order_completed.yaml",
        "from: order.payment_method, pii: none, description: How it was paid}",
        "from: order.payment_method, pii: none}",
        "plan/description",
        "`payment_method` has no description",
    ),
    (
        "events/order_completed.yaml",
        "pii: none, description: How it is shipped}",
        "description: How it is shipped}",
        "plan/pii",
        "`shipping_method` has no PII class",
    ),
    (
        "events/order_completed.yaml",
        "description: A customer completed an order.",
        'description: "" # A customer completed an order.',
        "plan/description",
        "`Order Completed` has no description",
    ),
    (
        "events/order_fulfilled.yaml",
        "carrier: {type: string, from: shipment.carrier,",
        "carrier: {type: string,",
        "plan/never-produced",
        "nothing produces `carrier`",
    ),
    (
        "events/order_fulfilled.yaml",
        "tracking_number: {type: string,",
        "tracking_number: {type: string, required: true,",
        "plan/may-be-missing",
        "`shipment.tracking_number` can be without a value",
    ),
    ("events/identify.yaml", "  phone: {", "  constructor: {", "plan/reserved", "JavaScript"),
    (
        "events/signed_up.yaml",
        "event: Signed Up",
        "event: Violation Generated",
        "plan/reserved",
        "meaning of its own in Segment",
    ),
    ("events/identify.yaml", "  title: {", '  "job/title": {', "plan/name", "a slash"),
    (
        "definitions/product_line.yaml",
        "quantity: {type: integer,",
        "quantity: {type: integer, default: many,",
        "plan/example",
        "`many` of `default`",
    ),
]


def planted(folder: Path) -> tuple[Path, list[tuple[str, int, str, str]]]:
    """A copy of the shipped plan with all mistakes in it, and what must be found: (file, line, rule, words)."""
    plan = copy_default_plan(folder)
    # `job/title` is against no convention of the traits.
    for file, old, new, _, _ in PLANTED:
        text = (plan / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, (file, old, text.count(old))
        (plan / file).write_text(text.replace(old, new), encoding="utf-8")
    return plan, [(str(plan / file), line_of(plan / file, new, rule), rule, words) for file, _, new, rule, words in PLANTED]


def line_of(path: Path, words: str, rule: str) -> int:
    """The line at which the planted words stand; an own line of a keyword counts from there."""
    text = path.read_text(encoding="utf-8")
    first = text[: text.index(words)].count("\n") + 1
    # An event is found at its name, in line 1.
    return 1 if rule == "plan/description" and words.startswith("description:") else first
