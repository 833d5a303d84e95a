"""Party records in comparable form: names by sound, addresses as words, one row per content."""

import re
import unicodedata
from dataclasses import asdict, dataclass
from functools import cache

import duckdb
import pyarrow as pa

from lakehouse.identity.linkage import Linkage

# One row per party record and content: a changed phone gives a second row, and both can match.
# `record_id` is a digest of the content as delivered, so that a comparison stays valid whatever is read later.
RECORDS = """
create temp view delivered_records as
select 'cif:' || customer_no as party_key, party_type, name, gender, birth_date, id_no, phone, email, address, city,
       known_from, known_to
from customers
union all
select 'online:' || user_id, null, name, null, birth_date, id_no, phone, email, address, city, known_from, known_to
from registrations
union all
select 'lead:' || lead_id, null, name, null, null, null, phone, null, null, city, known_from, known_to
from social_leads;

create temp table party_records as
select md5(concat_ws('|', party_key, coalesce(party_type, ''), coalesce(name, ''), coalesce(gender, ''),
                     coalesce(cast(birth_date as varchar), ''), coalesce(id_no, ''), coalesce(phone, ''),
                     coalesce(email, ''), coalesce(address, ''), coalesce(city, ''))) as record_id,
       party_key, party_type, name, gender, birth_date, id_no, phone, email, address, city,
       min(known_from) as known_from, max(known_to) as known_to
from delivered_records
group by all;
"""

COMPARABLE = """
create temp table comparable as
select record_id, party_key, records.known_from,
       coalesce(party_type, case when names.is_enterprise or regexp_full_match(upper(id_no), $enterprise_id)
                                 then 'E' else 'P' end) as party_type,
       names.name, names.family, names.given, names.sound, names.sound_sorted, names.is_han,
       case when not names.is_han then names.family end as latin_family,
       gender,
       strftime(birth_date, '%Y%m%d') as birth_date,
       strftime(birth_date, '%Y') as birth_year,
       nullif(regexp_replace(upper(id_no), '[^0-9A-Z]', '', 'g'), '') as id_no,
       nullif(right(regexp_replace(phone, '[^0-9]', '', 'g'), 11), '') as phone,
       left(right(regexp_replace(phone, '[^0-9]', '', 'g'), 11), 7) as phone_start,
       right(regexp_replace(phone, '[^0-9]', '', 'g'), 4) as phone_end,
       nullif(lower(trim(email)), '') as email,
       nullif(split_part(lower(trim(email)), '@', 1), '') as email_name,
       list_aggregate(places.words, 'string_agg', ' ') as address,
       places.words as address_words,
       list_aggregate(list_slice(places.words, 1, -2), 'string_agg', ' ') as address_start,
       list_aggregate(places.numbers, 'last') as address_number,
       list_aggregate(places.numbers, 'first') as address_first_number,
       nullif(lower(trim(city)), '') as city
from party_records as records
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
ADDRESS_WORD = r"[0-9]+|[\p{Han}]+?(?:省|市|区|县|镇|乡|村|路|街|道|巷|弄|里)|[\p{Han}]+|[\p{L}]+"

_HAN = re.compile(r"[㐀-鿿]")
_COMPOUND_SURNAMES = frozenset(
    ("欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "长孙", "宇文", "司徒", "夏侯")
) | frozenset(("歐陽", "司馬", "諸葛", "東方", "尉遲", "公孫", "長孫"))


@dataclass(frozen=True)
class NameParts:
    """A name as written, and how its parts sound; None where the name lacks a part."""

    name: str | None  # whole, in lower case; None for a label that holds digits
    family: str | None
    given: str | None
    sound: str | None  # both, in order of writing
    sound_sorted: str | None  # both, sorted: equal for a name whose parts were swapped
    is_han: bool
    is_enterprise: bool


def create_comparable(con: duckdb.DuckDBPyConnection, linkage: Linkage) -> None:
    """Make ``comparable`` from ``party_records``: one row per record, every column in the form that is compared."""
    written = con.execute("select distinct name from party_records where name is not null order by name").fetchall()
    rows = [{"written": text, **asdict(name_parts(text, linkage))} for (text,) in written]
    schema = pa.schema(
        [(name, pa.string()) for name in ("written", "name", "family", "given", "sound", "sound_sorted")]
        + [("is_han", pa.bool_()), ("is_enterprise", pa.bool_())]
    )
    names = pa.Table.from_pylist(rows, schema)
    con.register("names", names)
    con.execute(COMPARABLE, {"enterprise_id": linkage.enterprise_id, "address_word": ADDRESS_WORD})
    con.unregister("names")


def name_parts(text: str, linkage: Linkage) -> NameParts:
    """A name in parts, by sound: Chinese characters by pinyin, Latin letters without accents.

    >>> parts = name_parts("欧阳 静", Linkage.read())
    >>> parts.family, parts.given, parts.sound_sorted
    ('ouyang', 'jing', 'jing ouyang')
    >>> name_parts("José Müller", Linkage.read()).sound
    'jose muller'
    """
    name = " ".join(unicodedata.normalize("NFKC", text).lower().replace(",", " ").split())
    is_han = bool(_HAN.search(name))
    is_enterprise = linkage.is_enterprise_name(name)
    if is_han:
        name = name.replace(" ", "").replace("·", "")
        at = 2 if name[:2] in _COMPOUND_SURNAMES else 1
        family, given = [_sound(name[:at])], [_sound(character) for character in name[at:]]
    else:
        parts = re.findall(r"[^\W\d_]+", _folded(name))
        family, given = parts[-1:], parts[:-1]
        if any(character.isdigit() for character in name):  # a label, such as a number, is nobody's name
            name, family, given = "", [], []
    in_order = [*family, *given] if is_han else [*given, *family]
    if is_enterprise or not in_order:  # an enterprise has no given name, and its words no other order
        whole = "".join(in_order)
        return _parts(name, whole, "", in_order, in_order, is_han, is_enterprise)
    return _parts(name, " ".join(family), " ".join(given), in_order, sorted(in_order), is_han, is_enterprise)


def _parts(
    name: str,
    family: str,
    given: str,
    in_order: list[str],
    in_sorted: list[str],
    is_han: bool,
    is_enterprise: bool,
) -> NameParts:
    return NameParts(
        name=name or None,
        family=family or None,
        given=given or None,
        sound=" ".join(in_order) or None,
        sound_sorted=" ".join(in_sorted) or None,
        is_han=is_han,
        is_enterprise=is_enterprise,
    )


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
