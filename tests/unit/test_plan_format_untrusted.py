"""Plans from strangers: reading one never fetches anything, never leaves the folder, and ends soon."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from plan_tools import HEAD, write_plan

from cdi_cli.plan import PlanError, compile_plan, load_plan
from cdi_cli.plan.yaml_nodes import DEPTH_MAX, FILE_BYTES_MAX

EVENT = "event: Tested\ntrigger: order.completed\nproperties:\n"
SECONDS_MAX = 20
"""Far above what any of these takes (under 3 s on two busy cores), far below what an unbounded one would take."""


@pytest.fixture(autouse=True)
def bounded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No connection may be opened, no name looked up, and the test must end in time."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a plan made the loader use the network")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    started = time.monotonic()
    yield
    assert time.monotonic() - started < SECONDS_MAX


def messages(folder: Path, **files: str) -> list[str]:
    """What is wrong with a plan of these files (`__` in a name stands for a slash)."""
    write_plan(folder, {f"{name.replace('__', '/')}.yaml": text for name, text in files.items()})
    return mistakes(folder)


def mistakes(folder: Path) -> list[str]:
    """What is wrong with the plan of a folder."""
    with pytest.raises(PlanError) as caught:
        load_plan(folder)
    return [problem.message for problem in caught.value.problems]


def test_aliases_are_refused_before_they_multiply(tmp_path: Path) -> None:
    """A billion laughs: nine levels of nine aliases each are refused at the first of them."""
    levels = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]

    assert messages(tmp_path, events__a="\n".join(levels)) == ["aliases are not allowed in a plan"]


def test_a_file_of_ten_megabytes_is_not_even_read(tmp_path: Path) -> None:
    """The size is looked at before the content."""
    text = EVENT + "  a: {type: string, from: order.id}\n" + "# filler\n" * (10_000_000 // 9)

    assert messages(tmp_path, events__a=text) == [f"the file is larger than {FILE_BYTES_MAX:,} bytes"]


def test_many_large_files_are_refused_together(tmp_path: Path) -> None:
    """Files that are each small enough may not add up to more than the plan's limit."""
    filler = "# filler\n" * 100_000
    files = {f"events__e{number}": filler + EVENT for number in range(25)}

    assert "the plan is larger than 20,000,000 bytes" in messages(tmp_path, **files)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(tmp_path: Path, opening: str) -> None:
    """A hundred thousand levels neither overflow the stack nor take long."""
    assert messages(tmp_path, events__a=opening * 100_000) == [f"nested deeper than {DEPTH_MAX} levels"]


def test_definitions_do_not_multiply(tmp_path: Path) -> None:
    """Definitions that each hold ten of the next expand to no more properties than a plan may have."""
    files = {
        f"definitions__d{level}": "type: object\nproperties:\n"
        + "".join(f"  p{number}: {{$ref: d{level + 1}}}\n" for number in range(10))
        for level in range(7)
    }
    files |= {"definitions__d7": "type: string\nvalue: x\n", "events__a": EVENT + "  a: {$ref: d0}\n"}

    assert messages(tmp_path, **files) == ["the plan has more than 10,000 properties"]


@pytest.mark.parametrize(
    "reference",
    [
        "http://127.0.0.1:9/evil.json",
        "file:///etc/passwd",
        "../../../etc/passwd",
        "//127.0.0.1/x",
        "#/definitions/a",
        "/etc/passwd",
    ],
)
def test_nothing_outside_the_plan_is_referred_to(tmp_path: Path, reference: str) -> None:
    """Addresses, files and fragments are no definitions of the plan, wherever they stand."""
    whole = messages(tmp_path / "whole", events__a=EVENT + f"  a: {{$ref: '{reference}', type: string, from: order.id}}\n")
    inner = messages(
        tmp_path / "inner", events__a=EVENT + f"  a: {{type: string, from: order.id, anyOf: [{{$ref: '{reference}'}}]}}\n"
    )

    assert whole == [f"`$ref: {reference}` names no definition of this plan"]
    assert inner == ["`$ref` is not allowed inside `anyOf`"]


