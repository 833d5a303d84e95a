"""Party records in comparable form: names by sound, addresses as words, one row per content."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

import duckdb
import pyarrow as pa

from lakehouse.identity.documents import create_document_macros
from lakehouse.identity.linkage import Linkage

# One row per party record and content: a changed phone gives a second row, and both can match.
# `record_id` is a digest of the content as delivered, so that a comparison stays valid whatever is read later.
RECORDS = """
create temp view delivered_records as
select 'cif:' || customer_no as party_key, party_type, name, gender, birth_date, id_no, phone, email, address, city,
       occupation, known_from, known_to
from customers
union all
select 'online:' || user_id, null, name, null, birth_date, id_no, phone, email, address, city, null,
       known_from, known_to
from registrations
union all
select 'lead:' || lead_id, null, name, null, null, null, phone, null, null, city, null, known_from, known_to
from social_leads;

create temp table party_records as
select md5(concat_ws('|', party_key, coalesce(party_type, ''), coalesce(name, ''), coalesce(gender, ''),
                     coalesce(cast(birth_date as varchar), ''), coalesce(id_no, ''), coalesce(phone, ''),
                     coalesce(email, ''), coalesce(address, ''), coalesce(city, ''),
                     coalesce(occupation, ''))) as record_id,
       party_key, party_type, name, gender, birth_date, id_no, phone, email, address, city, occupation,
       min(known_from) as known_from, max(known_to) as known_to
from delivered_records
group by all;
"""

COMPARABLE = """
create temp table comparable as
select record_id, party_key, records.known_from,
       coalesce(party_type, case when names.is_enterprise or regexp_full_match(upper(id_no), $enterprise_id)
                                 then 'E' else 'P' end) as party_type,
       names.name, names.family, names.given, names.sound, names.sound_sorted, names.is_han, names.given_forms,
       0 as family_times, 0 as given_times,  -- how often the model has seen them
       names.starts_of_names, names.initials_of_names,
       case when not names.is_han then names.family end as latin_family,
       gender,
       born as birth_date, left(born, 4) as birth_year, left(born, 6) as birth_month,
       document(id_no) as id_no,
       number as phone, left(number, 7) as phone_start, right(number, 4) as phone_end,
       mail as email, nullif(split_part(mail, '@', 1), '') as email_name,
       list_aggregate(places.words, 'string_agg', ' ') as address,
       places.words as address_words,
       list_aggregate(list_slice(places.words, 1, -2), 'string_agg', ' ') as address_start,
       list_aggregate(places.numbers, 'last') as address_number,
       list_aggregate(places.numbers, 'first') as address_first_number,
       list_aggregate(list_slice(places.words, 1, 3), 'string_agg', ' ') as address_head,
       nullif(lower(trim(city)), '') as city,
       nullif(lower(trim(occupation)), '') as occupation
from (
    select *, case when not regexp_full_match(written_born, $no_birth_date) then written_born end as born,
           case when not regexp_full_match(digits, $no_phone) then digits end as number,
           case when not regexp_full_match(written_mail, $no_email) then written_mail end as mail
    from (
        select *, strftime(birth_date, '%Y%m%d') as written_born,
               nullif(right(regexp_replace(phone, '[^0-9]', '', 'g'), 11), '') as digits,
               nullif(lower(trim(email)), '') as written_mail
        from party_records
    ) as written_records
) as records
left join names on names.written = records.name
left join (
    select address as written_address, city as written_city,
           nullif(regexp_extract_all(
               regexp_replace(
                   case when city is not null and starts_with(lower(nfc_normalize(address)), lower(city))
                        then substr(lower(nfc_normalize(address)), length(city) + 1)
                        else lower(nfc_normalize(address)) end,
                   '(\\d)(号楼|号院|号|栋|幢|座|单元|室|楼|层)', '\\1 ', 'g'),
               $address_word), []) as words,
           list_filter(words, lambda word: regexp_full_match(word, '[0-9]{3,}')) as numbers
    from (select distinct address, city from party_records where address is not null)
) as places on places.written_address = records.address and places.written_city is not distinct from records.city
"""
# Whether one Latin given name is a short form of the other: an initial, its start (Ed, Eddie), its end (Beth), or its
# consonants from the first letter on (Bo, Wm).
SHORT_FORM = """
create or replace temp macro without_ending(brief) as regexp_replace(brief, '(ie|ey|y|i|e|a|o)$', '');

