"""Which token secret a lake was made with: another one would give every customer another token."""

import hmac
from pathlib import Path

from pydantic import SecretStr

from lakehouse.errors import Stop
from lakehouse.lake.files import appearing
from lakehouse.settings import Settings

_ABOUT = b"fingerprint of the token secret"


class AnotherSecret(Stop):
    """The lake was made with another token secret."""


def require_same_secret(settings: Settings) -> None:
    """Keep the secret's fingerprint with a new lake, and hold every later secret against it.

    The fingerprint is an HMAC-SHA-256 of a fixed text: the secret cannot be read from it.

    Raises
    ------
    AnotherSecret
        If the fingerprint is that of another secret, or a change of the secret was cut short.
    """
    if (rotation_folder(settings) / "ready").exists():
        raise AnotherSecret(f"the secret of {settings.lake} is being changed", "`c360 secret rotate` finishes it")
    path, expected = fingerprint_file(settings), fingerprint(settings.token_secret)
    if not path.exists():
        with appearing(path) as temporary:
            temporary.write_text(expected)
    if not hmac.compare_digest(path.read_text(), expected):
        raise AnotherSecret(
            f"setting token_secret (C360_TOKEN_SECRET) is not the one that {settings.lake} was made with",
            "give that one; `c360 secret rotate` changes it, lake and all",
        )


def fingerprint(secret: SecretStr) -> str:
    """What tells a secret from another and does not give it away: 64 hex digits."""
    return hmac.digest(secret.get_secret_value().encode(), _ABOUT, "sha256").hex()


def rotation_folder(settings: Settings) -> Path:
    """Where a lake with another secret is made; once its file ``ready`` is there, that lake takes over."""
    return settings.lake.with_name(f".{settings.lake.name}.rotation")


def fingerprint_file(settings: Settings) -> Path:
    """The file of the lake that holds the fingerprint."""
    return settings.lake / "token.fingerprint"
