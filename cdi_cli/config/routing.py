"""The rules of `routing:` in a pipeline: which events go where, as what, and which are held back.

    routing:
      - when: {event: Order Completed, property: {path: coupon, matches: "^TEST"}}
        then: {filter: test_order}
      - {when: {country: [EU, GB], destination: insider}, then: {drop: [payment_method]}}

Rules are read in order. Every rule whose `when` holds applies; the first that stops the event (`filter`, `block`,
`quarantine`, or `only` and `not` that leave the destination out) ends it. What `drop` and `rename` say adds up.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag, field_validator, model_validator

from cdi_cli.config.privacy import refuse_mistaken

REASON_PATTERN = r"^[a-z0-9_-]{1,64}$"
COUNTRY_PATTERN = r"^([A-Z]{2}|EEA)$"

Reason = Annotated[str, StringConstraints(pattern=REASON_PATTERN)]
Country = Annotated[str, StringConstraints(pattern=COUNTRY_PATTERN)]
Text = Annotated[str, StringConstraints(min_length=1)]
Scalar = bool | int | float | str
TESTS = ("is", "in", "matches", "exists")
STOPS = ("filter", "block", "quarantine")


def _tag(value: Any) -> str:
    return "many" if isinstance(value, list | tuple) else "one"


def listed(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """One name, several or none, as a list."""
    return (value,) if isinstance(value, str) else value or ()


class _Part(BaseModel):
    """The base of all parts: unknown keys are errors, nothing changes after reading, no input in error texts."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def plain(self) -> dict[str, Any]:
        """What the file says, without what it leaves out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)


class PropertyTest(_Part):
    """What a property of the event must be; of a list's items one that is so is enough."""

    path: Text = Field(description="The property as the plan names it: `coupon`, `address.city`, `products[].sku`")
    is_: Scalar | None = Field(default=None, alias="is", description="It has this value")
    in_: Annotated[tuple[Scalar, ...], Field(min_length=1)] | None = Field(
        default=None, alias="in", description="It has one of these values"
    )
    matches: Text | None = Field(default=None, description="It is a text in which this pattern is found")
    exists: bool | None = Field(default=None, description="It is there (true), or it is not (false)")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sum(value is not None for value in (self.is_, self.in_, self.matches, self.exists)) != 1:
            msg = "needs exactly one of " + ", ".join(f"`{name}`" for name in TESTS)
            raise ValueError(msg)
        return self


class RuleCondition(_Part):
    """Which events a rule is about; all that is named must hold, and every event is meant where nothing is."""

    event: Text | tuple[Text, ...] | None = Field(default=None, description="Events, by their names in the plan")
    destination: Text | tuple[Text, ...] | None = Field(default=None, description="Only on the way to these destinations")
    store: Text | tuple[Text, ...] | None = Field(default=None, description="Key of the store, or one of several")
    channel: Text | tuple[Text, ...] | None = Field(default=None, description="Key of the channel, or one of several")
    brand: Text | tuple[Text, ...] | None = Field(default=None, description="Brand of a product in it: `products[].brand`")
    country: Country | tuple[Country, ...] | None = Field(
        default=None, description="Country (ISO 3166 alpha-2), or one of several; `EU` and `EEA` stand for their members"
    )
    region: Text | tuple[Text, ...] | None = Field(
        default=None, description="Region of this file (`regions:`), or one of several, by the country"
    )
    property_: (
        Annotated[
            Annotated[PropertyTest, Tag("one")] | Annotated[tuple[PropertyTest, ...], Tag("many")], Discriminator(_tag)
        ]
        | None
    ) = Field(default=None, alias="property", description="What a property must be, or a list of such tests: all hold")

    @field_validator("country")
    @classmethod
    def _check_codes(cls, country: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        refuse_mistaken(listed(country))
        return country

    @property
    def tests(self) -> tuple[PropertyTest, ...]:
        """The tests of properties."""
        return (self.property_,) if isinstance(self.property_, PropertyTest) else self.property_ or ()


class RuleAction(_Part):
    """What becomes of the events of a rule."""

    filter: Reason | None = Field(default=None, description="Not sent; counted under this reason")
    block: Reason | None = Field(default=None, description="A dead letter for as long as the rule stands")
    quarantine: Reason | None = Field(default=None, description="A dead letter until someone replays it, which releases it")
    only: Text | tuple[Text, ...] | None = Field(default=None, description="Sent to these destinations and to no others")
    not_: Text | tuple[Text, ...] | None = Field(default=None, alias="not", description="Not sent to these destinations")
    drop: Text | tuple[Text, ...] = Field(default=(), description="Properties that stay behind, as the plan names them")
    rename: dict[str, Text] = Field(default_factory=dict, description="The plan's property: its name at the destination")

    @model_validator(mode="after")
    def _check(self) -> Self:
        stops = [name for name in STOPS if getattr(self, name) is not None]
        ways = [name for name, value in (("only", self.only), ("not", self.not_)) if value is not None]
        changes = [name for name in ("drop", "rename") if getattr(self, name)]
        if not stops and not ways and not changes:
            msg = "needs one of " + ", ".join(f"`{name}`" for name in (*STOPS, "only", "not", "drop", "rename"))
            raise ValueError(msg)
        if len(stops) + len(ways) > 1:
            first, second = [*stops, *ways][:2]
            msg = f"`{first}` and `{second}` exclude each other"
            raise ValueError(msg)
        if stops and changes:
            msg = f"`{changes[0]}` says nothing of an event that `{stops[0]}` stops"
            raise ValueError(msg)
        return self

    @property
    def stop(self) -> tuple[str, str] | None:
        """How the event is held back and why: (`filter`, `block` or `quarantine`, reason)."""
        return next(((name, reason) for name in STOPS if (reason := getattr(self, name)) is not None), None)


class RoutingRule(_Part):
    """One rule; see the module."""

    when: RuleCondition = Field(default=RuleCondition(), description="Which events; every event when absent")
    then: RuleAction = Field(description="What becomes of them")

    def concerns(self, destination: str) -> bool:
        """Whether the rule changes anything on the way to a destination."""
        then, wanted = self.then, listed(self.when.destination)
        if wanted and destination not in wanted:
            return False
        return then.stop is not None or bool(then.drop or then.rename) or self.leaves_out(destination)

    def drops(self, path: str) -> bool:
        """Whether the rule takes away a property, or what it is in."""
        return any(path == out or path.startswith((f"{out}.", f"{out}[]")) for out in listed(self.then.drop))

    def leaves_out(self, destination: str) -> bool:
        """Whether the events of the rule do not go to a destination."""
        only, kept_from = listed(self.then.only), listed(self.then.not_)
        return (bool(only) and destination not in only) or destination in kept_from
