"""Good settings become typed values: defaults, variables, paths, names; and the file is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_connectors import GOOD, KNOWN, ShopSettings, SinkSettings, brief, changed, load, problems_of, write
from pydantic import ValidationError

from cdi_cli.config.load import find_settings_file, load_settings
from cdi_cli.errors import ConfigError


def shop(settings: object) -> ShopSettings:
    """The settings of the source `main`."""
    found = settings.sources["main"].settings  # type: ignore[attr-defined]
    assert isinstance(found, ShopSettings)
    return found


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    """Everything that is not written has its default; secrets need not be set to read the file."""
    settings = load(tmp_path, GOOD)

    pipeline = settings.pipelines["daily"]
    assert (settings.workspace, settings.plan, settings.log) == ("acme", None, None)
    assert settings.state == tmp_path / ".cdi" / "state.db"
    assert settings.file == tmp_path / "cdi.yaml"
    assert (pipeline.source, pipeline.destinations, pipeline.streams, pipeline.workers) == ("main", ("sink",), None, 4)
    assert (pipeline.identity.user_id, pipeline.identity.guest_id) == ("customer_id", "anonymous_id")
    assert (pipeline.lifecycle.order_completed, pipeline.lifecycle.off) == ("placed", ())
    assert isinstance(settings.destinations["sink"].settings, SinkSettings)


def test_settings_never_change(tmp_path: Path) -> None:
    """Assigning to a setting is an error."""
    settings = load(tmp_path, GOOD)

    with pytest.raises(ValidationError, match="frozen"):
        settings.workspace = "other"


def test_relative_paths_start_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths do not depend on the folder the program was started from; absolute ones stay."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    text = changed("project_key: my-shop", "project_key: my-shop\n    ca_file: certs/ca.pem")
    text = changed("workspace: acme", "workspace: acme\nplan: plan\nstate: /var/lib/cdi/s.db\nlog: {file: cdi.log}", text)

    settings = load(tmp_path, text)

    assert settings.plan == tmp_path / "plan"
    assert settings.state == Path("/var/lib/cdi/s.db")
    assert settings.log is not None
    assert (settings.log.file, settings.log.level) == (tmp_path / "cdi.log", "info")
    assert shop(settings).ca_file == tmp_path / "certs" / "ca.pem"


def test_a_secret_keeps_its_reference(tmp_path: Path) -> None:
    """A secret's variable is not read with the file, even when it is set; a relative `file:` starts at the file."""
    text = changed("${SHOP_SECRET}", "file:secrets/shop")

    settings = load(tmp_path, text, SINK_KEY="canary-1234")

    assert shop(settings).client_secret.text == f"file:{tmp_path}/secrets/shop"
    assert settings.destinations["sink"].settings.write_key.text == "${SINK_KEY}"  # type: ignore[attr-defined]
    assert "canary" not in repr(settings)


def test_variables_are_filled_in(tmp_path: Path) -> None:
    """A variable may stand anywhere in a text; numbers given so are numbers; `$${` is a literal `${`."""
    text = changed(
        "project_key: my-shop", "project_key: my-${NAME}-${N}\n    page_size: ${N}\n    rate: ${RATE}\n    tokens: ['${T}']"
    )
    text = changed("region: eu", "region: eu, endpoint: 'a$${b}'", text)
    text = changed("{source: main", "{ids: {Order Completed: '${N}-{entity_id}'}, workers: '${N}', source: main", text)

    settings = load(tmp_path, text, NAME="shop", N="7", RATE="2.5")

    assert (shop(settings).project_key, shop(settings).page_size, shop(settings).rate) == ("my-shop-7", 7, 2.5)
    assert settings.pipelines["daily"].workers == 7
    assert settings.pipelines["daily"].ids == {"Order Completed": "7-{entity_id}"}
    assert settings.destinations["sink"].settings.endpoint == "a${b}"  # type: ignore[attr-defined]
    assert [token.text for token in shop(settings).tokens] == ["${T}"]


