"""Erasing a person: nothing is sent about them any more, what is kept goes, and what else has to be asked for is told.

In this order, so that a crash in between leaves nothing that could be sent again: the hashed names are written down as
erased; dead letters go; ledger entries go. Doing it twice does no harm. The names are those of `events/people.py`: the
customer's id, and every e-mail address that the customer's account has. Orders and carts, and with them the keys of their
events, are known only through the source while it still has them; where it cannot be asked the rest is done, and told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cdi_cli.commerce import Cart, Customer, Entity, Order
from cdi_cli.destinations import ErasureRequest, Person
from cdi_cli.errors import CdiError, ConfigError, StateError
from cdi_cli.events import IdentitySettings, customer_subject, email_subject
from cdi_cli.events.identity import email_sha256, guest_id, normalize_email
from cdi_cli.events.identity import identity_of as ids_of
from cdi_cli.pipeline.erase_letters import Marks, letters_of
from cdi_cli.pipeline.items import origins
from cdi_cli.pipeline.looking import Way, entity_of, happenings, keys_of_id, open_source, ways_of
from cdi_cli.pipeline.project import Project
from cdi_cli.secrets import REDACTOR
from cdi_cli.sources import FindBy, Reading, Source, SourceSpec, Unreadable
from cdi_cli.state._base import Store, StoredDeparture

BELONGINGS = ("order", "cart")
"""Families of what a person leaves behind besides the account."""


@dataclass(frozen=True, slots=True)
class Who:
    """Whom to erase: customer ids and e-mail addresses as they were given."""

    customer_ids: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


@dataclass(slots=True)
class Dossier:
    """Everything that is known of a person in one source. `notes`: what could not be looked up, in words."""

    source: str
    customer_ids: set[str] = field(default_factory=set)
    emails: set[str] = field(default_factory=set)
    entities: list[tuple[str, bytes, Entity]] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    is_complete: bool = True
    notes: list[str] = field(default_factory=list)

    @property
    def subjects(self) -> tuple[bytes, ...]:
        """The hashed names of the person."""
        names = [customer_subject(one) for one in sorted(self.customer_ids)]
        names += [name for one in sorted(self.emails) if (name := email_subject(one)) is not None]
        return tuple(dict.fromkeys(names))

    def own(self) -> list[Entity]:
        """The entities that belong to no other account: somebody else's order may name this person's address."""
        return [
            entity for _, _, entity in self.entities if getattr(entity, "customer_id", None) in {None, *self.customer_ids}
        ]

    def count(self, kind: type) -> int:
        """How many entities of a kind there are."""
        return len({entity.id for _, _, entity in self.entities if isinstance(entity, kind)})


@dataclass(frozen=True, slots=True)
class Requests:
    """What a person has to ask one destination for. `note`: why there is nothing to ask, or what is missing in it."""

    pipeline: str
    destination: str
    person: Person
    requests: tuple[ErasureRequest, ...]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """What was (or, `is_dry`, would be) done in one source."""

    source: str
    customers: int
    orders: int
    carts: int
    dead_letters: int
    ledger_entries: int
    requests: tuple[Requests, ...]
    notes: tuple[str, ...]
    is_complete: bool
    is_dry: bool


def checked(who: Who) -> Who:
    """The same, trimmed; raises ConfigError for an e-mail that is none, or for nobody."""
    emails = tuple(email.strip() for email in who.emails)
    if any("@" not in email or not normalize_email(email) for email in emails):
        raise ConfigError("what was given with `--email` is no e-mail address", hint="write it as `name@example.com`")
    ids = tuple(one.strip() for one in who.customer_ids if one.strip())
    if not ids and not emails:
        raise ConfigError("nobody was named", hint="name a person with `--email` (`-` reads it from the input) or `--id`")
    return Who(ids, emails)


async def look_up(project: Project, pipelines: Sequence[str], who: Who) -> list[Dossier]:
    """What each source of these pipelines knows of a person; a source that cannot be asked is noted."""
    found: list[Dossier] = []
    for source_name in _sources(project, pipelines):
        dossier = Dossier(source_name, set(who.customer_ids), {normalize_email(email) for email in who.emails})
        pipeline = next(name for name in pipelines if project.settings.pipelines[name].source == source_name)
        try:
            async with open_source(project, pipeline) as source:
                await _collect(source, project.source_spec(source_name), dossier, who)
        except StateError:
            raise
        except CdiError as error:
            dossier.is_complete = False
            dossier.notes.append(
                f"the source `{source_name}` could not be asked ({REDACTOR(error.message)}): orders and carts of the person "
                "are not known, so their entries stay in the ledger"
            )
        found.append(dossier)
    return found


def _sources(project: Project, pipelines: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(project.settings.pipelines[name].source for name in pipelines))


async def _collect(source: Source, spec: SourceSpec, dossier: Dossier, who: Who) -> None:
    """Customers first: their ids and addresses are what orders and carts are then asked for by."""
    for email in who.emails:
        await _add(source, spec, dossier, ("customer",), "email", email)
    for customer_id in sorted(dossier.customer_ids):
        await _add(source, spec, dossier, ("customer",), "id", customer_id)
    for _, _, entity in dossier.entities:
        if isinstance(entity, Customer):
            dossier.customer_ids.add(entity.id)
            if entity.email:
                dossier.emails.add(normalize_email(entity.email))
    for customer_id in sorted(dossier.customer_ids):
        await _add(source, spec, dossier, BELONGINGS, "customer_id", customer_id)
    for email in dict.fromkeys((*who.emails, *sorted(dossier.emails))):
        await _add(source, spec, dossier, BELONGINGS, "email", email)
    if others := len(dossier.entities) - len(dossier.own()):
        dossier.notes.append(
            f"{others} of the orders and carts with this e-mail address belong to another customer account, which is not "
            "erased: if it is the same person, erase it by `--id`, too"
        )


async def _add(
    source: Source, spec: SourceSpec, dossier: Dossier, families: tuple[str, ...], by: FindBy, value: str
) -> None:
    known = {(stream, entity.id) for stream, _, entity in dossier.entities}
    for stream in spec.streams:
        if stream.family not in families or not stream.is_default:
            continue
        records = await source.find(stream.name, by, value)
        readings = await _read(source, stream.name, records)
        for record, found in zip(records, readings, strict=True):
            for origin, reading in origins(record, found):
                entity = entity_of(reading)
                if entity is not None and (stream.name, entity.id) not in known:
                    known.add((stream.name, entity.id))
                    dossier.entities.append((stream.name, origin, entity))
                elif isinstance(reading, Unreadable) and reading.record_id:
                    dossier.unreadable.add(reading.record_id)


async def _read(source: Source, stream: str, records: Sequence[bytes]) -> list[list[Reading]]:
    readings: list[list[Reading]] = []
    for start in range(0, len(records), 100):
        readings += await source.read(stream, records[start : start + 100])
    return readings


def erase(
    project: Project, store: Store, pipelines: Sequence[str], dossiers: Iterable[Dossier], *, is_dry: bool
) -> list[Erased]:
    """Carry it out in the checkpoint file (`is_dry`: only count), and tell what else has to be asked for."""
    done: list[Erased] = []
    for dossier in dossiers:
        ways = ways_of(project, [name for name in pipelines if project.settings.pipelines[name].source == dossier.source])
        if not is_dry:
            store.erase(dossier.source, dossier.subjects)
        letters = list(letters_of(store, marks_of(dossier, ways)))
        keys = keys_of(dossier, ways)
        if is_dry:
            entries = len(store.trace(keys)) if keys else 0
        else:
            store.drop_letters(letters)
            entries = store.strike(keys) if keys else 0
        done.append(
            Erased(
                source=dossier.source,
                customers=dossier.count(Customer),
                orders=dossier.count(Order),
                carts=dossier.count(Cart),
                dead_letters=len(letters),
                ledger_entries=entries,
                requests=tuple(_requests(project, way, person_of(dossier, way.identity)) for way in ways),
                notes=tuple(dossier.notes),
                is_complete=dossier.is_complete,
                is_dry=is_dry,
            )
        )
    return done


def marks_of(dossier: Dossier, ways: Sequence[Way]) -> Marks:
    """What makes a dead letter this person's."""
    ids = dossier.customer_ids | dossier.unreadable | {entity.id for _, _, entity in dossier.entities}
    for way in ways:
        person = person_of(dossier, way.identity)
        ids |= {*person.user_ids, *person.anonymous_ids}
    return Marks(dossier.source, frozenset(ids), frozenset(dossier.emails))


