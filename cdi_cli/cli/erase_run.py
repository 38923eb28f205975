"""Erasing for the command line: who is meant, a question before anything is done, and what was done in words."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer

from cdi_cli.cli import output
from cdi_cli.cli.closing import say
from cdi_cli.config.durations import parse_option
from cdi_cli.errors import ConfigError, StoppedError
from cdi_cli.pipeline.erase import Erased, Requests, Who, checked, close_departed, departed, erase, look_up
from cdi_cli.state import open_store

if TYPE_CHECKING:
    from cdi_cli.pipeline.project import Project
    from cdi_cli.state._base import StoredDeparture


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of `cdi erase`, as it was typed."""

    pipelines: tuple[str, ...]
    email: str | None = None
    customer_id: str | None = None
    is_departed: bool = False
    done: int | None = None
    is_confirmed: bool = False
    is_dry: bool = False
    wait: str | None = None
    is_json: bool = False


def run(project: Project, options: Options) -> None:
    """Do what was asked for; raises StoppedError at the end where a source could not be asked."""
    if options.done is not None and not options.is_departed:
        raise ConfigError("`--done` goes with `--departed`", hint="list the departures with `cdi erase --departed` first")
    if options.is_departed:
        if options.email is not None or options.customer_id is not None:
            raise ConfigError("`--departed` names everybody already", hint="leave out `--email` and `--id`, or `--departed`")
        _run_departed(project, options)
        return
    who = _who(options)
    if options.is_dry or not options.is_confirmed:
        if not options.is_dry:
            _require_somebody()
        planned = _plan(project, options, who)
        if options.is_dry:
            _tell(planned, options)
            return
        _confirm(planned)
    with open_store(project.settings.state, wait_seconds=_wait_seconds(options)) as store:
        # Looked up under the lock: what a sync delivered a moment ago is found as well.
        dossiers = asyncio.run(look_up(project, options.pipelines, who))
        done = erase(project, store, options.pipelines, dossiers, is_dry=False)
    _tell(done, options)


def _plan(project: Project, options: Options, who: Who) -> list[Erased]:
    """What would be done."""
    path = project.settings.state
    if not path.exists():
        if options.is_dry:
            raise ConfigError("there is no checkpoint file yet: nothing was sent", hint="run it without `--dry-run`")
        return []
    dossiers = asyncio.run(look_up(project, options.pipelines, who))
    with open_store(path, read_only=True) as store:
        return erase(project, store, options.pipelines, dossiers, is_dry=True)


def _who(options: Options) -> Who:
    email = options.email
    if email == "-":
        if sys.stdin.isatty():
            say(output.talk(), "e-mail address of the person:")
        email = sys.stdin.readline().strip()
    return checked(
        Who(
            (options.customer_id,) if options.customer_id is not None else (),
            (email,) if email is not None else (),
        )
    )


def _require_somebody() -> None:
    """Raise ConfigError where nobody can answer a question."""
    if not sys.stdin.isatty():
        raise ConfigError("nobody is there to confirm it", hint="look with `--dry-run`, then add `--yes`")


def _confirm(planned: Sequence[Erased]) -> None:
    """Ask, on standard error."""
    for one in planned:
        for line in summary(one):
            say(output.talk(), line)
    typer.confirm("Erase this person? It cannot be undone", abort=True, err=True)


def _wait_seconds(options: Options) -> float:
    return 0.0 if options.wait is None else parse_option(options.wait, "--wait", "write for example `--wait 30s`")


def _tell(done: Sequence[Erased], options: Options) -> None:
    if options.is_json:
        output.print_json([asdict(one) for one in done])
    else:
        for one in done:
            for line in summary(one):
                say(output.data(), output.plain(line))
            for line in request_lines(one.requests):
                say(output.data(), output.plain(line))
    if not all(one.is_complete for one in done):
        is_dry = all(one.is_dry for one in done)
        raise StoppedError(
            "not everything about the person is known, as a source could not be asked",
            hint="run the same command again when the source answers"
            + ("" if is_dry else "; nothing is sent about them any more"),
        )


