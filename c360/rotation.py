"""Another token secret for a lake: what holds tokens is written anew beside it, then lake and secret change at once.

The folder ``.<lake>.rotation`` holds the new lake; files without tokens are the same files under a second name. Until
its file ``ready`` appears nothing has changed, and what was begun is thrown away. From then on the next call finishes
the change, and no run touches the lake before. So a kill leaves the old lake and secret, or the new ones.
"""

import hmac
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import SecretStr

from c360.audit import who
from lakehouse import lake, warehouse
from lakehouse.contracts import Feed, load_feeds
from lakehouse.errors import Stop
from lakehouse.identity.comparable import create_comparable
from lakehouse.identity.link import opened
from lakehouse.identity.linkage import Linkage
from lakehouse.ingestion import rules
from lakehouse.lake import audit
from lakehouse.lake.files import digest
from lakehouse.lake.integrity import require_intact
from lakehouse.lake.secret import fingerprint, fingerprint_file, require_same_secret, rotation_folder
from lakehouse.settings import SHORTEST_SECRET, Settings, secret_file, write_secret
from lakehouse.sql import identifier, literal
from ml_jobs.registry.model import signature

_TOKEN = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Rotated:
    """What became of the files of the lake."""

    written_anew: int
    as_they_were: int
    keeps_secret_file: bool  # token.secret beside the lake has the new secret; else the setting must be changed


def rotate(settings: Settings, new: SecretStr | None = None) -> Rotated:
    """Give the lake another secret; the build engine is dropped, so that the next run builds and publishes anew.

    Parameters
    ----------
    new : SecretStr, optional
        By default a random one, for a secret that is kept in ``token.secret`` beside the lake.

    Raises
    ------
    Stop
        If the lake is not whole, its secret is another, it changes meanwhile, or ``new`` is lacking or too short.
    """
    folder = rotation_folder(settings)
    with warehouse.exclusive(settings):
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _prepare(settings, folder, _new_secret(settings, new))
        return _change(settings, folder)


def _new_secret(settings: Settings, new: SecretStr | None) -> SecretStr:
    if new is None:
        if not _is_in_file(settings):
            raise Stop("the secret is a setting, C360_TOKEN_SECRET", "give the new one in a file: --new-secret FILE")
        return SecretStr(secrets.token_hex(32))
    if len(new.get_secret_value()) < SHORTEST_SECRET:
        raise Stop(f"the new secret is too short: it has at least {SHORTEST_SECRET} characters", "make a random one")
    return new


def _is_in_file(settings: Settings) -> bool:
    file = secret_file(settings.lake)
    return file.exists() and hmac.compare_digest(file.read_text(), settings.token_secret.get_secret_value())


def _prepare(settings: Settings, folder: Path, new: SecretStr) -> None:
    """Write the new lake into the folder, and say last that it is ready."""
    before = _listing(settings.lake)
    require_same_secret(settings)
    known = lake.pin_of(lake.read_outcomes(settings.lake), max(_cutoffs(settings)))
    require_intact(settings, known)
    mapping = _mapping(settings, known, new)
    written = 0
    for file in sorted(before):
        path, target = settings.lake / file, folder / "lake" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.parts[0] == "deliveries":
            continue  # their digests follow the files'
        if not _written_anew(settings, file, target, mapping, new):
            os.link(path, target)
        else:
            written += 1
    for file in sorted(file for file in before if file.parts[0] == "deliveries"):
        written += _record(settings.lake, folder / "lake", file)
    broken = {found.file for found in audit.verify(settings.lake).breaks}
    audit.reseal(folder / "lake", who(), "the secret was rotated", broken)
    (folder / "lake" / fingerprint_file(settings).name).unlink()
    (folder / "lake" / fingerprint_file(settings).name).write_text(fingerprint(new))
    if _listing(settings.lake) != before:
        raise Stop(f"{settings.lake} has changed meanwhile", "stop what writes to it, and rotate again")
    is_in_file = _is_in_file(settings)
    if is_in_file:
        write_secret(secret_file(folder / "lake"), new.get_secret_value())
    facts = {"written_anew": written, "as_they_were": len(before) - written, "keeps_secret_file": is_in_file}
    lake.write_json(folder / "ready", facts)


def _change(settings: Settings, folder: Path) -> Rotated:
    """Put the new lake in the place of the old one, and the secret; each step may have been done before."""
    facts = json.loads((folder / "ready").read_text())
    if (folder / "lake").exists():
        if settings.lake.exists():
            if (folder / "old").exists():
                raise Stop(f"{settings.lake} was made anew while its secret changed", "move it away, and rotate again")
            settings.lake.rename(folder / "old")
        (folder / "lake").rename(settings.lake)
    if (made := secret_file(folder / "lake")).exists():
        made.replace(secret_file(settings.lake))
    warehouse.drop_build(settings)
    shutil.rmtree(folder / "old", ignore_errors=True)
    shutil.rmtree(folder)
    return Rotated(**facts)


