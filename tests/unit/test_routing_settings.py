"""Mistakes in `routing:`: each at its line, in plain words, with what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdi_cli.config.problems import Problem, SettingsError
from cdi_cli.pipeline.project import load_project
from cdi_cli.pipeline.validate_subject import open_subjects
from cdi_cli.plan.findings import Findings

HEAD = """\
workspace: acme
regions:
  europe: {countries: [EU], regime: opt_in}
sources:
  shop: {type: commercetools, project_key: shop, region: europe-west1.gcp, client_id: c, client_secret: "${S}"}
destinations:
  live: {type: segment, region: eu, write_key: "${K}"}
  trial: {type: segment, region: eu, write_key: "${K}"}
pipelines:
  main:
    source: shop
    destinations: [live]
    routing:
"""


def problems(folder: Path, rules: str) -> list[Problem]:
    """Everything that is wrong with these rules, which begin in line 14."""
    (folder / "cdi.yaml").write_text(HEAD + rules, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_project(folder / "cdi.yaml", environment={}).plan("main")
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("rule", "message", "hint"),
    [
        (
            "{when: {event: Order Complete}, then: {filter: a}}",
            "the tracking plan has no event `Order Complete`",
            "Completed`?",
        ),
        ("{when: {event: [Order Completed, Nope]}, then: {filter: a}}", "the tracking plan has no event `Nope`", None),
        ("{when: {destination: trail}, then: {filter: a}}", "unknown destination of this pipeline `trail`", "`live`"),
        ("{then: {only: [live, trial]}}", "unknown destination of this pipeline `trial`", "`live`"),
        ("{then: {not: lve}}", "unknown destination of this pipeline `lve`", "did you mean `live`?"),
        ("{when: {region: europ}, then: {filter: a}}", "unknown region `europ`", "did you mean `europe`?"),
        ("{when: {country: [DE, UK]}, then: {filter: a}}", "`UK` is no country code: write `GB`", None),
        ("{when: {country: USA}, then: {filter: a}}", "must be a country (`DE`) or a region (`EU`, `EEA`)", None),
        ("{when: {country: germany}, then: {filter: a}}", "must be a country (`DE`) or a region (`EU`, `EEA`)", None),
        ("{then: {drop: [cupon]}}", "has a property `cupon`", "did you mean `coupon`?"),
        ("{then: {drop: 'products[].skuu'}}", "has a property `products[].skuu`", "did you mean `products[].sku`?"),
        ("{then: {rename: {revenu: net}}}", "has a property `revenu`", "did you mean `revenue`?"),
        (
            "{when: {event: Signed Up, property: {path: coupon, exists: true}}, then: {filter: a}}",
            "`Signed Up` has no property `coupon`",
            "as in the plan",
        ),
        ("{when: {property: {path: revenue, is: ten}}, then: {filter: a}}", "`revenue` is never text", None),
        ("{when: {property: {path: coupon, in: [A, 1]}}, then: {filter: a}}", "`coupon` is never a number", None),
        ("{when: {property: {path: coupon, matches: '['}}, then: {filter: a}}", "not a pattern that can be read", "^TEST-"),
        ("{when: {property: {path: coupon}}, then: {filter: a}}", "needs exactly one of `is`", None),
        ("{when: {property: {path: coupon, is: A, exists: true}}, then: {filter: a}}", "needs exactly one of `is`", None),
        ("{when: {property: [{path: coupon, iss: A}]}, then: {filter: a}}", "unknown key `iss`", "did you mean `is`?"),
        ("{when: {evnt: Signed Up}, then: {filter: a}}", "unknown key `evnt`", "did you mean `event`?"),
        ("{then: {nto: live}}", "unknown key `nto`", "did you mean `not`?"),
        ("{then: {}}", "needs one of `filter`", None),
        ("{when: {event: Signed Up}}", "key `then` is missing", None),
        ("{then: {filter: a, block: b}}", "`filter` and `block` exclude each other", None),
        ("{then: {only: live, not: live}}", "`only` and `not` exclude each other", None),
        ("{then: {filter: a, drop: coupon}}", "`drop` says nothing of an event that `filter` stops", None),
        ("{then: {filter: Test Order}}", "must be 1 to 64 of", None),
        ("{then: {drop: coupon, rename: {coupon: code}}}", "`coupon` is both dropped and renamed", "remove one"),
        ("{then: {rename: {coupon: currency}}}", "could both be called `currency` there", "another name"),
        ("{then: {rename: {'products[].sku': name}}}", "could both be called `name` there", "another name"),
    ],
)
def test_a_mistake_is_told_at_its_line(tmp_path: Path, rule: str, message: str, hint: str | None) -> None:
    """One mistake in one rule: the line that it stands in, what is wrong, what to write."""
    (found,) = problems(tmp_path, f"      - {rule}\n")

    assert (found.line, message in found.message) == (14, True), found.message
    assert hint is None or hint in (found.hint or "")


def test_all_mistakes_of_all_rules_at_once(tmp_path: Path) -> None:
    """Each at its own line, also where a rule is spread over several."""
    rules = """\
      - when: {event: Order Completd}
        then: {filter: a}
      - then:
          rename: {order_id: id}
          drop:
            - coupn
      - when:
          property: {path: statu, is: Open}
        then: {quarantine: b}