create or replace temp macro stem_of(brief) as
case when length(without_ending(brief)) > 2
          and right(without_ending(brief), 1) = left(right(without_ending(brief), 2), 1)
     then left(without_ending(brief), length(without_ending(brief)) - 1) else without_ending(brief) end;

create or replace temp macro short_of(brief, whole) as
length(brief) < length(whole)
and (length(brief) = 1 and starts_with(whole, brief)
     or length(brief) >= 2 and starts_with(whole, brief)
     or length(brief) >= 3 and ends_with(whole, brief)
     or length(stem_of(brief)) >= 2 and starts_with(whole, stem_of(brief))
     or left(brief, 1) = left(whole, 1) and length(brief) <= 4
        and regexp_full_match(whole, regexp_replace(regexp_replace(brief, '(ie|ey|y|i)$', ''), '(.)', '\\1.*', 'g')));

create or replace temp macro alike(one, other) as
jaro_winkler_similarity(one, other) >= 0.88
or damerau_levenshtein(one, other) <= case when least(length(one), length(other)) >= 7 then 2
                                           when least(length(one), length(other)) >= 3 then 1 else 0 end;

-- Two spellings that are both usual are two names (Schmidt, Schmitt); a slip makes a rare one of a usual one.
create or replace temp macro two_names(one, other, times, other_times) as
not (one is not distinct from other) and least(times, other_times) >= 4
and greatest(times, other_times) < 6 * least(times, other_times);

create or replace temp macro short_form(one, other) as
regexp_full_match(one, '[a-z ]+') and regexp_full_match(other, '[a-z ]+')
and (short_of(split_part(one, ' ', 1), split_part(other, ' ', 1))
     or short_of(split_part(other, ' ', 1), split_part(one, ' ', 1)));
