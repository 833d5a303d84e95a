"""Make Airflow's database, its pools and two accounts, or bring them up to date: `python prepare.py`.

Run before the other parts start; without one of the secrets it ends, and so does the start of all. The account
``admin`` may do everything; ``viewer`` has the role ``Viewer``, which sees runs and logs and starts nothing. Passwords
are those of the files C360_AIRFLOW_PASSWORD_FILE and C360_AIRFLOW_VIEWER_PASSWORD_FILE, also where the accounts are
there already; the database has their hashes.
"""

import os
import subprocess
import sys
from pathlib import Path

# account: its role, and the variable with the file of its password
ACCOUNTS = {
    "admin": ("Admin", "C360_AIRFLOW_PASSWORD_FILE"),
    "viewer": ("Viewer", "C360_AIRFLOW_VIEWER_PASSWORD_FILE"),
}
# Airflow makes up what of these is not given, anew at every start and in every container.
KEYS = ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY")
DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"  # without it, SQLite in the container
SHORTEST = 32  # characters of a password or key
POOLS = Path(__file__).parents[1] / "pools.json"


def main() -> None:
    """Ask for the secrets first: nothing is made without them."""
    passwords = {name: _password(variable) for name, (_, variable) in ACCOUNTS.items()}
    missing = [name for name in KEYS if len(os.environ.get(name, "")) < SHORTEST]
    missing += [] if os.environ.get(DATABASE) else [DATABASE]
    if missing:
        sys.exit(f"{', '.join(missing)}: not given, or too short: run deploy/new-secrets")
    for command in (["db", "migrate"], ["pools", "import", str(POOLS)]):
        subprocess.run([sys.executable, "-m", "airflow", *command], check=True)
    _make_accounts(passwords)


def _password(variable: str) -> str:
    path = os.environ.get(variable)
    try:
        password = Path(path or "").read_text(encoding="utf-8").strip()
    except OSError:
        sys.exit(f"{variable}: {path or 'no file'} cannot be read: run deploy/new-secrets")
    if len(password) < SHORTEST:
        sys.exit(f"{variable}: {path} has fewer than {SHORTEST} characters: run deploy/new-secrets")
    return password


def _make_accounts(passwords: dict[str, str]) -> None:
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        manager = builder.sm
        for name, (role, _) in ACCOUNTS.items():
            if user := manager.find_user(username=name):
                manager.reset_password(user.id, passwords[name])
            else:
                made = manager.add_user(
                    name, "c360", name, f"{name}@localhost", manager.find_role(role), passwords[name]
                )
                if not made:
                    sys.exit(f"the account {name} could not be made")


if __name__ == "__main__":
    main()
