"""Which token secret a lake was made with: another one would give every customer another token."""

import hmac
from pathlib import Path

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
        If the fingerprint is that of another secret.
    """
    path = fingerprint_file(settings)
    key = settings.token_secret.get_secret_value().encode()
    fingerprint = hmac.digest(key, _ABOUT, "sha256").hex()
    if not path.exists():
        with appearing(path) as temporary:
            temporary.write_text(fingerprint)
    if not hmac.compare_digest(path.read_text(), fingerprint):
        raise AnotherSecret(
            f"setting token_secret (C360_TOKEN_SECRET) is not the one that {settings.lake} was made with",
            "give that one; a new secret needs a new lake",
        )


def fingerprint_file(settings: Settings) -> Path:
    """The file of the lake that holds the fingerprint."""
    return settings.lake / "token.fingerprint"