@pytest.mark.parametrize("keyword", ["$id", "id", "$schema", "$recursiveRef", "$dynamicRef", "definitions"])
def test_no_keyword_changes_where_references_lead(tmp_path: Path, keyword: str) -> None:
    """Keywords that name schemas or their base are not part of the format."""
    event = EVENT + f"  a: {{type: string, from: order.id, '{keyword}': 'http://127.0.0.1:9/'}}\n"
    inner = EVENT + f"  a: {{type: string, from: order.id, not: {{'{keyword}': 'http://127.0.0.1:9/'}}}}\n"

    assert messages(tmp_path / "a", events__a=event) == [f"unknown key `{keyword}`"]
    assert messages(tmp_path / "b", events__a=inner) == [f"`{keyword}` is not allowed inside `not`"]


@pytest.mark.parametrize("pattern", [r"^(a+)+$", r"^(a|a)*$", r"^(.*a){20}$", r"(x+x+)+y", r"^(([a-z])+.)+[A-Z]([a-z])+$"])
@pytest.mark.parametrize(
    "keyword", ["pattern: '{}'", "propertyNames: {{pattern: '{}'}}", "patternProperties: {{'{}': {{}}}}"]
)
def test_no_pattern_stalls_a_check(tmp_path: Path, pattern: str, keyword: str) -> None:
    """Patterns known for catastrophic backtracking judge a long text in linear time, as values and as names."""
    text = "a" * 20_000 + "!"
    is_value = keyword.startswith("pattern:")
    kind = "string, from: record.a" if is_value else "object, from: record.a"
    write_plan(tmp_path, {"events/a.yaml": EVENT + f"  a: {{type: {kind}, {keyword.format(pattern)}}}\n"})
    rule = compile_plan(load_plan(tmp_path)).rules("order.completed")[0]

    rule.check({"a": text if is_value else {text: 1}})


def test_a_pattern_too_large_to_compile_is_a_mistake(tmp_path: Path) -> None:
    """Nested counted repetitions cannot take the machine's memory."""
    event = EVENT + "  a: {type: string, from: order.id, pattern: '((((a{1,100}){1,100}){1,100}){1,100}){1,100}'}\n"

    assert len(messages(tmp_path, events__a=event)) == 1


def test_a_link_out_of_the_plan_is_not_followed(tmp_path: Path) -> None:
    """A linked file could show the content of another one in messages; links inside the plan are fine."""
    outside = tmp_path / "secret.yaml"
    outside.write_text("hunter2: x\n", encoding="utf-8")
    plan = write_plan(tmp_path / "plan", {"events/a.yaml": EVENT + "  a: {$ref: twin, from: order.id}\n"})
    (plan / "definitions").mkdir()
    (plan / "definitions" / "word.yaml").write_text("type: string\n", encoding="utf-8")
    (plan / "definitions" / "twin.yaml").symlink_to(plan / "definitions" / "word.yaml")
    assert len(load_plan(plan).events) == 1

    (plan / "events" / "b.yaml").symlink_to(outside)
    (plan / "definitions" / "gone.yaml").symlink_to(tmp_path / "gone.yaml")
    (plan / "plan.yaml").unlink()
    (plan / "plan.yaml").symlink_to(outside)

    assert mistakes(plan) == ["the file is a link that leads out of the plan"] * 3


def test_a_folder_or_pipe_in_place_of_a_file_is_a_mistake(tmp_path: Path) -> None:
    """What is no regular file is not read: a pipe would never end."""
    import os

    plan = write_plan(tmp_path, {"events/a.yaml": EVENT + "  a: {type: string, from: order.id}\n"})
    (plan / "events" / "b.yaml").mkdir()
    os.mkfifo(plan / "events" / "c.yaml")

    assert mistakes(plan) == ["this is no file"] * 2


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system ['true']", "!!binary YQ==", "!custom x", "!!set {a}"])
def test_tags_are_refused(tmp_path: Path, tag: str) -> None:
    """No tag makes anything but plain data, so none is allowed."""
    assert any("tag" in message for message in messages(tmp_path, events__a=EVENT + f"  a: {tag}\n"))


def test_a_head_full_of_rubbish_is_told_calmly(tmp_path: Path) -> None:
    """Values of every wrong type end as mistakes, not as crashes."""
    head = "name: [a]\nversion: {b: c}\nowner: 1\nconventions: true\non_violation: [x]\nunplanned_events: {}\n"
    events = EVENT.replace("Tested", "[]") + "  a: 3\ngroups: {}\ndestinations: 1\nsince: []\ndeprecated: [x]\n"

    found = messages(tmp_path, plan=head, events__a=events)

    assert len(found) >= 10
    assert HEAD not in "".join(found)