"""
ADDRESS_WORD = r"[0-9]+|[\p{Han}]+?(?:省|市|区|县|镇|乡|村|路|街|道|巷|弄|里)|[\p{Han}]+|[\p{L}]+"

_HAN = re.compile(r"[㐀-鿿]")
_MISREAD = str.maketrans("0158", "olsb")  # digits that a scanner reads in place of letters
_COMPOUND_SURNAMES = frozenset(
    ("欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "长孙", "宇文", "司徒", "夏侯")
) | frozenset(("歐陽", "司馬", "諸葛", "東方", "尉遲", "公孫", "長孫"))


@dataclass(frozen=True)
class NameParts:
    """A name as written, and how its parts sound; None where the name lacks a part."""

    name: str | None  # whole, in lower case; None for a label that holds digits
    family: str | None = None
    given: str | None = None
    sound: str | None = None  # both, in order of writing
    sound_sorted: str | None = None  # both, sorted: equal for a name whose parts were swapped
    given_forms: tuple[str, ...] = ()  # Latin given names, each alone: two names that share one may be of one person
    starts_of_names: str | None = None  # two letters of the first given and the family name, sorted; Latin names only
    initials_of_names: str | None = None  # one letter of each
    is_han: bool = False
    is_enterprise: bool = False


def create_comparable(con: duckdb.DuckDBPyConnection, linkage: Linkage) -> None:
    """Make ``comparable`` from ``party_records``: one row per record, every column in the form that is compared."""
    written = con.execute("select distinct name from party_records where name is not null order by name").fetchall()
    rows = [{"written": text, **vars(name_parts(text, linkage))} for (text,) in written]
    texts = ("written", "name", "family", "given", "sound", "sound_sorted", "starts_of_names", "initials_of_names")
    schema = pa.schema(
        [(name, pa.string()) for name in texts]
        + [("given_forms", pa.list_(pa.string())), ("is_han", pa.bool_()), ("is_enterprise", pa.bool_())]
    )
    names = pa.Table.from_pylist(rows, schema)
    con.register("names", names)
    create_document_macros(con, linkage)
    con.execute(SHORT_FORM)
    fillers = {f"no_{column}": linkage.filler(column) for column in ("birth_date", "phone", "email")}
    con.execute(COMPARABLE, {"enterprise_id": linkage.enterprise_id, "address_word": ADDRESS_WORD, **fillers})
    con.unregister("names")


def name_parts(text: str, linkage: Linkage) -> NameParts:
    """A name in parts, by sound: Chinese characters by pinyin, Latin letters without accents, titles left out.

    >>> parts = name_parts("欧阳 静", Linkage.read())
    >>> parts.family, parts.given, parts.sound_sorted
    ('ouyang', 'jing', 'jing ouyang')
    >>> name_parts("José Müller", Linkage.read()).sound
    'jose muller'
    >>> name_parts("Dr. Müller, José", Linkage.read()).sound
    'jose muller'
    """
    written = " ".join(unicodedata.normalize("NFKC", text).lower().split())
    if linkage.is_enterprise_name(written):  # an enterprise has no given name, and its words no other order
        words = _han_words(written) if _HAN.search(written) else _words(written)
        whole, name = "".join(words) or None, written.replace(",", " ")
        return NameParts(
            name,
            family=whole,
            sound=" ".join(words) or None,
            sound_sorted=" ".join(words) or None,
            is_han=bool(_HAN.search(written)),
            is_enterprise=True,
        )
    if _HAN.search(written):
        return _han_name(written, linkage)
    return _latin_name(written, linkage)


def _han_name(written: str, linkage: Linkage) -> NameParts:
    name = re.sub(r"[\s·,]", "", written)
    for title in linkage.titles_after:
        if name.endswith(title) and len(name) > len(title) + 1:
            name = name.removesuffix(title)
    at = 2 if name[:2] in _COMPOUND_SURNAMES else 1
    family, given = _sound(name[:at]), [_sound(character) for character in name[at:]]
    return NameParts(
        name=name,
        family=family,
        given=" ".join(given) or None,
        sound=" ".join([family, *given]),
        sound_sorted=" ".join(sorted([family, *given])),
        is_han=True,
    )


def _latin_name(written: str, linkage: Linkage) -> NameParts:
    family_first, comma, rest = written.partition(",")
    halves = (rest, family_first) if comma else (written,)
    words = [word for half in halves for word in _untitled(_words(half), linkage)]
    if not words or any(word.isdigit() for word in words):  # a label, such as a number, is nobody's name
        return NameParts(None)
    words = [word.translate(_MISREAD) for word in words]
    given, family = words[:-1], words[-1]
    starts = [part for part in (*given[:1], family) if len(part) > 1]
    return NameParts(
        name=" ".join(words),
        family=family,
        given=" ".join(given) or None,
        sound=" ".join(words),
        sound_sorted=" ".join(sorted(words)),
        given_forms=tuple(part for part in given if len(part) > 1),
        starts_of_names=" ".join(sorted(part[:2] for part in starts)) if len(starts) == 2 else None,
        initials_of_names=" ".join(sorted(part[0] for part in (given[0], family))) if given else None,
    )


def _words(written: str) -> list[str]:
    """Words of letters and digits, without accents; what belongs to one word (O'Brien) stays one."""
    return re.findall(r"[^\W_]+", re.sub(r"(?<=\w)['’`](?=\w)", "", _folded(written)))


def _untitled(words: list[str], linkage: Linkage) -> list[str]:
    """Without titles, as long as a name is left."""
    while len(words) > 1 and words[0] in linkage.titles_before:
        words = words[1:]
    while len(words) > 1 and words[-1] in linkage.titles_after:
        words = words[:-1]
    return words


def _han_words(written: str) -> list[str]:
    name = re.sub(r"[\s·,]", "", written)
    at = 2 if name[:2] in _COMPOUND_SURNAMES else 1
    return [_sound(name[:at]), *(_sound(character) for character in name[at:])]


def _folded(text: str) -> str:
    """Latin letters without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _sound(text: str) -> str:
    """Chinese characters as pinyin without a space between; others as they are."""
    return "".join(_pinyin().get(ord(character), character) for character in text)


@cache
def _pinyin() -> dict[int, str]:
    """The most usual reading of every Chinese character, without its tone, wherever the character stands."""
    from pypinyin.pinyin_dict import pinyin_dict

    return {point: _folded(readings.split(",")[0]) for point, readings in pinyin_dict.items()}
