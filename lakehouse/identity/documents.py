"""Identity documents: one number in its many ways of writing, fillers, check digits, and when a number is believed."""

import duckdb

from lakehouse.identity.linkage import Linkage

# A Chinese identity number had 15 digits before 1999: without the century, and without the check digit (GB 11643).
# Both forms become the 17 digits that name a person; other documents stay as they are written.
_FULL_WIDTH = "".join(map(chr, range(0xFF10, 0xFF1A))) + "".join(
    map(chr, [*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B)])
)
_HALF_WIDTH = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

MACROS = f"""
create or replace temp macro plain_document(text) as
nullif(regexp_replace(translate(upper(text), '{_FULL_WIDTH}', '{_HALF_WIDTH}'), '[^\\p{{L}}\\p{{N}}]', '', 'g'), '');

create or replace temp macro is_filler(plain) as
replace(plain, left(plain, 1), '') = '' or regexp_full_match(plain, getvariable('filler_documents'));

create or replace temp macro person_number(plain) as
case when regexp_full_match(plain, '[1-8][0-9]{{16}}[0-9X]') and substr(plain, 7, 2) in ('19', '20')
          and try_strptime(substr(plain, 7, 8), '%Y%m%d') is not null then left(plain, 17)
     when regexp_full_match(plain, '[1-8][0-9]{{14}}')
          and try_strptime('19' || substr(plain, 7, 6), '%Y%m%d') is not null
     then left(plain, 6) || '19' || substr(plain, 7) end;

create or replace temp macro number_of(plain) as
case when not is_filler(plain) then coalesce(person_number(plain), plain) end;

create or replace temp macro document(text) as number_of(plain_document(text));

create or replace temp macro has_wrong_check_digit(plain) as
case when length(plain) = 18 and person_number(plain) is not null
     then right(plain, 1) <> substr('10X98765432', 1 + list_sum(list_transform(range(1, 18),
         lambda place: cast(substr(plain, place, 1) as int) * {list(_WEIGHTS)}[place]))::int % 11, 1)
     else false end;
"""


def create_document_macros(con: duckdb.DuckDBPyConnection, linkage: Linkage) -> None:
    """Define macros of document numbers.

    ``document(text)`` is what names the person, null for a filler. ``plain_document(text)`` is the number without
    signs, of which ``number_of(plain)``, ``is_filler(plain)`` and ``has_wrong_check_digit(plain)`` tell more.
    """
    con.execute("set variable filler_documents = $1", [linkage.filler("id_no")])
    con.execute(MACROS)
