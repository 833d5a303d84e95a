"""How Superset runs here: people log in, nothing leaves the network, and each question sees the store as it is now.

Read by Superset's own environment (`requirements/superset.lock`), which knows nothing of this project. Where things
are comes from ``C360_*``, secrets from files.
"""

import os
import re
from pathlib import Path

from duckdb_engine import ConnectionWrapper
from flask import Flask, Response, jsonify, request
from flask_login import current_user
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine, make_url


def _secret(name: str) -> str:
    """The content of the file that a variable names."""
    return Path(os.environ[name]).read_text(encoding="utf-8").strip()


SECRET_KEY = _secret("C360_BI_SECRET_KEY_FILE")
SQLALCHEMY_DATABASE_URI = (
    _secret("C360_BI_METADATA_FILE")
    if "C360_BI_METADATA_FILE" in os.environ
    else f"sqlite:///{Path(os.environ['SUPERSET_HOME']) / 'superset.db'}"
)

LANGUAGES = {"en": {"flag": "us", "name": "English"}, "zh": {"flag": "cn", "name": "中文"}}
BABEL_DEFAULT_LOCALE = "en"
APP_NAME = "c360"

# Nobody reads without logging in, and nobody makes an account for themselves.
AUTH_USER_REGISTRATION = False
PUBLIC_ROLE_LIKE = None
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = os.environ.get("C360_BI_TLS", "no") == "yes"  # a proxy with TLS stands before it
ENABLE_PROXY_FIX = SESSION_COOKIE_SECURE
WTF_CSRF_ENABLED = True
PREVENT_UNSAFE_DB_CONNECTIONS = True
FEATURE_FLAGS = {"ALERT_REPORTS": False, "EMBEDDED_SUPERSET": False}

# A closed network: pages may load nothing from elsewhere, and look for no new version.
TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
        "script-src": ["'self'", "'strict-dynamic'"],
        "frame-ancestors": ["'self'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": SESSION_COOKIE_SECURE,
}
THEME_FONT_URL_ALLOWED_DOMAINS: list[str] = []
MAPBOX_API_KEY = ""

# Answers are not kept: the next publish is seen by the next question.
ROW_LIMIT = 10_000
SUPERSET_WEBSERVER_TIMEOUT = 60
SQLLAB_TIMEOUT = 60


def _literal(text: str) -> str:
    quoted = text.replace("'", "''")
    return f"'{quoted}'"


@event.listens_for(Engine, "connect")
def _attach_store(connection: object, _record: object) -> None:
    """Give a connection of DuckDB, a database of its own in memory, the store as it is published at this moment.

    Beyond the store's own files nothing can be read or written from it, whatever is asked.
    """
    if not isinstance(connection, ConnectionWrapper):
        return
    for statement in (
        f"attach {_literal(os.environ['C360_WAREHOUSE'])} as store (read_only)",
        "use store",
        f"set memory_limit = {_literal(os.environ.get('C360_MEMORY_LIMIT', '2GB'))}",
        f"set allowed_directories = [{_literal(os.environ['C360_PUBLISHED'])}]",
        "set enable_external_access = false",
        "set lock_configuration = true",
    ):
        connection.execute(statement)


def DB_CONNECTION_MUTATOR(  # noqa: N802  Superset's name
    uri: URL, parameters: dict[str, object], *_: object
) -> tuple[URL, dict[str, object]]:
    """Open the store's Postgres with the reader's account: the assets name neither host nor password."""
    if uri.drivername.startswith("postgresql") and uri.host == "c360_store":
        uri = make_url(_secret("C360_BI_STORE_FILE"))
    return uri, parameters


PIXEL = b"https://apachesuperset.gateway.scarf.sh/pixel/"
NOTHING = b"data:image/gif;base64,R0lGODlhAQABAAAAACw=#"


COLOURS = re.compile(r"/api/v1/dashboard/\d+/colors")


def FLASK_APP_MUTATOR(app: Flask) -> None:  # noqa: N802  Superset's name
    """Mend two things of Superset's pages that its build cannot leave out."""

    @app.before_request
    def colours_of_a_reader() -> Response | None:
        """The page of a dashboard writes down its colours as it opens, whoever looks; a reader's are not kept."""
        if request.method != "PUT" or not COLOURS.fullmatch(request.path) or not current_user.is_authenticated:
            return None
        return None if app.appbuilder.sm.can_access("can_write", "Dashboard") else jsonify(result=[])

    @app.after_request
    def without_pixel(response: Response) -> Response:
        """Take out the picture that counts installations for Superset's makers."""
        if request.path.startswith("/static/assets/") and request.path.endswith(".js") and response.status_code == 200:
            response.direct_passthrough = False
            script = response.get_data()
            if PIXEL in script:
                response.set_data(script.replace(PIXEL, NOTHING))
        return response
