"""The rules: what `alerts.yml` says of receivers and of what they are told."""

from collections.abc import Iterator
from datetime import datetime, time
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from c360.bi.specs import Words
from lakehouse.activation.contract import Name, Retry, SecretName, Webhook
from lakehouse.errors import Stop
from lakehouse.language import Language
from lakehouse.settings import PROJECT
from lakehouse.warehouse.publication import SCHEMAS
from lakehouse.yaml_files import read_yaml

FILE = PROJECT / "alerts.yml"
CASES = "actions.cases"  # its rows are worked on in the workbench
Column = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\{language\})?$")]
ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]  # in quotes: YAML reads 22:00 as a number
Address = Annotated[str, Field(pattern=r"^[^@\s,<>]+@[^@\s,<>]+$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mail(_Part):
    """A mail server, and whom it brings the messages to."""

    kind: Literal["smtp"]
    host: str = Field(min_length=1)
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    credential: SecretName | None = None  # file of user and password, with a colon between them
    sender: Address
    to: tuple[Address, ...] = Field(min_length=1)
    seconds: float = Field(30, gt=0)  # until an answer is given up

    @model_validator(mode="after")
    def _keeps_the_password(self) -> "Mail":
        if self.credential and self.security == "none":
            raise ValueError("a password is not sent in clear: security starttls or tls, or no credential")
        return self


class Receiver(_Part):
    """Somebody who is told."""

    language: Language = "en"
    target: Annotated[Mail | Webhook, Field(discriminator="kind")]
    retry: Retry = Retry()

    @property
    def place(self) -> str:
        """Kind of target and where it is, without a secret and without a person's address."""
        target = self.target
        return f"webhook {target.url}" if isinstance(target, Webhook) else f"smtp {target.host}:{target.port}"


class QuietHours(_Part):
    """Local times between which nobody is told; they may span midnight."""

    start: ClockTime = Field(alias="from")
    end: ClockTime = Field(alias="to")

    def hold(self, local: datetime) -> bool:
        """Whether a local time lies within.

        >>> night = QuietHours.model_validate({"from": "22:00", "to": "07:00"})
        >>> [night.hold(datetime(2026, 1, 5, hour)) for hour in (6, 7, 21, 22)]
        [True, False, False, True]
        """
        start, end, now = time.fromisoformat(self.start), time.fromisoformat(self.end), local.time()
        return start <= now < end if start <= end else now >= start or now < end


class Rule(_Part):
    """Rows of a published table that somebody is to know of."""

    name: Name
    title: Words
    severity: Literal["critical", "warning", "info"]
    table: str = Field(pattern=rf"^({'|'.join(SCHEMAS)})\.[a-z0-9_]+$")
    condition: str = Field(min_length=1)  # SQL over its columns, local_date() and published_date()
    key: tuple[Name, ...] = Field(min_length=1)  # what tells cases apart
    changes: tuple[Column, ...] = ()  # a case in which one of these changes is told again
    shows: tuple[Column, ...] = ()  # what is said of a case besides its key
    group: Name | None = None  # the message counts its cases by this column, and lists them in its order
    largest: Name | None = None  # the message lists cases by this column, the largest first
    at_most: int = Field(50, ge=1, le=1000)  # cases that a message lists; it counts all
    to: tuple[Name, ...] = Field(min_length=1)
    quiet_hours: QuietHours | None = None
    runbook: str = ""  # where it says what to do; without it, the section of docs/RUNBOOKS.md with its name

    @property
    def what_to_do(self) -> str:
        """Where it says what to do about a case."""
        return self.runbook or f"docs/RUNBOOKS.md#{self.name}"

    @property
    def is_of_cases(self) -> bool:
        """Whether its cases are those that people work on in the workbench."""
        return self.table == CASES

    def columns(self) -> Iterator[str]:
        """Every column that it reads, but for those of its condition."""
        named = (*self.key, *self.changes, *self.shows, *filter(None, (self.group, self.largest)))
        for language in ("en", "zh"):
            yield from (column.format(language=language) for column in named)


class Alerts(_Part):
    """All rules, and those whom they name."""

    receivers: dict[Name, Receiver]
    rules: dict[Name, Rule]

    @model_validator(mode="after")
    def _names_receivers(self) -> "Alerts":
        for rule in self.rules.values():
            if unknown := sorted(set(rule.to) - set(self.receivers)):
                raise ValueError(f"rule {rule.name}: there is no receiver {', '.join(unknown)}")
        return self

    def chosen(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The same names; raises `Stop` if one is of no receiver."""
        if unknown := sorted(set(names) - set(self.receivers)):
            raise Stop(
                f"there is no receiver {', '.join(unknown)}", f"use one of {', '.join(self.receivers)}, or add it"
            )
        return names


@cache
def load_alerts(path: Path = FILE) -> Alerts:
    """The rules of the file.

    Raises
    ------
    Stop
        If it is not valid; the message names the rule and what is wrong.
    """
    try:
        raw = read_yaml(path)
        rules = {name: {"name": name} | rule for name, rule in raw["rules"].items()}
        return Alerts.model_validate(raw | {"rules": rules})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise Stop(
            f"{path.name}: {place + ': ' if place else ''}{first['msg']}",
            "correct the file that C360_ALERTS names: docs/ALERTS.md",
        ) from None
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise Stop(
            f"{path.name} cannot be read as rules: {error!r}", "correct the file that C360_ALERTS names: docs/ALERTS.md"
        ) from error
