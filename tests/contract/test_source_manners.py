"""What every source promises about settings, checks, errors and secrets (`sources/_base.py`, CONTRIBUTING)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from contract_bench import ENTITIES, SourceBench, each_source, failed_texts, told_by, undescribed_fields
from pydantic import ValidationError
from simulators import Mistake, source_simulator

from cdi_cli import sources
from cdi_cli.checks import Check
from cdi_cli.config.types import ConnectorSettings
from cdi_cli.errors import CdiError
from cdi_cli.secrets import Secret


def mistakes(source: SourceBench) -> Iterator[tuple[str, Mistake]]:
    """The wrong set-ups of a source; a dead port is always among them."""
    found = source.simulator.mistakes
    assert "dead port" in found
    yield from found.items()


@each_source
def test_the_specification_is_consistent(source: SourceBench) -> None:
    """Names agree, streams are named once, have a known family, some way to be read and a description; one is default."""
    spec = source.spec

    assert spec.name in sources.names()
    assert spec.title
    assert len(set(spec.names)) == len(spec.names) > 0
    assert all(stream.family in ENTITIES for stream in spec.streams)
    assert all(stream.by_creation or stream.by_change for stream in spec.streams)
    assert all(stream.description for stream in spec.streams)
    assert any(stream.is_default for stream in spec.streams)
    assert [spec.stream(name).name for name in spec.names] == spec.names
    with pytest.raises(KeyError):
        spec.stream("no-such-stream")


@each_source
def test_every_setting_is_described(source: SourceBench) -> None:
    """The JSON Schema that editors use says something about each field, those of nested models too."""
    schema = source.spec.settings.model_json_schema()

    assert undescribed_fields(schema) == []
    assert len(schema["properties"]) > 2


@each_source
def test_settings_are_strict_and_frozen(source: SourceBench) -> None:
    """An unknown key is a mistake, and settings do not change once they are read."""
    assert issubclass(source.spec.settings, ConnectorSettings)
    with pytest.raises(ValidationError, match="no_such_setting"):
        source.settings(changes={"no_such_setting": 1})
    settings = source.settings()
    with pytest.raises(ValidationError):
        setattr(settings, next(iter(type(settings).model_fields)), "changed")


@each_source
def test_secrets_cannot_be_written_into_settings(source: SourceBench) -> None:
    """A secret in place of its reference is refused, without being repeated in the error."""
    references = [name for name, value in source.simulator.settings().items() if str(value).startswith("${")]
    assert references
    for name in references:
        with pytest.raises(ValidationError) as caught:
            source.settings(changes={name: "a-literal-canary"})
        assert "a-literal-canary" not in str(caught.value)


@each_source
async def test_a_good_set_up_passes_every_check(source: SourceBench) -> None:
    """All checks are ok and each says what was tested and found."""
    async with source.opened() as opened:
        checks = await opened.check()

    assert len(checks) > 1
    assert failed_texts(checks) == []
    assert all(isinstance(check, Check) and check.name and check.detail for check in checks)


@each_source
async def test_a_check_names_what_is_wrong_and_never_raises(source: SourceBench) -> None:
    """For each wrong set-up some check fails, names the thing and says what to do; no secret is shown."""
    for name, mistake in mistakes(source):
        async with source.opened(changes=mistake.settings, environment=mistake.environment) as opened:
            checks = await opened.check()

        failed = failed_texts(checks)
        assert failed, name
        assert any(mistake.named in text for text in failed), (name, failed)
        assert all(check.hint for check in checks if not check.is_ok), (name, failed)
        shown = repr(checks)
        assert not [secret for secret in [*source.secrets(), *mistake.environment.values()] if secret in shown], name


@each_source
async def test_every_error_is_one_of_ours_and_shows_no_secret(source: SourceBench) -> None:
    """Reading with a wrong set-up raises what the contract names; neither text nor traceback holds a secret."""
    for name, mistake in mistakes(source):
        for stream in [mistake.stream] if mistake.stream else source.spec.names:
            async with source.opened(changes=mistake.settings, environment=mistake.environment) as opened:
                with pytest.raises(CdiError) as caught:
                    await anext(opened.pages(stream, source.simulator.window, None))

            assert mistake.error is not None
            assert type(caught.value) is mistake.error, name
            told = told_by(caught.value)
            assert not [secret for secret in [*source.secrets(), *mistake.environment.values()] if secret in told], name
            assert caught.value.message[-1] != ".", name


@each_source
async def test_a_secret_that_is_missing_is_a_mistake_in_the_settings(
    source: SourceBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening without it fails at once, names the variable and asks nobody."""
    for name in source.simulator.environment:
        with pytest.raises(CdiError, match=name) as caught:
            async with source.opened(environment={name: ""}):
                pass
        assert caught.value.exit_code == 2
        assert caught.value.hint


@each_source
async def test_nothing_shows_a_secret(source: SourceBench) -> None:
    """Not the settings and not the open source, by `repr`, `str`, JSON, `vars` or pickled state, once it has a token."""
    async with source.opened() as opened:
        await opened.server_now()
        settings = source.settings()
        shown = [repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump()), repr(opened)]
        shown += [repr(value) for value in vars(opened).values()]

    assert source.simulator.secrets_served()
    assert not [secret for secret in source.secrets() for text in shown if secret in text]


@each_source
async def test_work_as_usual_says_nothing(
    source: SourceBench, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Checking, reading and closing print nothing, log nothing above debug level, and no secret at any level."""
    caplog.set_level(logging.DEBUG)
    stream = source.spec.names[0]
    async with source.opened(stream) as opened:
        await opened.check()
        async for page in opened.pages(stream, source.simulator.window, None):
            await opened.read(stream, page.records)

    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG] == []
    assert not [secret for secret in source.secrets() if secret in caplog.text]


@each_source
async def test_closing_twice_is_closing_once(source: SourceBench) -> None:
    """`close` may be called again, and before anything was asked."""
    async with source.opened() as opened:
        await opened.close()
        await opened.server_now()
        await opened.close()
        await opened.close()


@each_source
def test_resolved_secrets_are_a_type_that_does_not_print(source: SourceBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each secret field of the settings resolves to `Secret`, which has no JSON either."""
    for name, value in source.simulator.environment.items():
        monkeypatch.setenv(name, value)
    fields: dict[str, Any] = dict(source.settings())
    secrets = [field.resolve() for field in fields.values() if hasattr(field, "resolve")]

    assert len(secrets) == len(source.simulator.environment)
    assert all(isinstance(secret, Secret) for secret in secrets)
    with pytest.raises(TypeError):
        json.dumps(secrets)
    with pytest.raises(TypeError):
        msgspec.json.encode(secrets)


def test_a_source_without_a_simulator_fails_with_what_to_add() -> None:
    """The message names the file and the name that are missing."""
    with pytest.raises(pytest.fail.Exception, match=r"tests/simulators/unheard_of\.py.*SOURCE_SIMULATOR"):
        source_simulator("unheard_of")