def test_a_name_may_come_from_a_variable(tmp_path: Path) -> None:
    """What a variable stands for must exist, as if it were written; the message names the variable, not its value."""
    text = changed("source: main", "source: '${WHICH}'")

    assert load(tmp_path, text, WHICH="main").pipelines["daily"].source == "main"
    (problem,) = problems_of(tmp_path, text, WHICH="mian")
    assert brief(problem) == (10, "unknown source `${WHICH}`", "did you mean `main`?")


def test_a_missing_variable_is_one_mistake(tmp_path: Path) -> None:
    """A variable that is not set is named at its place, with the nearest one that is; nothing follows from it."""
    text = changed("project_key: my-shop", "project_key: ${SHOP_KEY}\n    page_size: ${EMPTY}")

    problems = problems_of(tmp_path, text, SHOP_KEYS="x", EMPTY="")

    assert [brief(problem) for problem in problems] == [
        (5, "environment variable SHOP_KEY is not set", "did you mean `${SHOP_KEYS}`?"),
        (6, "environment variable EMPTY is empty", "export EMPTY=..."),
    ]


def test_a_bad_variable_name_is_a_mistake(tmp_path: Path) -> None:
    """What stands in `${...}` must be a name; the way to write it literally is told."""
    (problem,) = problems_of(tmp_path, changed("region: eu", "region: eu, endpoint: '${a b}'"))

    assert brief(problem) == (8, "`${a b}` is no name of an environment variable", "write `$${` for a literal `${`")


def test_the_same_file_gives_equal_settings(tmp_path: Path) -> None:
    """Reading is repeatable."""
    first, second = load(tmp_path, GOOD), load(tmp_path, GOOD)

    assert first.pipelines == second.pipelines
    assert shop(first).project_key == shop(second).project_key


def test_the_named_file_comes_first(tmp_path: Path) -> None:
    """A path on the command line wins over the environment, that over the working folder; a folder stands for its file."""
    named, other = tmp_path / "named.yaml", tmp_path / "other.yaml"
    for file in (named, other, tmp_path / "cdi.yaml"):
        file.write_text(GOOD)

    def find(path: Path | None = None, **environment: str) -> Path:
        return find_settings_file(path, environment=environment, folder=tmp_path)

    assert find(Path("named.yaml"), CDI_CONFIG="other.yaml") == named
    assert find(CDI_CONFIG="other.yaml") == other
    assert find(CDI_CONFIG="") == tmp_path / "cdi.yaml"
    assert find() == tmp_path / "cdi.yaml"
    assert find(Path()) == tmp_path / "cdi.yaml"


def test_no_file_says_how_to_make_one(tmp_path: Path) -> None:
    """Without any file the hint is `cdi init`."""
    with pytest.raises(ConfigError) as caught:
        find_settings_file(environment={}, folder=tmp_path)

    assert caught.value.message == "there is no cdi.yaml in this folder"
    assert caught.value.hint == "make one with `cdi init`, or name one with `--config PATH` or CDI_CONFIG"


def test_a_named_file_that_is_missing_says_who_named_it(tmp_path: Path) -> None:
    """A wrong CDI_CONFIG is told apart from a wrong option."""
    with pytest.raises(ConfigError) as caught:
        find_settings_file(environment={"CDI_CONFIG": "gone.yaml"}, folder=tmp_path)

    assert caught.value.message == f"there is no settings file {tmp_path / 'gone.yaml'}, named by CDI_CONFIG"


def test_one_mistake_is_the_message(tmp_path: Path) -> None:
    """The error itself tells the mistake, its place and the hint, for callers that print no list."""
    file = write(tmp_path, changed("region: eu", "region: euu"))

    with pytest.raises(ConfigError) as caught:
        load_settings(file, known=KNOWN, environment={})

    assert caught.value.message == "`region` must be one of `us`, `eu`"
    assert caught.value.where == f"{file}:8:56"
    assert caught.value.hint == "did you mean `eu`?"
