"""Where things are and who may read them: one frozen object, from the environment."""

import os
import secrets
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lakehouse.errors import Stop

PROJECT = Path(__file__).resolve().parents[1]
VAR = PROJECT / "var"
BROKER_SCHEMES = ("redis://", "rediss://", "unix://")

Absolute = Annotated[Path, AfterValidator(Path.resolve)]


class Settings(BaseSettings):
    """Absolute paths and choices of one deployment; every field has an environment variable ``C360_<FIELD>``.

    A field's description says what it may be; it is the remedy when a value is refused. Secrets show as ``**********``
    wherever settings are printed or logged; code reads one by ``get_secret_value()``, at the last moment.
    """

    model_config = SettingsConfigDict(env_prefix="C360_", frozen=True)

    landing: Absolute = Field(VAR / "landing", description="the folder in which the sources put their deliveries")
    lake: Absolute = Field(VAR / "lake", description="the folder of the lake")
    build: Absolute = Field(VAR / "build.duckdb", description="the file in which DuckDB builds")
    warehouse: Absolute = Field(VAR / "warehouse.duckdb", description="the file that readers open")
    published: Absolute = Field(VAR / "published", description="the folder of published versions")
    deployment: Absolute = Field(PROJECT / "deployments" / "simulated.yml", description="a file of deployments/")
    target: Literal["duckdb", "postgres"] = Field("duckdb", description="duckdb or postgres")
    postgres_dsn: SecretStr = Field(SecretStr(""), description="postgresql://user:password@host:port/database")
    broker_url: SecretStr = Field(
        SecretStr(""), description="redis://host:port/0, rediss:// (TLS) or unix://, or nothing for files alone"
    )
    memory_limit: str = Field(
        "6GB",
        pattern=r"(?i)^(-1|none|[0-9]*\.?[0-9]+ ?(%|b|[kmgt]i?b?|(kilo|mega|giga|tera)?bytes?))$",
        description='a limit that DuckDB knows, for instance "6GB"',
    )
    token_secret: SecretStr = Field(
        SecretStr(""),
        description="a long random text, or nothing to have one made beside the lake",
        validate_default=True,
    )

    @classmethod
    def from_env(cls, **overrides: Any) -> "Settings":
        """Read ``C360_*``; keyword arguments that are not None win.

        Raises
        ------
        Stop
            If a value is not one that the setting may have; the message never shows a secret.
        """
        given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls(**given)
        except ValidationError as error:
            raise _refused(error) from None

    def environment(self) -> dict[str, str]:
        """The variables by which another process reads the same settings, secrets in clear text."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            f"C360_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in values.items()
        }

    @field_validator("broker_url")
    @classmethod
    def _is_redis(cls, url: SecretStr) -> SecretStr:
        if url and not url.get_secret_value().startswith(BROKER_SCHEMES):
            raise ValueError("no URL of Redis")
        return url

    @field_validator("token_secret")
    @classmethod
    def _given_or_generated(cls, secret: SecretStr, info: ValidationInfo) -> SecretStr:
        if secret or "lake" not in info.data:
            return secret
        return SecretStr(_generated_secret(info.data["lake"].parent / "token.secret"))


def _refused(error: ValidationError) -> Stop:
    """The first setting that is refused, and what it may be."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    field = Settings.model_fields.get(name)
    if field is None:
        return Stop(f"there is no setting {name}", f"use one of {', '.join(Settings.model_fields)}")
    value = "not valid" if field.annotation is SecretStr else repr(first["input"])
    return Stop(f"setting {name} (C360_{name.upper()}) is {value}", f"give {field.description}")


def _generated_secret(path: Path) -> str:
    """The token secret of an unconfigured installation: made once, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    with os.fdopen(descriptor, "w") as file:
        file.write(secret := secrets.token_hex(32))
    return secret
