"""Make Superset's own database, its roles and two accounts, or bring them up to date: `python prepare.py`.

Run by Superset's environment before the server starts. The account ``admin`` may do everything; ``reader`` has the role
``Reader``, which sees every dashboard and changes nothing. Passwords are those of the files C360_BI_PASSWORD_FILE and
C360_BI_READER_PASSWORD_FILE, also where the accounts are there already.
"""

import os
import sys
from pathlib import Path

from superset.app import create_app
from superset.cli.main import superset
from superset.security import SupersetSecurityManager

# account: its role, and the variable with the file of its password
ACCOUNTS = {
    "admin": ("Admin", "C360_BI_PASSWORD_FILE"),
    "reader": ("Reader", "C360_BI_READER_PASSWORD_FILE"),
}
# All that the role Reader may: open dashboards and their charts, in both languages, and change the own password.
# What it may write is a filter's or a link's state, which is of the session and nobody else's.
READER = {
    "all_datasource_access": ["all_datasource_access"],
    "can_read": [
        "Chart", "CurrentUserRestApi", "Dashboard", "DashboardFilterStateRestApi", "DashboardPermalinkRestApi",
        "Dataset", "SecurityRestApi", "Theme",
    ],
    "can_write": ["DashboardFilterStateRestApi", "DashboardPermalinkRestApi"],
    "can_dashboard": ["Superset"],
    "can_dashboard_permalink": ["Superset"],
    "can_language_pack": ["Superset"],
    "can_log": ["Superset"],
    "can_recent_activity": ["Log"],
    "can_get": ["MenuApi"],
    "can_time_range": ["Api"],
    "can_view_chart_as_table": ["Dashboard"],
    "can_userinfo": ["UserDBModelView"],
    "resetmypassword": ["UserDBModelView"],
    "can_this_form_get": ["ResetMyPasswordView"],
    "can_this_form_post": ["ResetMyPasswordView"],
    "menu_access": ["Dashboards", "Home"],
}  # fmt: skip


def main() -> None:
    """Run Superset's own commands in one process: each start of it takes seconds."""
    app = create_app()
    runner = app.test_cli_runner()
    for command in (["db", "upgrade"], ["init"]):
        done = runner.invoke(superset, args=command)
        if done.exit_code:
            sys.exit(f"superset {' '.join(command)}: {done.output}\n{done.exception!r}")
    with app.app_context():
        manager = app.appbuilder.sm
        _allow(manager)
        for name, (role, variable) in ACCOUNTS.items():
            password = Path(os.environ[variable]).read_text(encoding="utf-8").strip()
            if user := manager.find_user(name):
                manager.reset_password(user.id, password)
            else:
                manager.add_user(name, "c360", name, f"{name}@localhost", manager.find_role(role), password)


def _allow(manager: SupersetSecurityManager) -> None:
    """Give the role Reader what it may, and take from it what it may not."""
    wanted = {(permission, view) for permission, views in READER.items() for view in views}
    found = {one: manager.find_permission_view_menu(*one) for one in wanted}
    if lacking := sorted(one for one, known in found.items() if known is None):
        sys.exit(f"this Superset has no permission {lacking}")
    role = manager.find_role("Reader") or manager.add_role("Reader")
    for known in list(role.permissions):
        if known not in found.values():
            manager.del_permission_role(role, known)
    for known in found.values():
        manager.add_permission_role(role, known)


if __name__ == "__main__":
    main()
