"""`cdi init`: a project that loads at once, asked for or by flags, and nothing is ever overwritten."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cdi_cli.cli.app import app
from cdi_cli.data import data_folder

FLAGS = ["--project-key", "my-shop", "--region", "europe-west1.gcp", "--segment-region", "eu"]


def init(*arguments: str) -> tuple[int, str]:
    """Exit code and standard error of `cdi init`."""
    result = CliRunner().invoke(app, ["init", *arguments])
    assert result.stdout == ""
    return result.exit_code, result.stderr


def show(folder: Path) -> dict[str, object]:
    """What `cdi config show` understands of the project in a folder."""
    result = CliRunner().invoke(app, ["config", "show", "--json", "--config", str(folder / "cdi.yaml")])
    assert result.exit_code == 0, result.stderr
    shown = json.loads(result.stdout)
    assert isinstance(shown, dict)
    return shown


def test_a_project_by_flags_loads_at_once(tmp_path: Path) -> None:
    """The files are there, `cdi config show` accepts them, and the next steps are told."""
    folder = tmp_path / "Acme Shop"

    code, text = init(str(folder), *FLAGS, "--client-id", "abc", "--yes")

    assert code == 0
    assert sorted(path.name for path in folder.iterdir()) == [".env.example", ".gitignore", "cdi.schema.json", "cdi.yaml"]
    shown = show(folder)
    assert shown["workspace"] == "acme-shop"
    assert shown["sources"]["shop"]["client_id"] == "abc"  # type: ignore[index]
    assert shown["destinations"]["segment"]["region"] == "eu"  # type: ignore[index]
    assert (folder / ".gitignore").read_text() == ".cdi/\n.env\n"
    assert "COMMERCETOOLS_CLIENT_SECRET=\n" in (folder / ".env.example").read_text()
    assert text.splitlines() == [
        f"wrote cdi.yaml, cdi.schema.json, .env.example, .gitignore in {folder}",
        "next:",
        f"  1. cd '{folder}'",
        "  2. cp .env.example .env, fill in COMMERCETOOLS_CLIENT_SECRET, SEGMENT_WRITE_KEY, then: set -a; . ./.env; set +a",
        "  3. cdi check",
        "  4. cdi backfill --since 90d --dry-run",
    ]


def test_a_magento_project(tmp_path: Path) -> None:
    """It asks for the address, refers to the token, and shows where Magento keeps consent."""
    code, text = init(str(tmp_path), "--source", "magento", "--segment-region", "eu", "--yes")

    settings = (tmp_path / "cdi.yaml").read_text()
    assert code == 0
    assert "    base_url: https://magento.example.com  # change me\n" in settings
    assert "    access_token: ${MAGENTO_ACCESS_TOKEN}\n" in settings
    assert "{field: extension_attributes.is_subscribed, " in settings
    assert "MAGENTO_ACCESS_TOKEN=\n" in (tmp_path / ".env.example").read_text()
    assert "put a value in place of shop.base_url" in text
    assert show(tmp_path)["sources"]["shop"]["auth"] == "integration"  # type: ignore[index]


def test_an_elastic_path_project(tmp_path: Path) -> None:
    """It needs a region or an address, the key's id, and refers to its secret; consent is a field of the store's own."""
    flags = ["--source", "elasticpath", "--segment-region", "eu", "--yes"]

    code, text = init(str(tmp_path), *flags, "--region", "eu")
    refused, why = init(str(tmp_path / "other"), *flags)

    settings = (tmp_path / "cdi.yaml").read_text()
    assert code == 0, text
    assert "    region: eu\n" in settings
    assert "    client_id: your-client-id  # change me\n" in settings
    assert "    client_secret: ${ELASTICPATH_CLIENT_SECRET}\n" in settings
    assert "{field: marketing_consent, " in settings
    assert "ELASTICPATH_CLIENT_SECRET=\n" in (tmp_path / ".env.example").read_text()
    assert show(tmp_path)["sources"]["shop"]["region"] == "eu"  # type: ignore[index]
    assert refused == 2
    assert "needs `region`" in why


def test_a_private_elastic_path_has_an_address(tmp_path: Path) -> None:
    """With an address there is no region to ask for; both together are refused."""
    flags = ["--source", "elasticpath", "--segment-region", "eu", "--yes", "--set", "source.base_url=https://ep.example.com"]

    code, text = init(str(tmp_path), *flags)
    refused, why = init(str(tmp_path / "other"), *flags, "--region", "eu")

    assert code == 0, text
    assert "    base_url: https://ep.example.com\n" in (tmp_path / "cdi.yaml").read_text()
    assert show(tmp_path)["sources"]["shop"].get("region") is None  # type: ignore[index]
    assert refused == 2
    assert "either `region` or `base_url`" in why


def test_what_is_needed_depends_on_what_is_set(tmp_path: Path) -> None:
    """With signed requests the project has a consumer key to fill in and three secrets; none is taken from the line."""
    flags = ["--source", "magento", "--segment-region", "eu", "--yes", "--set", "source.auth=oauth1"]

    code, _text = init(str(tmp_path), *flags, "--set", "source.base_url=https://shop.example.com")
    refused, why = init(str(tmp_path / "other"), *flags, "--set", "source.consumer_secret=abc")

    settings = (tmp_path / "cdi.yaml").read_text()
    names = ("ACCESS_TOKEN", "ACCESS_TOKEN_SECRET", "CONSUMER_SECRET")
    assert code == 0
    assert "    consumer_key: your-consumer-key  # change me\n" in settings
    assert all(f"${{MAGENTO_{name}}}" in settings for name in names)
    assert show(tmp_path)["sources"]["shop"]["auth"] == "oauth1"  # type: ignore[index]
    assert (refused, "`consumer_secret` is a secret" in why, "abc" in why) == (2, True, False)


def test_what_may_come_later_gets_a_placeholder(tmp_path: Path) -> None:
    """With --yes an id may be filled in later: it is marked in the file and named in the next steps."""
    code, text = init(str(tmp_path), *FLAGS, "--yes")

    assert code == 0
    assert "    client_id: your-client-id  # change me\n" in (tmp_path / "cdi.yaml").read_text()
    assert "edit cdi.yaml: put a value in place of shop.client_id" in text


def test_a_region_is_never_guessed(tmp_path: Path) -> None:
    """A wrong region loses events silently, so it must be given even with --yes; nothing is written."""
    code, text = init(str(tmp_path / "new"), *FLAGS[:4], "--yes")

    assert code == 2
    assert text == (
        "error: the destination `segment` needs `region`\n"
        "  hint: add --segment-region us|eu, or run `cdi init` in a terminal to be asked\n"
    )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "comercetools"], "error: unknown source type `comercetools`\n  hint: did you mean `commercetools`?\n"),
        (["--region", "mars"], "`mars` is not a region"),
        (["--project-key", "my shop"], "`project_key` must match"),
        (["--segment-region", "asia"], "`region` must be one of `us`, `eu`"),
        (["--workspace", "My Shop"], "`workspace` must be 1 to 64"),
        (["--set", "source.pagesize=3"], "`pagesize` is no setting of the source `commercetools`"),
        (["--set", "source.client_secret=abc"], "`client_secret` is a secret: it is read from the environment"),
        (["--set", "page_size=3"], "`--set` needs the form"),
        (["--set", "source.page_size=many"], "`page_size` must be a whole number"),
    ],
)
def test_a_wrong_answer_writes_nothing(tmp_path: Path, arguments: list[str], message: str) -> None:
    """A flag that the connector refuses is explained before any file is made."""
    code, text = init(str(tmp_path / "new"), *FLAGS, "--yes", *arguments)

    assert code == 2
    assert message in text
    assert not (tmp_path / "new").exists()


def test_other_settings_by_set(tmp_path: Path) -> None:
    """--set reaches every setting of a connector; explicit addresses stand in for a region."""
    code, _ = init(
        str(tmp_path),
        *("--project-key", "my-shop", "--yes"),
        *("--set", "source.api_url=http://127.0.0.1:1/api", "--set", "source.auth_url=http://127.0.0.1:1/auth"),
        *("--set", "source.page_size=50", "--set", "destination.endpoint=http://127.0.0.1:1/segment"),
    )

    assert code == 0
    source = show(tmp_path)["sources"]["shop"]  # type: ignore[index]
    assert (source["api_url"], source["page_size"]) == ("http://127.0.0.1:1/api", 50)


@pytest.mark.parametrize("name", ["cdi.yaml", ".env.example", "cdi.schema.json"])
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    """A file that is there already stops everything, and stays as it is."""
    (tmp_path / name).write_text("mine")

    code, text = init(str(tmp_path), *FLAGS, "--yes")

    assert code == 2
    assert text == (
        f"error: {tmp_path / name} exists already; nothing was written\n  hint: name another folder: `cdi init DIR`\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    """A link at the place of a file counts as a file."""
    (tmp_path / "cdi.yaml").symlink_to(tmp_path / "elsewhere")

    assert init(str(tmp_path), *FLAGS, "--yes")[0] == 2
    assert not (tmp_path / "elsewhere").exists()


def test_a_gitignore_is_completed(tmp_path: Path) -> None:
    """An existing .gitignore keeps its lines and gets only those that are missing."""
    (tmp_path / ".gitignore").write_text("*.pyc\n.env")

    assert init(str(tmp_path), *FLAGS, "--yes")[0] == 0

    assert (tmp_path / ".gitignore").read_text() == "*.pyc\n.env\n.cdi/\n"


def test_the_plan_can_be_copied(tmp_path: Path) -> None:
    """--with-plan copies the built-in plan, with a line that leads editors to its schema, and the settings use the copy."""
    code, _ = init(str(tmp_path), *FLAGS, "--yes", "--with-plan")

    assert code == 0
    assert show(tmp_path)["plan"] == str(tmp_path / "tracking_plan")
    original = data_folder("tracking_plan")
    names = sorted(path.relative_to(original) for path in original.rglob("*.yaml"))
    assert names
    for name in names:
        line, _, rest = (tmp_path / "tracking_plan" / name).read_bytes().partition(b"\n")
        assert line.startswith(b"# yaml-language-server: $schema=")
        assert rest == (original / name).read_bytes()


def test_without_a_terminal_missing_answers_are_named(tmp_path: Path) -> None:
    """Nothing blocks on a question that nobody can answer."""
    code, text = init(str(tmp_path / "new"))

    assert code == 2
    assert text == (
        "error: the source `commercetools` needs `project_key` and `region` and `client_id`\n"
        "  hint: add --project-key PROJECT_KEY --region REGION --client-id CLIENT_ID, "
        "or run `cdi init` in a terminal to be asked\n"
    )


def test_in_a_terminal_questions_are_asked_until_answered(tmp_path: Path) -> None:
    """Each missing setting is asked for with its description; an answer that is refused is asked for again."""
    answers = ["my-shop", "mars", "europe-west1.gcp", "abc", "uk", "eu"]

    shown, code = _talk([str(tmp_path / "new")], answers)

    assert code == 0, shown
    assert "is not a region" in shown
    assert "must be one of `us`, `eu`" in shown
    project = show(tmp_path / "new")
    assert project["sources"]["shop"]["region"] == "europe-west1.gcp"  # type: ignore[index]
    assert project["destinations"]["segment"]["region"] == "eu"  # type: ignore[index]


def _talk(arguments: list[str], answers: list[str]) -> tuple[str, int]:
    """Run `cdi init` on a pseudo-terminal, answer each question when it is asked, return all that was shown."""
    pty = pytest.importorskip("pty", reason="a pseudo-terminal needs POSIX")
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "cdi_cli", "init", *arguments], stdin=slave, stdout=slave, stderr=slave, close_fds=True
    )
    os.close(slave)
    shown, waiting = "", list(answers)
    while True:
        ready, _, _ = select.select([master], [], [], 20)
        if not ready:
            child.kill()
            break
        try:
            chunk = os.read(master, 4096)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk.decode()
        if shown.endswith(": ") and waiting:
            os.write(master, (waiting.pop(0) + "\n").encode())
    os.close(master)
    return shown, child.wait(20)