def keys_of(dossier: Dossier, ways: Sequence[Way]) -> set[bytes]:
    """The ledger keys of everything that was or could have been sent about this person."""
    keys: set[bytes] = set()
    for way in ways:
        for customer_id in dossier.customer_ids:
            keys.update(keys_of_id(way, "customer", customer_id))
        for _, record, entity in dossier.entities:
            for each in happenings(way, entity, record):
                if each.event is not None:
                    keys.add(each.event.key)
                    keys |= {each.event.whole_key} if each.event.whole_key is not None else set()
    return keys


def person_of(dossier: Dossier, identity: IdentitySettings) -> Person:
    """The ids under which events about this person went out, by a pipeline's identity settings."""
    users: dict[str, None] = {}
    guests: dict[str, None] = {}
    if identity.user_id == "customer_id":
        users |= dict.fromkeys(sorted(dossier.customer_ids))
    else:
        users |= dict.fromkeys(digest for email in sorted(dossier.emails) if (digest := email_sha256(email)))
    guests |= dict.fromkeys(guest for email in sorted(dossier.emails) if (guest := guest_id(email)))
    for entity in dossier.own():
        if isinstance(entity, (Customer, Order, Cart)):
            user_id, anonymous_id = ids_of(entity, identity)
            users |= {user_id: None} if user_id else {}
            guests |= {anonymous_id: None} if anonymous_id else {}
    return Person(tuple(users), tuple(guests))


