"""Make Superset's own database, its roles and the account ``admin``, or bring them up to date: `python prepare.py`.

Run by Superset's environment before the server starts. The password is that of the file C360_BI_PASSWORD_FILE, also
where the account is there already.
"""

import os
import sys
from pathlib import Path

from superset.app import create_app
from superset.cli.main import superset

ADMIN = "admin"


def main() -> None:
    """Run Superset's own commands in one process: each start of it takes seconds."""
    app = create_app()
    runner = app.test_cli_runner()
    for command in (["db", "upgrade"], ["init"]):
        done = runner.invoke(superset, args=command)
        if done.exit_code:
            sys.exit(f"superset {' '.join(command)}: {done.output}\n{done.exception!r}")
    password = Path(os.environ["C360_BI_PASSWORD_FILE"]).read_text(encoding="utf-8").strip()
    with app.app_context():
        accounts = app.appbuilder.sm
        if user := accounts.find_user(ADMIN):
            accounts.reset_password(user.id, password)
        else:
            accounts.add_user(ADMIN, "c360", ADMIN, "admin@localhost", accounts.find_role("Admin"), password)


if __name__ == "__main__":
    main()
