"""What every destination promises about settings, checks, errors and secrets (`destinations/_base.py`, CONTRIBUTING)."""

from __future__ import annotations

import logging

import pytest
from contract_bench import DestinationBench, each_destination, failed_texts, told_by, undescribed_fields
from contract_events import event
from pydantic import ValidationError
from simulators import destination_simulator

from cdi_cli import destinations
from cdi_cli.checks import Check
from cdi_cli.config.types import ConnectorSettings
from cdi_cli.destinations import Planned, Preflight
from cdi_cli.errors import AuthError, CdiError
from cdi_cli.plan import compile_plan, load_plan

_PLAN = compile_plan(load_plan())
PLANNED = [
    Planned(rule.kind, rule.type, rule.name, tuple(path for path, _ in rule.planned.walk()))
    for kind in _PLAN.kinds
    for rule in _PLAN.rules(kind)
]


@each_destination
def test_the_specification_is_consistent(destination: DestinationBench) -> None:
    """Names agree, there is a title for people, and the claim about repeats is a plain yes or no."""
    spec = destination.spec

    assert spec.name in destinations.names()
    assert spec.title
    assert spec.is_idempotent in (True, False)
    assert issubclass(spec.settings, ConnectorSettings)


@each_destination
def test_every_setting_is_described(destination: DestinationBench) -> None:
    """The JSON Schema that editors use says something about each field, those of nested models too."""
    schema = destination.spec.settings.model_json_schema()

    assert undescribed_fields(schema) == []
    assert len(schema["properties"]) > 2


@each_destination
def test_settings_are_strict_and_frozen(destination: DestinationBench) -> None:
    """An unknown key is a mistake, a literal secret too, and settings do not change once they are read."""
    with pytest.raises(ValidationError, match="no_such_setting"):
        destination.settings({"no_such_setting": 1})
    references = [name for name, value in destination.simulator.settings().items() if str(value).startswith("${")]
    assert references or not destination.simulator.environment
    for name in references:
        with pytest.raises(ValidationError) as caught:
            destination.settings({name: "a-literal-canary"})
        assert "a-literal-canary" not in str(caught.value)
    settings = destination.settings()
    with pytest.raises(ValidationError):
        setattr(settings, next(iter(destination.simulator.settings())), "changed")


@each_destination
async def test_a_good_set_up_passes_every_check(destination: DestinationBench) -> None:
    """All checks are ok, each says what was tested and found, and checking delivers nothing."""
    async with destination.opened() as opened:
        checks = await opened.check()

    assert checks
    assert failed_texts(checks) == []
    assert all(isinstance(check, Check) and check.name and check.detail for check in checks)
    assert destination.applied_ids() == []
    assert destination.simulator.deliveries() == []


@each_destination
async def test_a_wrong_set_up_is_named_and_shows_no_secret(destination: DestinationBench) -> None:
    """`check` never raises and some check names the thing; sending raises one of our errors; neither holds a secret."""
    mistakes = destination.simulator.mistakes
    # A destination without a server has other ways not to be there.
    assert "dead port" in mistakes or (mistakes and not destination.simulator.environment)
    for name, mistake in mistakes.items():
        async with destination.opened(mistake.settings, mistake.environment) as opened:
            failed = failed_texts(checks := await opened.check())
            body = opened.encode(event(1))
            assert isinstance(body, bytes)
            with pytest.raises(CdiError) as caught:
                await opened.send([body])

        assert any(mistake.named in text for text in failed), (name, failed)
        assert all(check.hint for check in checks if not check.is_ok), (name, failed)
        assert type(caught.value) is mistake.error, name
        told = repr(checks) + told_by(caught.value)
        assert not [secret for secret in [*destination.secrets(), *mistake.environment.values()] if secret in told], name


@each_destination
async def test_a_preflight_only_asks(destination: DestinationBench) -> None:
    """One that offers it passes on its simulator, with the default plan; it delivers nothing and raises when refused."""
    async with destination.opened() as opened:
        if not isinstance(opened, Preflight):
            return
        checks = await opened.preflight(PLANNED)
        unknown = await opened.preflight([Planned("none", "track", "Never Heard Of", ("odd",))])

    assert checks
    assert failed_texts(checks) == []
    assert failed_texts(unknown)
    assert all(check.detail and check.hint for check in unknown if not check.is_ok)
    assert (destination.applied_ids(), destination.simulator.deliveries()) == ([], [])
    mistake = next(one for one in destination.simulator.mistakes.values() if issubclass(one.error, AuthError))
    async with destination.opened(mistake.settings, mistake.environment) as opened:
        assert isinstance(opened, Preflight)
        with pytest.raises(CdiError) as caught:
            await opened.preflight(PLANNED)
    assert not [secret for secret in destination.secrets() if secret in told_by(caught.value)]


@each_destination
async def test_a_secret_that_is_missing_is_a_mistake_in_the_settings(destination: DestinationBench) -> None:
    """Opening without it fails at once and names the variable."""
    for name in destination.simulator.environment:
        with pytest.raises(CdiError, match=name) as caught:
            async with destination.opened(environment={name: ""}):
                pass
        assert caught.value.exit_code == 2
        assert caught.value.hint


@each_destination
async def test_work_as_usual_says_nothing(
    destination: DestinationBench, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Checking, sending and closing print nothing, log nothing above debug level, and show no secret anywhere."""
    caplog.set_level(logging.DEBUG)
    async with destination.opened() as opened:
        await opened.check()
        body = opened.encode(event(1))
        assert isinstance(body, bytes)
        await opened.send([body])
        settings = destination.settings()
        shown = [repr(settings), str(settings), settings.model_dump_json(), repr(opened)]
        shown += [repr(value) for value in vars(opened).values()]

    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG] == []
    assert not [
        secret for secret in destination.secrets() for text in [*shown, caplog.text, body.decode()] if secret in text
    ]


@each_destination
async def test_closing_twice_is_closing_once(destination: DestinationBench) -> None:
    """`close` may be called again, and before anything was sent."""
    async with destination.opened() as opened:
        await opened.close()
        await opened.close()


def test_a_destination_without_a_simulator_fails_with_what_to_add() -> None:
    """The message names the file and the name that are missing."""
    with pytest.raises(pytest.fail.Exception, match=r"tests/simulators/unheard_of\.py.*DESTINATION_SIMULATOR"):
        destination_simulator("unheard_of")