def summary(one: Erased) -> Iterator[str]:
    """What was found and done in one source, in words and numbers only."""
    found = ", ".join(_counted(number, noun) for number, noun in
                      ((one.customers, "customer"), (one.orders, "order"), (one.carts, "cart")))  # fmt: skip
    yield f"source {one.source}: {found} found there"
    yield from (f"note: {note}" for note in one.notes)
    removed = f"{_counted(one.dead_letters, 'dead letter')}, {_counted(one.ledger_entries, 'ledger entry')}"
    if one.is_dry:
        yield "would be erased: nothing would be sent about this person any more"
        yield f"would be removed: {removed}"
    else:
        yield "erased: nothing is sent about this person any more"
        yield f"removed: {removed}"


def _counted(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def request_lines(requests: Sequence[Requests]) -> Iterator[str]:
    """What is to be asked of each destination, ready to be copied; an address that two pipelines share stands once."""
    told: set[str] = set()
    for each in requests:
        yield ""
        yield f"to ask of {each.destination} (pipeline {each.pipeline}):"
        if each.note:
            yield f"  note: {each.note}"
        for request in each.requests:
            body = json.dumps(request.body, ensure_ascii=False) if request.body is not None else ""
            text = f"{request.method} {request.url} {body}"
            if text in told:
                yield f"  {request.title}: as above"
                continue
            told.add(text)
            yield f"  {request.title}:"
            yield f"    {request.method} {request.url}"
            if body:
                yield f"    {body}"
            if request.needs:
                yield f"    needs: {request.needs}"
        if not each.requests and not each.note:
            yield "  nothing: no event carried an id of this person"


def _run_departed(project: Project, options: Options) -> None:
    path = project.settings.state
    if not path.exists():
        raise ConfigError("there is no checkpoint file yet: nothing was sent", hint="run `cdi backfill` first")
    if options.done is not None:
        _close(project, options, options.done)
        return
    sources = {project.settings.pipelines[name].source for name in options.pipelines}
    with open_store(path, read_only=True) as store:
        waiting = [each for each in store.departures() if each.source in sources]
    requests = departed(project, options.pipelines, waiting)
    if options.is_json:
        output.print_json(
            {"departed": [_departure(each) for each in waiting], "requests": [asdict(one) for one in requests]}
        )
        return
    data = output.data()
    if not waiting:
        say(data, "no departures: the sources told of no deleted customer whose requests are not made")
        return
    for each in waiting:
        departure = each.departure
        say(data, output.plain(f"{each.id}: customer {departure.entity_id} of {each.source}, deleted {departure.at}"))
    for line in request_lines(requests):
        say(data, output.plain(line))
    say(output.talk(), f"hint: when they are made, `cdi erase --departed --done {waiting[-1].id}{project.config_flag}`")


def _departure(each: StoredDeparture) -> dict[str, object]:
    departure = each.departure
    return {
        "number": each.id,
        "source": each.source,
        "customer_id": departure.entity_id,
        "deleted_at": departure.at,
        "noted_at": each.noted_at,
    }


def _close(project: Project, options: Options, up_to: int) -> None:
    if options.is_dry:
        raise ConfigError("`--done` cannot be tried out", hint="leave out `--dry-run`, or `--done` to look only")
    with open_store(project.settings.state, wait_seconds=_wait_seconds(options)) as store:
        people, letters, entries = close_departed(project, store, options.pipelines, up_to)
    if options.is_json:
        output.print_json({"closed": people, "dead_letters": letters, "ledger_entries": entries})
        return
    say(output.data(), f"closed: {_counted(people, 'departure')}")
    say(output.data(), f"removed: {_counted(letters, 'dead letter')}, {_counted(entries, 'ledger entry')}")