def _listing(root: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of every file of the lake, but for what is being written; by its path in the lake."""
    files = (path for path in root.rglob("*") if path.is_file())
    whole = ((path, path.relative_to(root)) for path in files)
    return {
        name: (path.stat().st_size, path.stat().st_mtime_ns)
        for path, name in whole
        if not any(part.startswith(".") for part in name.parts)
    }


def _cutoffs(settings: Settings) -> list:
    outcomes = lake.read_outcomes(settings.lake)
    if not outcomes:
        raise Stop(f"{settings.lake} holds nothing", "remove token.secret: the next run makes another")
    return [outcome.cutoff_date for outcome in outcomes]


def _mapping(settings: Settings, known: lake.Pin, new: SecretStr) -> dict[str, str]:
    """Old token -> new token, of every value that the lake has in clear and of the forms in which identity keeps it."""
    values: set[str] = set()
    with duckdb.connect() as con:
        for feed in load_feeds().values():
            files = [str(path) for path in (settings.lake / "raw" / feed.name).rglob("[!.]*.parquet")]
            for column in (column for column in feed.columns if column.is_tokenised and files):
                select = f"select distinct {rules.normalised(column)} from {_parquet(files)}"
                values |= {value for (value,) in con.execute(select).fetchall()}
    linkage = Linkage.read()
    with opened(settings, known, linkage) as con:
        create_comparable(con, linkage)
        columns = [name for name, type_, *_ in con.execute("describe comparable").fetchall() if type_ == "VARCHAR"]
        for name in columns:
            values |= {value for (value,) in con.execute(f"select distinct {name} from comparable").fetchall()}
    texts = pa.table({"value": pa.array(sorted(value for value in values if value), pa.string())})
    tokens = []
    for secret in (settings.token_secret, new):
        with duckdb.connect() as con:
            rules.create_token_macro(con, secret)
            con.register("texts", texts)
            tokens.append(
                [token for (token,) in con.execute("select token(value) from texts order by value").fetchall()]
            )
    return dict(zip(*tokens, strict=True))


def _parquet(files: list[str]) -> str:
    return f"read_parquet([{', '.join(map(literal, files))}], hive_partitioning = false, union_by_name = true)"


def _written_anew(settings: Settings, file: Path, target: Path, mapping: Mapping[str, str], new: SecretStr) -> bool:
    """Whether the file holds what depends on the secret, and was written for the new one."""
    path = settings.lake / file
    feed = load_feeds().get(file.parts[1]) if file.parts[0] == "raw" else None
    if feed and feed.tokenised:
        _write_rows(feed, path, target, new)
    elif path.name == "signature":
        card = (path.parent / "card.json").read_bytes()
        if not hmac.compare_digest(path.read_text(), signature(card, settings.token_secret)):
            return False  # nobody may make good what was not signed
        target.write_text(signature(_replaced(card.decode(), mapping).encode(), new))
    elif path.suffix == ".parquet":
        table = _remapped(pq.read_table(path, partitioning=None), mapping)
        if table is None:
            return False
        pq.write_table(table, target, compression="zstd")
    else:
        text = path.read_bytes()
        changed = _replaced(text.decode(errors="surrogateescape"), mapping).encode(errors="surrogateescape")
        if changed == text:
            return False
        target.write_bytes(changed)
    return True


def _write_rows(feed: Feed, path: Path, target: Path, new: SecretStr) -> None:
    """A feed's file with the tokens of the new secret, all that the contract asks for."""
    with duckdb.connect() as con:
        rules.create_token_macro(con, new)
        present = {name for name, *_ in con.execute(f"describe from {_parquet([str(path)])}").fetchall()}
        tokens = {f"{column.name}_token": rules.token(column) for column in feed.columns if column.is_tokenised}
        known = {name: identifier(name) for name in present} | tokens
        columns = ", ".join(
            f"cast({known.get(name, 'null')} as {type_}) as {identifier(name)}" for name, type_ in feed.lake_columns
        )
        con.execute(
            f"copy (select {columns} from {_parquet([str(path)])}) to {literal(str(target))} "
            "(format parquet, compression zstd, compression_level 1)"
        )


def _remapped(table: pa.Table, mapping: Mapping[str, str]) -> pa.Table | None:
    """The table with other tokens; None if it has none."""
    is_changed = False
    for place, field in enumerate(table.schema):
        if not pa.types.is_string(field.type):
            continue
        values = pc.unique(table[place]).to_pylist()
        others = [value and _replaced(value, mapping) for value in values]
        if others != values:
            is_changed = True
            positions = pc.index_in(table[place], pa.array(values, pa.string()))
            table = table.set_column(place, field, pc.take(pa.array(others, pa.string()), positions))
    return table if is_changed else None


def _replaced(text: str, mapping: Mapping[str, str]) -> str:
    return _TOKEN.sub(lambda token: mapping.get(token[0], token[0]), text)


def _record(old: Path, made: Path, file: Path) -> bool:
    """The record of a delivery, with the digests of its files; whether one has changed."""
    facts = json.loads((old / file).read_text())
    before = dict(facts)
    for name, seal in (("lake_file", "lake_sha256"), ("quarantine_file", "quarantine_sha256")):
        if facts.get(name) and (made / facts[name]).exists():
            facts[seal] = digest(made / facts[name])
    if facts == before:
        os.link(old / file, made / file)
        return False
    lake.write_json(made / file, facts)
    return True
