"""Whatever a column is called, and wherever a text is written: today's personal values are not published."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from hashlib import md5
from itertools import product

import pyarrow as pa
import pytest

from lakehouse import warehouse
from lakehouse.settings import Settings
from lakehouse.warehouse.canaries import SAMPLE, Canaries
from lakehouse.warehouse.publication import CannotPublish, Columns, Model
from tests.lakehouse.warehouse import handmade_lake as bank
from tests.lakehouse.warehouse.built import Built

DAY = date(2026, 3, 1)
CUSTOMERS = [
    {
        "name": "欧阳小明",
        "id_no": "31010119570813001X",
        "phone": "138 0013 8001",
        "email": "Xiaoming.O@example.cn",
        "address": "上海市鼓楼区新华路91号8栋1202室",
    },
    {
        "name": "何帆",
        "id_no": "G12345678",
        "phone": "+86-13900139002",
        "email": "hf@example.com",
        "address": "12 Long Lane, Prague 4",
    },
    {"name": "Jan Novák", "id_no": "91310000MA1GL2345X", "phone": "0086 13700137003"},
    {"name": "单", "id_no": "1", "phone": "110"},  # no canaries: any text may have them
]
NOTE = "母亲生病，急需用钱 希望展期"
RAW = "C9|李四|M|no date|13600136009"
PLANTED = {
    "phone": [
        "13800138001",
        "call 138-0013-8001 today",
        '{"p": "+8613800138001"}',
        "１３８００１３８００１",
        "C13800138001",
    ],
    "phone with a prefix": ["13900139002", "tel:139 0013 9002", "86 13900139002", "0086-13900139002"],
    "document": ["31010119570813001X", "id 31010119570813001x.", '["31010119570813001X"]', "310101 19570813 001X"],
    "other document": [
        "G12345678",
        "passport g12345678",
        "G-12345678",
        "91310000MA1GL2345X",
        "uscc:91310000ma1gl2345x",
    ],
    "name": ["欧阳小明", "客户欧阳小明来电", '{"who": "欧阳小明"}', "cif:1 欧阳小明"],
    "short name": ["何帆", "何帆: reached", '{"who":"何帆"}', "ask 何帆, then call"],
    "foreign name": ["Jan Novák", "JAN NOVÁK called", "cif:3|Jan  Novák|", '"jan novák"'],
    "e-mail": [
        "Xiaoming.O@example.cn",
        "<xiaoming.o@example.cn>",
        "mailto:XIAOMING.O@EXAMPLE.CN",
        "to hf@example.com;",
    ],
    "address": [
        "上海市鼓楼区新华路91号8栋1202室",
        "住址：上海市鼓楼区新华路91号8栋1202室。",
        "12 Long Lane, Prague 4",
        "at 12 long lane,  prague 4",
    ],
    "account": ["6228000000001001", "account 6228 0000 0000 1001", "6228-0000-0000-1001", "account:6228000000001001"],
    "counterparty": [
        "9558980151557400",
        "outside:9558980151557400",
        "to 9558 9801 5155 7400",
        "９５５８９８０１５１５５７４００",
    ],
    "note": [NOTE, f"said: {NOTE}", NOTE.replace(" ", ""), f"cif:1 | {NOTE} | R1"],
    "refused row": [RAW, f"row 7: {RAW}", RAW.replace("|", "|").lower(), f"ValueError: '{RAW}'"],
}
HARMLESS = [
    "cif:C1",
    2 * "fdf1" + 3 * "c48a" + "138001" + 9 * "d2",
    "113800138001",
    "138001380019",
    "62280000000010011",
    "何帆船",
    "何帆达公司",
    "G123456789",
    "xhf@example.com",
    "Jan Nováková",
    "CNY 13,800 on 2025-02-18",
    "单",
    "110",
    "",
]


@pytest.fixture
def lake(settings: Settings) -> Settings:
    """A day with customers, a posting, a contact and a refused row; the day before had others."""
    bank.deliver(settings.lake, "customers", date(2026, 2, 28), [_customer(9, {"phone": "13300133000"})])
    refused = {"feed": "customers", "period": str(DAY), "version": 1, "raw_text": RAW, "reason": "invalid_type"}
    customers = [_customer(number, given) for number, given in enumerate(CUSTOMERS)]
    bank.deliver(settings.lake, "customers", DAY, customers, rejects=[refused])
    posting = bank.posting(1, DAY) | {"account_no": "6228000000001001", "counterparty_account": "9558980151557400"}
    bank.deliver(settings.lake, "transactions", DAY, [posting | {"remark": None}])
    contact = {"contact_id": "R1", "business_date": DAY, "customer_no": "C1", "note": NOTE, "rm_id": "13500135000"}
    bank.deliver(settings.lake, "rm_contacts", DAY, [contact])
    visit = {"ticket_id": "V1", "business_date": DAY, "customer_no": "13500135000"}
    bank.deliver(settings.lake, "branch_visits", DAY, [visit])
    return settings


def _customer(number: int, given: dict[str, str]) -> dict[str, object]:
    return {"customer_no": f"C{number}", "business_date": DAY, "opened_date": DAY, **given}


MODEL = Model("marts", "people", None, is_view=False, is_incremental=False, reads=())
COLUMNS: Columns = (("customer_key", "VARCHAR"), ("contact", "VARCHAR"), ("amount", "DECIMAL(18,2)"))


def showing(*contacts: str) -> Callable[..., pa.Table]:
    """A table of customers, each with a contact."""

    def texts(names: Sequence[str]) -> pa.Table:
        rows = (["cif:C1"] * ("customer_key" in names) + [text] * ("contact" in names) for text in contacts)
        return pa.table({"text": pa.array(["\x1f".join(row) for row in rows], pa.string())})

    return texts


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_value_stops_publication(lake: Settings, kind: str) -> None:
    canaries = Canaries(lake, DAY)
    for text in PLANTED[kind]:
        with pytest.raises(
            CannotPublish, match=r"marts\.people, column contact, shows personal data: .* came in"
        ) as why:
            canaries.check_table(MODEL, COLUMNS, showing("nothing", text))
        assert text not in str(why.value) and not re.search(r"\d{7}|欧阳|何帆", str(why.value))


def test_what_only_looks_like_a_canary_is_published(lake: Settings) -> None:
    Canaries(lake, DAY).check_table(MODEL, COLUMNS, showing(*HARMLESS))


def test_another_day_has_other_canaries(lake: Settings) -> None:
    Canaries(lake, DAY).check_table(MODEL, COLUMNS, showing("13300133000"))
    with pytest.raises(CannotPublish, match=r"customers\.phone"):
        Canaries(lake, date(2026, 2, 28)).check_table(MODEL, COLUMNS, showing("13300133000"))


def test_a_value_that_also_comes_in_a_column_that_is_not_personal_is_none(lake: Settings) -> None:
    """A bank whose customer numbers are phones publishes them; a text of the project's own is nobody's."""
    given = [{"phone": "13500135000"}, {"name": "客户经理"}, {"phone": "13600136000"}]
    customers = [_customer(number, one) for number, one in enumerate(given)]
    bank.deliver(lake.lake, "customers", date(2026, 3, 2), customers)
    canaries = Canaries(lake, date(2026, 3, 2))
    canaries.check_table(MODEL, COLUMNS, showing("cif:13500135000", "客户经理致电"))
    with pytest.raises(CannotPublish):
        canaries.check_table(MODEL, COLUMNS, showing("cif:13500135000", "客户经理致电", "13600136000"))


@pytest.mark.parametrize("column", ["name", "phone", "id_no", "email", "address"])
def test_whole_cells_are_held_against_every_value(lake: Settings, column: str) -> None:
    """A sample would leave most of them out; names of two characters as well, that are part of other words."""
    given = [
        {
            "name": family + personal,
            "phone": f"139{number:04}{number:04}",
            "id_no": f"3101011970{number:08}",
            "email": f"{number}@example.cn",
            "address": f"上海市鼓楼区新华路{number}号",
        }
        for number, (family, personal) in enumerate(product("王李张刘陈杨赵", "伟强磊洋勇军"))
    ]
    day = date(2026, 3, 2)
    bank.deliver(lake.lake, "customers", day, [_customer(number, one) for number, one in enumerate(given)])
    in_no_sample = sorted((one[column] for one in given), key=lambda text: md5(text.encode()).hexdigest())[SAMPLE:]
    canaries = Canaries(lake, day)
    for value in in_no_sample[-3:]:
        with pytest.raises(CannotPublish, match=rf"column contact, shows .* came in customers\.{column}"):
            canaries.check_table(MODEL, COLUMNS, showing("nothing", value))


def test_cells_that_are_in_other_columns_as_well_come_by_chance(lake: Settings) -> None:
    numbers = [f"1370013{number:04}" for number in range(50)]
    visits = [{"ticket_id": one, "business_date": DAY, "customer_no": one} for one in numbers]
    bank.deliver(lake.lake, "branch_visits", date(2026, 3, 2), visits)
    customers = [_customer(number, {"phone": one}) for number, one in enumerate([*numbers, "13600136000"])]
    bank.deliver(lake.lake, "customers", date(2026, 3, 2), customers)
    canaries = Canaries(lake, date(2026, 3, 2))
    canaries.check_table(MODEL, COLUMNS, showing(*numbers))
    with pytest.raises(CannotPublish):
        canaries.check_table(MODEL, COLUMNS, showing(*numbers, "13600136000"))


def test_of_many_tables_the_one_that_shows_it_is_named(lake: Settings) -> None:
    """Small ones are looked at together, whatever they hold."""
    texts = {"empty": (), "good": HARMLESS, "people": ("nothing", "call 138-0013-8001"), "last": ("-",)}
    tables = [(replace(MODEL, name=name), COLUMNS, showing(*contacts)) for name, contacts in texts.items()]
    numbers = (replace(MODEL, name="numbers"), (("amount", "DECIMAL(18,2)"),), showing("of no text column"))
    Canaries(lake, DAY).check_tables([numbers, *(table for table in tables if table[0].name != "people")])
    with pytest.raises(CannotPublish, match=r"marts\.people, column contact, .* came in customers\.phone"):
        Canaries(lake, DAY).check_tables([numbers, *tables])


def test_no_number_of_texts_that_look_like_it_hides_a_canary(lake: Settings) -> None:
    longer = [f"1{CUSTOMERS[1]['phone'][-11:]}{number:05}" for number in range(20_000)]
    Canaries(lake, DAY).check_table(MODEL, COLUMNS, showing(*longer))
    with pytest.raises(CannotPublish, match=r"customers\.phone"):
        Canaries(lake, DAY).check_table(MODEL, COLUMNS, showing(*longer, "to 139 0013 9002"))


def test_a_page_with_a_canary_stops_publication(lake: Settings) -> None:
    path = lake.lake.parent / "data_docs" / "marts" / "page.html"
    path.parent.mkdir(parents=True)
    path.write_text("a line\nunexpected: 13800138001\n")
    canaries = Canaries(lake, DAY)
    with pytest.raises(CannotPublish, match=re.escape(str(path))) as why:
        canaries.check_files(since=0)
    assert "138" not in str(why.value).replace(str(path), "")
    canaries.check_files(since=path.stat().st_mtime + 1)


def test_readers_keep_what_they_have(lake: Settings) -> None:
    """The name of the column does not matter, nor that the other tables are good."""
    built = Built(lake)
    built.model("marts.calendar", "select 1 as day_number")
    built.model("marts.people", "select cast('cif:C1' as varchar) as customer_key, cast('-' as varchar) as contact")
    warehouse.publish(lake, DAY, "run 1")
    built.execute("update build_marts.people set contact = '13800138001'")
    with pytest.raises(CannotPublish, match=r"people, column contact"):
        warehouse.publish(lake, DAY, "run 2")
    assert warehouse.query_serving(lake, "select contact from marts.people").to_pylist() == [{"contact": "-"}]
    assert not [path for path in lake.published.rglob("*.parquet") if b"13800138001" in path.read_bytes()]


def test_postgres_refuses_it_too(postgres_settings: Settings) -> None:
    bank.deliver(postgres_settings.lake, "customers", DAY, [_customer(0, CUSTOMERS[0])])
    built = Built(postgres_settings)
    built.model(
        "marts.people", "select cast('欧阳小明' as varchar) as called, date '2026-03-01' as day", partition_by="day"
    )
    built.model("marts.nobody", "select cast('' as varchar) as called where false")
    with pytest.raises(CannotPublish, match=r"people, column called"):
        warehouse.publish(postgres_settings, DAY, "run 1")
