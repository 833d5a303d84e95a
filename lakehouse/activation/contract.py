"""What is sent where: a contract per activation, below ``activations/``.

A contract names a published table, the columns that tell its rows apart, the columns that are sent, the target, and
what the target does with them. Whatever it does not name is not sent; of secrets, it names the file.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lakehouse.errors import Stop
from lakehouse.settings import PROJECT, Settings
from lakehouse.yaml_files import read_yaml

FOLDER = PROJECT / "activations"
SCHEMAS = ("marts", "scores", "actions")  # what may be sent; features are for models, and ops for people
NAME = r"^[a-z][a-z0-9_]{0,62}$"
Name = Annotated[str, Field(pattern=NAME)]
SecretName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileDrop(_Part):
    """A file of changes and its manifest in the folder of file drops, `C360_OUTBOX`."""

    kind: Literal["file"]
    folder: Name


class Webhook(_Part):
    """An address that takes changes by POST."""

    kind: Literal["webhook"]
    url: str = Field(pattern=r"^https?://[^@\s]+$")  # no password in it
    credential: SecretName | None = None  # file of the bearer token
    seconds: float = Field(30, gt=0)  # until an answer is given up


class PostgresTable(_Part):
    """A table whose rows become those of the published one."""

    kind: Literal["postgres"]
    credential: SecretName  # file of the connection string
    table: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}\.[a-z][a-z0-9_]{0,62}$")


class RedisStream(_Part):
    """A stream with an entry per change."""

    kind: Literal["redis"]
    credential: SecretName  # file of the URL
    stream: str = Field(min_length=1)


class KafkaTopic(_Part):
    """A topic with a message per change."""

    kind: Literal["kafka"]
    credential: SecretName  # file of the address, kafka:// or kafkas://
    topic: str = Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")


Target = Annotated[FileDrop | Webhook | PostgresTable | RedisStream | KafkaTopic, Field(discriminator="kind")]


class Retry(_Part):
    """How a target that does not answer is asked again, each time after twice as long."""

    attempts: int = Field(5, ge=1, le=100)
    first_wait_seconds: float = Field(1, ge=0)
    longest_wait_seconds: float = Field(60, ge=0)


class Activation(_Part):
    """One contract."""

    name: Name
    description: str
    table: str = Field(pattern=rf"^({'|'.join(SCHEMAS)})\.[a-z0-9_]+$")
    key: tuple[Name, ...] = Field(min_length=1)
    columns: tuple[Name, ...] = Field(min_length=1)
    # contact, service: customers whom the policy lets the bank turn to; inform: nobody is turned to because of it
    purpose: Literal["contact", "service", "inform"] = "contact"
    why: str | None = None  # `inform`: why nobody is turned to
    # mirror: the target has the rows of the table; update_only: rows that the target has are updated, and no others
    mode: Literal["mirror", "update_only"] = "mirror"
    batch_size: int = Field(100, ge=1, le=100_000)
    target: Target
    retry: Retry = Retry()

    @model_validator(mode="after")
    def _fits(self) -> "Activation":
        if both := set(self.key) & set(self.columns):
            raise ValueError(f"{', '.join(sorted(both))} is in key and columns: the key is always sent")
        if len(set(self.key)) < len(self.key) or len(set(self.columns)) < len(self.columns):
            raise ValueError("a column is named twice")
        if self.purpose == "inform" and not self.why:
            raise ValueError("purpose inform needs `why`: nobody is asked then whether the customer may be turned to")
        if self.table.startswith("actions.") and self.purpose == "inform":
            raise ValueError("an action is for turning to a customer: its purpose is contact or service")
        if self.table.startswith("actions.") and self.mode == "update_only":
            raise ValueError("with update_only an action that is forbidden could not be taken back")
        return self


@cache
def load_activations(folder: Path = FOLDER) -> dict[str, Activation]:
    """All contracts of the folder, by name.

    Raises
    ------
    Stop
        If one is not valid; the message names the file and what is wrong.
    """
    return {path.stem: _load(path) for path in sorted(folder.glob("*.yml"))}


def activation_of(name: str, folder: Path = FOLDER) -> Activation:
    """The contract of that name; raises `Stop` if there is none."""
    activations = load_activations(folder)
    if name not in activations:
        raise Stop(f"there is no activation {name}", f"use one of {', '.join(activations)}, or add {folder}/{name}.yml")
    return activations[name]


def secret_of(settings: Settings, name: str) -> str:
    """The secret of that name, read at the last moment: one file per secret, as orchestrators mount them.

    Raises
    ------
    Stop
        If the file is missing, empty, or others may read it; the message has no secret in it.
    """
    path = settings.activation_secrets / name
    try:
        text = path.read_text().strip()
        is_open = path.stat().st_mode & 0o007
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"secret {name}: {path} cannot be read", "put it there (C360_ACTIVATION_SECRETS)") from error
    if not text:
        raise Stop(f"secret {name}: {path} is empty", "put it there")
    if is_open:
        raise Stop(f"secret {name}: everybody may read {path}", f"chmod 640 {path}, or stricter")
    return text


def _load(path: Path) -> Activation:
    try:
        raw = read_yaml(path)
        return Activation(name=path.stem, **(raw if isinstance(raw, dict) else {}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise Stop(f"{path.name}: {place + ': ' if place else ''}{first['msg']}", "see docs/ACTIVATION.md") from None
    except (OSError, yaml.YAMLError, TypeError) as error:
        raise Stop(f"{path.name} cannot be read as a contract: {error}", "see docs/ACTIVATION.md") from error