def _requests(project: Project, way: Way, person: Person) -> Requests:
    erasure = project.destination_spec(way.destination_name).erasure
    note = None
    if erasure is None:
        note = "it has no deletion API that cdi knows: ask it for deletion by hand"
        made: list[ErasureRequest] = []
    else:
        made = erasure(project.settings.destinations[way.destination_name].settings, person)
        if not person.user_ids:
            what = "the customer's id" if way.identity.user_id == "customer_id" else "the e-mail address"
            note = f"no user id is known: {what} would be needed (see `cdi erase --help`)"
    return Requests(way.pipeline, way.destination_name, person, tuple(made), note)


def departed(project: Project, pipelines: Sequence[str], waiting: Sequence[StoredDeparture]) -> list[Requests]:
    """What has to be asked for because the sources deleted customers."""
    requests: list[Requests] = []
    for source_name in _sources(project, pipelines):
        dossier = _departures(source_name, waiting)
        ways = ways_of(project, [name for name in pipelines if project.settings.pipelines[name].source == source_name])
        if dossier.customer_ids:
            requests += [_requests(project, way, person_of(dossier, way.identity)) for way in ways]
    return requests


def close_departed(project: Project, store: Store, pipelines: Sequence[str], up_to: int) -> tuple[int, int, int]:
    """The requests for departures up to a number were made: forget these people; returns how many, letters, entries."""
    chosen = [each for each in store.departures() if each.id <= up_to and each.source in _sources(project, pipelines)]
    letters = entries = 0
    for source_name in {each.source for each in chosen}:
        dossier = _departures(source_name, chosen)
        ways = ways_of(project, [name for name in pipelines if project.settings.pipelines[name].source == source_name])
        letters += store.drop_letters(list(letters_of(store, marks_of(dossier, ways))))
        keys = keys_of(dossier, ways)
        entries += store.strike(keys) if keys else 0
    store.close_departures([each.id for each in chosen])
    return len(chosen), letters, entries


def _departures(source: str, waiting: Sequence[StoredDeparture]) -> Dossier:
    return Dossier(source, {each.departure.entity_id for each in waiting if each.source == source})
