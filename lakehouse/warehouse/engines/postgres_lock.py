"""The lock of a build in Postgres, and the fence around it: who has lost it, even unnoticed, changes nothing any more.

The lock is held by a connection. If that breaks (the network dropped it, the server was killed, somebody ended it)
another run may take the lock while this one stood still or knows nothing of it. So

- whoever takes the lock ends what the run before it has left at work in the build schemas,
- a thread watches the connection, and interrupts the run when it breaks,
- what would outlast the run, its state and its publish, asks within its own transaction whether the lock is still
  this run's; whoever takes the lock waits for the end of such a transaction.
"""

import os
import select
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

import psycopg

from lakehouse.sql import only_row
from lakehouse.warehouse.engines import EngineLocked

BUILD_LOCK = 360  # the advisory lock of a whole build
FENCE_LOCK = 362  # shared by transactions that need the build lock, taken once by whoever takes that
INTERRUPT = signal.SIGUSR1  # a shell has its background jobs ignore SIGINT, and a task of Airflow dies of it unheard
_HOLDER: ContextVar[int | None] = ContextVar("holder", default=None)  # backend that holds the lock for this run
_LEFT_AT_WORK = """
    select pg_terminate_backend(locks.pid)
    from pg_locks as locks
    inner join pg_stat_activity as backends on locks.pid = backends.pid
    left join pg_class as relations on locks.locktype = 'relation' and locks.relation = relations.oid
    left join pg_namespace as schemas on relations.relnamespace = schemas.oid
    where backends.datname = current_database()
        and backends.usename = current_user
        and backends.backend_type = 'client backend'
        and locks.pid <> pg_backend_pid()
        and (
            (schemas.nspname = any(%s) and locks.mode not in ('AccessShareLock', 'RowShareLock'))
            or (locks.locktype = 'advisory' and locks.objid = %s and locks.mode = 'ShareLock')
        )
    group by locks.pid
"""
_HELD = """
    select count(*) > 0 from pg_locks
    where locktype = 'advisory' and objid = %s and granted and pid = %s
        and database = (select oid from pg_database where datname = current_database())
"""


@contextmanager
def held(connection: psycopg.Connection, wait: float, build_schemas: tuple[str, ...]) -> Generator[None]:
    """Hold the lock by a connection in autocommit, which nobody else uses.

    Raises
    ------
    EngineLocked
        If another run holds it for ``wait`` seconds, or it was lost within the block.
    """
    _take(connection, wait)
    connection.execute(_LEFT_AT_WORK, [list(build_schemas), FENCE_LOCK])
    connection.execute("select pg_advisory_lock(%s), pg_advisory_unlock(%s)", [FENCE_LOCK, FENCE_LOCK])
    token = _HOLDER.set(connection.info.backend_pid)
    try:
        with _watched(connection):
            yield
    finally:
        _HOLDER.reset(token)


def require_held(connection: psycopg.Connection) -> None:
    """Stop if the lock under which this run works is not its own any more; nobody takes it before the transaction ends.

    Where no lock is asked for (a test, a command that builds nothing), nothing is required.
    """
    if (holder := _HOLDER.get()) is None:
        return
    connection.execute("select pg_advisory_xact_lock_shared(%s)", [FENCE_LOCK])
    if not only_row(connection.execute(_HELD, [BUILD_LOCK, holder]))[0]:
        raise _lost()


def _lost() -> EngineLocked:
    return EngineLocked(
        "the connection that held the build in Postgres was lost, and another run may have taken over: "
        "what this run had not published yet is dropped; run the date again"
    )


def _take(connection: psycopg.Connection, wait: float) -> None:
    deadline = time.monotonic() + wait
    while not only_row(connection.execute("select pg_try_advisory_lock(%s)", [BUILD_LOCK]))[0]:
        if time.monotonic() > deadline:
            holder = connection.execute(
                "select pid, coalesce(host(client_addr), 'this machine'), backend_start "
                "from pg_locks join pg_stat_activity using (pid) "
                "where locktype = 'advisory' and objid = %s and granted and datname = current_database()",
                [BUILD_LOCK],
            ).fetchone()
            who = "backend {} (from {}, since {:%Y-%m-%d %H:%M} UTC)".format(*holder) if holder else "another run"
            raise EngineLocked(
                f"the build in Postgres was held by {who} for {wait:.0f} s: "
                "wait until that run ends, or stop it, and run again"
            )
        time.sleep(0.1)


@contextmanager
def _watched(connection: psycopg.Connection) -> Generator[None]:
    """Interrupt the block as soon as the connection breaks; a thread that is not the main one cannot be interrupted."""
    ending, end = os.pipe()
    is_lost, is_main = threading.Event(), threading.current_thread() is threading.main_thread()

    def watch() -> None:
        poll = select.poll()
        for file in (connection.fileno(), ending):
            poll.register(file, select.POLLIN)
        while ending not in {file for file, _ in poll.poll()}:
            try:
                connection.execute("select 1")  # the server may have had something else to say
            except psycopg.Error:
                is_lost.set()
                if is_main:
                    signal.pthread_kill(threading.main_thread().ident or 0, INTERRUPT)
                return

    watcher = threading.Thread(target=watch, name="build lock", daemon=True)
    before = signal.signal(INTERRUPT, signal.default_int_handler) if is_main else None
    watcher.start()
    try:
        try:
            yield
        finally:
            os.write(end, b"x")
            watcher.join()
            os.close(end)
            os.close(ending)
            if is_main:
                signal.signal(INTERRUPT, before)
    except BaseException as error:
        if is_lost.is_set():
            raise _lost() from error
        raise
