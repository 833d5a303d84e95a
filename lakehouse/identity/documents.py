"""Identity documents: one number in its many ways of writing, fillers, check digits, and when a number is believed."""

import duckdb

from lakehouse.identity.linkage import Linkage

# A Chinese identity number had 15 digits before 1999: without the century, and without the check digit (GB 11643).
# Both forms become the 17 digits that name a person; other documents stay as they are written.
_FULL_WIDTH = "".join(map(chr, range(0xFF10, 0xFF1A))) + "".join(map(chr, [*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B)]))
_HALF_WIDTH = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

MACROS = f"""
create or replace temp macro plain_document(text) as
nullif(regexp_replace(translate(upper(text), '{_FULL_WIDTH}', '{_HALF_WIDTH}'), '[^\\p{{L}}\\p{{N}}]', '', 'g'), '');

create or replace temp macro is_filler_document(text) as
replace(plain_document(text), left(plain_document(text), 1), '') = ''
or regexp_full_match(plain_document(text), getvariable('filler_documents'));

create or replace temp macro person_number(plain) as
case when regexp_full_match(plain, '[1-8][0-9]{{16}}[0-9X]') and substr(plain, 7, 2) in ('19', '20')
          and try_strptime(substr(plain, 7, 8), '%Y%m%d') is not null then left(plain, 17)
     when regexp_full_match(plain, '[1-8][0-9]{{14}}')
          and try_strptime('19' || substr(plain, 7, 6), '%Y%m%d') is not null
     then left(plain, 6) || '19' || substr(plain, 7) end;

create or replace temp macro document(text) as
case when not is_filler_document(text) then coalesce(person_number(plain_document(text)), plain_document(text)) end;

create or replace temp macro has_wrong_check_digit(text) as
length(plain_document(text)) = 18 and person_number(plain_document(text)) is not null
and right(plain_document(text), 1) <> substr('10X98765432', 1 + ({
    " + ".join(f"try_cast(substr(plain_document(text), {at}, 1) as int) * {weight}" for at, weight in enumerate(_WEIGHTS, 1))
}) % 11, 1);
"""


def create_document_macros(con: duckdb.DuckDBPyConnection, linkage: Linkage) -> None:
    """Define ``document(text)``, null for a filler, ``is_filler_document(text)`` and ``has_wrong_check_digit(text)``."""
    con.execute("set variable filler_documents = $1", [linkage.filler("id_no")])
    con.execute(MACROS)
