"""Where things are and who may read them: one frozen object, from the environment."""

import os
import secrets
import shlex
import tempfile
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from lakehouse.errors import Stop

PROJECT = Path(__file__).resolve().parents[1]
VAR = PROJECT / "var"
BROKER_SCHEMES = ("redis", "rediss", "unix", "kafka", "kafkas")

SHORTEST_SECRET = 32  # characters: fewer can be guessed, and with them every token


def _folder(path: Path) -> Path:
    if path.exists() and not path.is_dir():
        raise ValueError("no folder")
    return path.resolve()


def _file(path: Path) -> Path:
    if path.exists() and not path.is_file():
        raise ValueError("no file")
    return path.resolve()


Folder = Annotated[Path, AfterValidator(_folder)]
File = Annotated[Path, AfterValidator(_file)]


class Settings(BaseSettings):
    """Absolute paths and choices of one deployment; every field has an environment variable ``C360_<FIELD>``.

    A field's description says what it may be; it is the remedy when a value is refused. Secrets show as ``**********``
    wherever settings are printed or logged; code reads one by ``get_secret_value()``, at the last moment.
    """

    model_config = SettingsConfigDict(env_prefix="C360_", frozen=True)

    landing: Folder = Field(VAR / "landing", description="the folder in which the sources put their deliveries")
    lake: Folder = Field(VAR / "lake", description="the folder of the lake")
    build: File = Field(VAR / "build.duckdb", description="the file in which DuckDB builds")
    warehouse: File = Field(VAR / "warehouse.duckdb", description="the file that readers open")
    published: Folder = Field(VAR / "published", description="the folder of published versions")
    deployment: File = Field(PROJECT / "deployments" / "simulated.yml", description="a file of deployments/")
    target: Literal["duckdb", "postgres", "spark"] = Field("duckdb", description="duckdb, postgres or spark")
    postgres_dsn: SecretStr = Field(SecretStr(""), description="postgresql://user:password@host:port/database")
    spark_master: str = Field(
        "local[2]",
        pattern=r"^(local(\[(\d+|\*)\])?|spark://\S+|yarn|k8s://\S+)$",
        description="local[CORES], or a cluster as Spark names it: spark://host:port, yarn, k8s://host:port",
    )
    broker_url: SecretStr = Field(
        SecretStr(""),
        description="redis://host:port/0, rediss:// (TLS), unix://, kafka://host:port or kafkas:// (TLS), "
        "or nothing for files alone",
    )
    api_tokens: File = Field(VAR / "api_tokens.json", description="the file of the API's tokens")
    api_rate: str = Field(
        "300/second",
        pattern=r"^[1-9][0-9]{0,6}/(second|minute|hour)$",
        description='how often one token may ask the API, for instance "300/second"',
    )
    outbox: Folder = Field(VAR / "outbox", description="the folder of file drops, for other systems to take")
    activation_secrets: Folder = Field(
        VAR / "activation_secrets", description="the folder with a file for each secret of the activations"
    )
    alerts: File = Field(PROJECT / "alerts.yml", description="the file with the rules of alerts")
    audit_anchor: str = Field(
        "",
        pattern=r"^$|^stdout$|^https?://[^@\s]+$|^[^\s:]+$",
        description="a folder or an https:// address that keeps heads of the audit, stdout, or nothing",
    )
    legal_holds: File = Field(VAR / "legal_holds.csv", description="the file that lists who must not be erased yet")
    memory_limit: str = Field(
        "6GB",
        pattern=r"(?i)^(-1|none|[0-9]*\.?[0-9]+ ?(%|b|[kmgt]i?b?|(kilo|mega|giga|tera)?bytes?))$",
        description='a limit that DuckDB knows, for instance "6GB"',
    )
    token_secret: SecretStr = Field(
        SecretStr(""),
        description=f"a random text of at least {SHORTEST_SECRET} characters, or nothing to have token.secret made "
        "beside the lake; put one that was cut off back from your vault, or, while the lake is empty, remove it",
        validate_default=True,
    )

    @classmethod
    def from_env(cls, **overrides: Any) -> "Settings":
        """Read ``C360_*``, secrets also from files (``C360_*_FILE``); keyword arguments that are not None win.

        Raises
        ------
        Stop
            If a value is not one that the setting may have, or a secret's file cannot be read. No secret is shown.
        """
        given = _given(overrides)
        try:
            return cls(**given)
        except ValidationError as error:
            raise _refused(error.errors(include_url=False)[0]) from None

    @classmethod
    def below(cls, folder: Path, **overrides: Any) -> "Settings":
        """The same for a deployment whose files lie in one folder, by their usual names; keyword arguments win."""
        defaults = {name: field.default for name, field in cls.model_fields.items()}
        places = {
            name: folder / place.relative_to(VAR)
            for name, place in defaults.items()
            if isinstance(place, Path) and place.is_relative_to(VAR)
        }
        return cls.from_env(**{**places, **overrides})

    @classmethod
    def refused(cls, **overrides: Any) -> dict[str, Stop]:
        """Every setting with a value that it may not have, and why; none of them is used."""
        given = _given(overrides)
        try:
            cls(**given)
        except ValidationError as error:
            return {str(fault["loc"][0]): _refused(fault) for fault in error.errors(include_url=False)}
        return {}

    def environment(self) -> dict[str, str]:
        """The variables by which another process reads the same settings, secrets in clear text."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            f"C360_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in values.items()
        }

    def shell(self, without: Collection[str] = ()) -> str:
        """The same for a shell to read, whatever is in a path: ``set -a; . FILE``.

        Parameters
        ----------
        without : collection of str
            Variables to leave out.
        """
        values = self.environment().items()
        return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values if name not in without)

    @field_validator("broker_url")
    @classmethod
    def _is_of_a_broker(cls, url: SecretStr) -> SecretStr:
        scheme, slashes, place = url.get_secret_value().partition("://")
        if url and not (scheme in BROKER_SCHEMES and slashes and place):
            raise ValueError("no address of a broker")
        return url

    @field_validator("token_secret")
    @classmethod
    def _given_or_generated(cls, secret: SecretStr, info: ValidationInfo) -> SecretStr:
        if not secret:
            if "lake" not in info.data:
                return secret
            secret = SecretStr(_generated_secret(secret_file(info.data["lake"])))
        if len(secret.get_secret_value().strip()) < SHORTEST_SECRET:
            raise ValueError("too short")
        return secret


SECRETS = tuple(name for name, field in Settings.model_fields.items() if field.annotation is SecretStr)


def _given(overrides: Mapping[str, Any]) -> dict[str, Any]:
    return _secrets_by_file() | {name: value for name, value in overrides.items() if value is not None}


def _secrets_by_file() -> dict[str, SecretStr]:
    """The secrets of which the environment names a file; a variable that has the secret itself wins.

    Raises
    ------
    Stop
        If a file cannot be read or is empty: nothing starts without its secrets.
    """
    found = {}
    for name in SECRETS:
        variable = f"C360_{name.upper()}"
        path = os.environ.get(f"{variable}_FILE")
        if not path or os.environ.get(variable):
            continue
        try:
            text = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Stop(
                f"{path} ({variable}_FILE) cannot be read", "put the secret there, readable for who runs"
            ) from error
        if not text:
            raise Stop(f"{path} ({variable}_FILE) is empty", "put the secret there")
        found[name] = SecretStr(text)
    return found


def _refused(first: ErrorDetails) -> Stop:
    """A setting that is refused, and what it may be."""
    name = str(first["loc"][0])
    field = Settings.model_fields.get(name)
    if field is None:
        return Stop(f"there is no setting {name}", f"use one of {', '.join(Settings.model_fields)}")
    value = "not valid" if field.annotation is SecretStr else repr(first["input"])
    return Stop(f"setting {name} (C360_{name.upper()}) is {value}", f"give {field.description}")


def secret_file(lake: Path) -> Path:
    """Where an installation whose environment gives no token secret keeps its own: beside the lake."""
    return lake.parent / "token.secret"


def _generated_secret(path: Path) -> str:
    """The token secret of an unconfigured installation: made once, readable by its owner only.

    It appears whole or not at all, and of several first starts one makes it: a half-written secret would make tokens
    that can be guessed.
    """
    try:
        if not path.exists():
            write_secret(path, secrets.token_hex(32))
        return path.read_text()
    except OSError as error:
        raise Stop(f"{path} cannot be made: {error.strerror}", "free some space, or set C360_TOKEN_SECRET") from error


def write_secret(path: Path, secret: str) -> None:
    """Put a secret into a file that its owner alone may read; one that is there stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".token.secret.", dir=path.parent)  # its mode is 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another start was first
            path.hardlink_to(temporary)
    finally:
        Path(temporary).unlink()
