"""The figures of a proof: for each destination what the shop says, what is held, what is not and why."""

from __future__ import annotations

from collections.abc import Mapping

from proof.picture import Picture, sums, tally
from proof.shop import Holding, Truth


def table(truth: Truth, holdings: Mapping[str, Holding], held: Mapping[str, Picture]) -> str:
    """Rows of what, columns of shop and destinations; where a destination holds less by its own rules, `held/owed` agree."""
    names = list(held)
    counted = {"shop": tally(truth.picture)} | {name: tally(picture) for name, picture in held.items()}
    rows = [[what, *(f"{counted[name][what]:,}" for name in counted)] for what in counted["shop"]]
    money = {"shop": truth.picture} | dict(held)
    for title, of in (("revenue", Picture.revenue), ("refunds", Picture.refunded)):
        by_name = {name: sums(of(picture)) for name, picture in money.items()}
        rows += [
            [f"{title} {currency}", *(f"{amounts.get(currency, 0):,}" for amounts in by_name.values())]
            for currency in by_name["shop"]
        ]
    lines = _aligned([["", *counted], *rows])
    for name in names:
        left_out = {what: count for what, count in holdings[name].left_out.items() if count}
        why = ", ".join(f"{count:,} {what}" for what, count in left_out.items())
        lines.append(f"not at {name}, by its rules: {why or 'nothing'}")
    return "\n".join(lines)


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