"""
    assert [(found.line, found.message) for found in problems(tmp_path, rules)] == [
        (14, "the tracking plan has no event `Order Completd`"),
        (19, "no event that the rule is about has a property `coupn`"),
        (21, "no event that the rule is about has a property `statu`"),
    ]


def test_rules_that_can_never_be_reached(tmp_path: Path) -> None:
    """After a rule that stops every event there is nothing left to rule."""
    (found,) = problems(tmp_path, "      - {then: {filter: a}}\n      - {then: {drop: coupon}}\n")

    assert (found.line, found.message.partition(":")[0]) == (14, "this rule stops every event")


def test_validate_tells_them_as_findings(tmp_path: Path) -> None:
    """`cdi validate` names rule, file and line, so that a pull request shows it."""
    (tmp_path / "cdi.yaml").write_text(f"{HEAD}      - {{then: {{drop: cupon}}}}\n", encoding="utf-8")
    findings = Findings()

    (subject,) = open_subjects(load_project(tmp_path / "cdi.yaml", environment={}), findings)

    (found,) = findings.sorted()
    assert (found.rule, found.line, found.fix) == ("settings/routing", 14, "did you mean `coupon`?")
    assert subject.pipelines == ()


def test_a_good_file_is_taken(tmp_path: Path) -> None:
    """Everything that a rule can say, in one file without a mistake; `config show` gives it back as it can be read again."""
    from cdi_cli.config.show import show_yaml

    rules = """\
      - when: {event: [Order Completed, Order Updated], store: de, channel: [web], brand: [A, B], country: [EU, GB],
               region: europe, destination: live, property: [{path: coupon, matches: "^TEST"}, {path: revenue, is: 0}]}
        then: {filter: test_order}
      - {when: {property: {path: "products[].sku", in: [A, B]}}, then: {quarantine: look}}
      - {when: {property: {path: coupon, exists: false}}, then: {block: no_coupon}}
      - {then: {only: live, drop: [coupon], rename: {order_id: transaction_id}}}
"""
    (tmp_path / "cdi.yaml").write_text(HEAD + rules, encoding="utf-8")
    project = load_project(tmp_path / "cdi.yaml", environment={})
    project.plan("main")

    (tmp_path / "again.yaml").write_text(show_yaml(project.settings), encoding="utf-8")
    again = load_project(tmp_path / "again.yaml", environment={})

    assert again.settings.pipelines["main"].routing == project.settings.pipelines["main"].routing
