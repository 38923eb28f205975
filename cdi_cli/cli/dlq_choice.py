"""Which dead letters a command means: the options that all of `cdi dlq` share, each declared once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

if TYPE_CHECKING:
    from cdi_cli.state._base import LetterFilter, Store

P = ParamSpec("P")

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")]


@dataclass(frozen=True, slots=True)
class Choice:
    """The dead letters that the command line names, as it was typed; all of them where it names none.

    Its fields are the options that all of `cdi dlq` share, see `chooses`.
    """

    numbers: Annotated[
        list[int] | None, typer.Argument(help="Numbers of dead letters, from `cdi dlq list`", show_default=False)
    ] = None
    reason: Annotated[str | None, typer.Option("--reason", help="Only this reason", show_default=False)] = None
    event: Annotated[str | None, typer.Option("--event", help="Only this event", show_default=False)] = None
    stream: Annotated[str | None, typer.Option("--stream", "-s", help="Only this stream", show_default=False)] = None
    destination: Annotated[
        str | None, typer.Option("--destination", "-d", help="Only this destination", show_default=False)
    ] = None
    pipeline: Annotated[str | None, typer.Option("--pipeline", "-p", help="Only this pipeline", show_default=False)] = None
    entity: Annotated[
        str | None, typer.Option("--entity", help="Only this order, customer or cart, by its id", show_default=False)
    ] = None
    since: Annotated[
        str | None,
        typer.Option(
            "--since", help="Only what failed last at or after this: 2026-01-31, 12h, yesterday (UTC)", show_default=False
        ),
    ] = None
    until: Annotated[
        str | None, typer.Option("--until", help="Only what failed last before this (UTC)", show_default=False)
    ] = None
    run: Annotated[int | None, typer.Option("--run", help="Only what this run left, see `cdi runs`", show_default=False)] = (
        None
    )
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="At most so many, newest first", show_default=False)
    ] = None

    @property
    def named(self) -> tuple[int, ...]:
        """The numbers that stand on the command line."""
        return tuple(self.numbers or ())

    @property
    def is_everything(self) -> bool:
        """Whether nothing was named."""
        return not self.numbers and not self.words

    @property
    def words(self) -> str:
        """The choice as options of a command line, without `--limit`."""
        named = ("reason", "event", "stream", "destination", "pipeline", "entity", "since", "until", "run")
        given = ((name, getattr(self, name)) for name in named)
        return " ".join(f"--{name} {value}" for name, value in given if value is not None)

    def filter(self) -> LetterFilter:
        """What the checkpoint file is asked for; raises ConfigError for a date that is none."""
        from cdi_cli.cli.when import parse_when, parse_zone
        from cdi_cli.clock import SYSTEM_CLOCK, Instant
        from cdi_cli.state._base import LetterFilter

        def instant(text: str | None, option: str) -> Instant | None:
            if text is None:
                return None
            return parse_when(text, now=SYSTEM_CLOCK.now(), zone=parse_zone("UTC"), option=option).instant

        return LetterFilter(
            pipeline=self.pipeline,
            destination=self.destination,
            stream=self.stream,
            reason=self.reason,
            event_name=self.event,
            entity_id=self.entity,
            run_id=self.run,
            since=instant(self.since, "--since"),
            until=instant(self.until, "--until"),
            numbers=self.named or None,
        )


def chooses(command: Callable[Concatenate[Choice, P], None]) -> Callable[..., None]:
    """A command whose first parameter is a choice, as Typer wants it: with an option for each field of `Choice` instead.

    Its own parameters without a default come first, those with one after the shared ones.
    """
    names = [each.name for each in fields(Choice)]

    def chosen(**given: Any) -> None:
        command(Choice(**{name: given.pop(name) for name in names}), **given)  # type: ignore[call-arg]

    own = [*inspect.signature(command, eval_str=True).parameters.values()][1:]
    required = [each for each in own if each.default is each.empty]
    shared = inspect.signature(Choice, eval_str=True).parameters.values()
    ordered = [*required, *shared, *(each for each in own if each not in required)]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in ordered]
    chosen.__doc__, chosen.__name__, chosen.__module__ = command.__doc__, command.__name__, command.__module__
    chosen.__annotations__ = {each.name: each.annotation for each in parameters}
    vars(chosen)["__signature__"] = inspect.Signature(parameters)
    return chosen


def find_numbers(store: Store | None, choice: Choice) -> list[int]:
    """The numbers of the dead letters that are meant, newest first; raises ConfigError for a number that does not exist."""
    from cdi_cli.errors import ConfigError
    from cdi_cli.state._base import LetterFilter

    named = choice.named
    known = set(store.letter_numbers(LetterFilter(numbers=named))) if store and named else set()
    if unknown := [number for number in named if number not in known]:
        raise ConfigError(
            f"there is no dead letter {unknown[0]}", hint="`cdi dlq list` shows their numbers; what was delivered has left"
        )
    return store.letter_numbers(choice.filter(), limit=choice.limit) if store else []


def in_doubt_unnamed(store: Store | None, choice: Choice) -> set[int]:
    """Those among the chosen dead letters whose events may have arrived, where neither number nor reason names them."""
    from cdi_cli.state._base import IN_DOUBT

    if choice.named or choice.reason is not None:
        return set()
    return set(find_numbers(store, replace(choice, reason=IN_DOUBT, limit=None)))


def require_choice(choice: Choice) -> None:
    """Raise ConfigError where the command line names no dead letter."""
    from cdi_cli.errors import ConfigError

    if choice.is_everything:
        raise ConfigError("no dead letter is named", hint="give numbers from `cdi dlq list`, or a filter such as `--reason`")


def counted(count: int) -> str:
    """So many dead letters, in words."""
    return f"{count:,} dead letter{'' if count == 1 else 's'}"


def seconds_of(wait: str | None) -> float:
    """The seconds that `--wait` means; raises ConfigError for what is no duration."""
    from cdi_cli.config.durations import parse_option

    return float(parse_option(wait, "--wait")) if wait is not None else 0.0
