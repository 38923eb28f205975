"""YAML is read to plain data, every value with its place, and hostile files end in a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdi_cli.config.document import Document, dotted, read_document
from cdi_cli.config.problems import SettingsError
from cdi_cli.errors import ConfigError


def read(folder: Path, text: str | bytes) -> Document:
    """The document of a text."""
    file = folder / "cdi.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_document(file)


def refused(folder: Path, text: str | bytes) -> tuple[int, int, str]:
    """Line, column and message of the one mistake for which a text is refused."""
    with pytest.raises(SettingsError) as caught:
        read(folder, text)
    (problem,) = caught.value.problems
    return problem.line, problem.column, problem.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("on", "on"),
        ("NO", "NO"),
        ("~", None),
        ("null", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0x1f", "0x1f"),
        ("012", 12),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("2024-01-01", "2024-01-01"),
        ("99999999999999999999", "99999999999999999999"),
        ("'true'", "true"),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_a_scalar_is_what_it_looks_like(tmp_path: Path, text: str, value: object) -> None:
    """The core rules of YAML 1.2 hold: no yes/no, no dates, no base 60, no special floats."""
    data = read(tmp_path, f"key: {text}\n").data

    assert data == {"key": value}
    assert type(data["key"]) is type(value)


def test_every_value_has_its_place(tmp_path: Path) -> None:
    """A value is found by its path, with line and column counted from 1; one on later lines is found at its key."""
    document = read(tmp_path, "a: 1\nb:\n  c: [x, y]\n  d:\n    e: 2\n")

    assert document.place(("a",)) == (1, 4)
    assert document.place(("a",), at_key=True) == (1, 1)
    assert document.place(("b", "c", 1)) == (3, 10)
    assert document.place(("b", "d")) == (4, 3)
    assert document.place(("b", "d", "missing", "deeper")) == (4, 3)
    assert document.place(("nowhere",)) == (1, 1)


def test_anchors_stand_for_what_they_name(tmp_path: Path) -> None:
    """An anchor may be used again; each use has the place of its definition."""
    assert read(tmp_path, "a: &x {k: 1}\nb: *x\n").data == {"a": {"k": 1}, "b": {"k": 1}}


def test_a_key_given_twice_is_a_mistake(tmp_path: Path) -> None:
    """The second of two equal keys is reported at its own line, with the line of the first."""
    (problem,) = read(tmp_path, "a: 1\nb: 2\na: 3\n").problems

    assert (problem.line, problem.message, problem.hint) == (3, "key `a` is given twice", "it is already on line 1")


@pytest.mark.parametrize("text", ["a: !!python/object/apply:os.system ['true']\n", "a: !env HOME\n", "a: !!binary aGk=\n"])
def test_a_tag_is_a_mistake_and_nothing_runs(tmp_path: Path, text: str) -> None:
    """Tags are refused; no object is ever made of one."""
    try:
        problems = read(tmp_path, text).problems
    except SettingsError as error:
        problems = list(error.problems)

    assert ["tag" in problem.message for problem in problems] == [True]


def test_a_key_must_be_text(tmp_path: Path) -> None:
    """A list as a key is a mistake, not a crash."""
    (problem,) = read(tmp_path, "? [a, b]\n: 1\nc: 2\n").problems

    assert (problem.line, problem.message) == (1, "a key must be text")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (1, 1, "the settings file is empty")),
        ("- a\n", (1, 1, "the settings file must be a mapping of keys to values")),
        ("a: 1\nb: [1, 2\n", (3, 1, "not valid YAML: expected ',' or ']', but got '<stream end>'")),
        ("a: 1\n\tb: 2\n", (2, 1, "not valid YAML: found character '\\t' that cannot start any token")),
        ("a: *nothing\n", (1, 4, "not valid YAML: found undefined alias 'nothing'")),
        (b"a: \xff\n", (1, 1, "not UTF-8 text")),
        ("a: 1\nb: \x01\n", (2, 1, "not valid YAML: a control character")),
        ("--- {a: 1}\n--- {b: 2}\n", (2, 1, "not valid YAML: but found another document")),
    ],
)
def test_a_broken_file_names_the_place(tmp_path: Path, text: str | bytes, expected: tuple[int, int, str]) -> None:
    """What is no YAML mapping is refused with line, column and reason."""
    assert refused(tmp_path, text) == expected


def test_a_bom_is_ignored(tmp_path: Path) -> None:
    """A file saved by an editor that writes a byte order mark is read."""
    assert read(tmp_path, b"\xef\xbb\xbfa: 1\n").data == {"a": 1}


def test_a_small_file_that_stands_for_a_huge_one_is_refused(tmp_path: Path) -> None:
    """Nested anchors ("billion laughs") end in a message at once."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]

    assert refused(tmp_path, "\n".join(lines))[2] == "nested too deeply or too large"


def test_an_anchor_inside_itself_is_refused(tmp_path: Path) -> None:
    """A value that contains itself ends in a message, not in endless recursion."""
    assert refused(tmp_path, "a: &a\n  b: *a\n")[2] == "nested too deeply or too large"


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    """Thousands of brackets end in a message."""
    assert refused(tmp_path, "a: " + "[" * 5000 + "]" * 5000)[2] == "nested too deeply"


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """A file over a megabyte is no settings file."""
    with pytest.raises(ConfigError, match="larger than 1,000,000 bytes"):
        read(tmp_path, b"a: " + b"x" * 1_000_001)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """A file that is not there is named, with the next step."""
    with pytest.raises(ConfigError) as caught:
        read_document(tmp_path / "none.yaml")

    assert caught.value.message == f"cannot read the settings file {tmp_path / 'none.yaml'}: No such file or directory"
    assert caught.value.hint == "name the file with `--config`, or make one with `cdi init`"


def test_paths_are_written_as_people_write_them() -> None:
    """Keys are joined by dots, positions stand in brackets."""
    assert dotted(("pipelines", "main", "destinations", 0, "x")) == "pipelines.main.destinations[0].x"
    assert dotted(()) == ""
