"""A file in another encoding than its contract's is noticed; what people write in the contract's own is not."""

import random
from pathlib import Path

import pytest

from lakehouse import lake
from lakehouse.ingestion import accept
from lakehouse.ingestion.encodings import another_encoding
from tests.lakehouse.ingestion.bank import CUSTOMER, Bank, delimited


def usual(codec: str, first: int, last: int) -> list[str]:
    """The characters of a block of a two-byte encoding."""
    block = (bytes([lead, trail]) for lead in range(first, last + 1) for trail in range(0xA1, 0xFF))
    return [text for text in (data.decode(codec, "ignore") for data in block) if text]


FAMILY = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
LEVEL_1, LEVEL_2 = usual("gb2312", 0xB0, 0xD7), usual("gb2312", 0xD8, 0xF7)
TRADITIONAL, HANGUL, KANJI = usual("big5", 0xA4, 0xC6), usual("euc_kr", 0xB0, 0xC8), usual("euc_jp", 0xB0, 0xCE)
KANA = "あいうえおかきくけこさしすせそたちつてと"
ACCENTED = [a + " " + b for a in ("Jürg", "André", "Zoë", "Noël", "Søren", "Iñigo", "Chloé") for b in ("Groß", "Gómez")]


def names(kind: str, number: int, seed: int = 1) -> list[str]:
    """Names as people of a kind have them."""
    chance = random.Random(seed)
    made = {
        "Chinese": lambda: chance.choice(FAMILY) + "".join(chance.choices(LEVEL_1, k=chance.choice((1, 2, 2)))),
        "of rare characters": lambda: chance.choice(FAMILY) + "".join(chance.choices(LEVEL_2, k=2)),
        "of all characters": lambda: "".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(3)),
        "traditional": lambda: chance.choice("王李張劉陳楊趙黃周吳") + "".join(chance.choices(TRADITIONAL, k=2)),
        "Korean": lambda: chance.choice("김이박최정강조윤장임") + "".join(chance.choices(HANGUL, k=2)),
        "Japanese": lambda: "".join(chance.choices(KANJI, k=2)) + " " + "".join(chance.choices(KANA, k=3)),
        "Latin": lambda: chance.choice(ACCENTED),
        "Tibetan and Uighur": lambda: (
            chance.choice(("扎西次仁", "卓玛", "阿卜杜拉·买买提", "古丽·艾山")) + chance.choice(LEVEL_1)
        ),
        "mostly ASCII": lambda: "Ann Lee" if chance.random() < 0.95 else chance.choice(FAMILY) + chance.choice(LEVEL_1),
        "beyond the plane": lambda: chance.choice(("𠮷野", "㛃", "😀王", "𡈽")) + chance.choice(LEVEL_1),
    }[kind]
    return [made() for _ in range(number)]


def written(path: Path, lines: list[str], encoding: str) -> Path:
    path.write_bytes(
        "\n".join(f"C{number:04}|{line}|138{number:08}|" for number, line in enumerate(lines)).encode(encoding)
    )
    return path


def told(file: Path, encoding: str) -> str | None:
    with file.open("rb") as lines:
        return another_encoding(lines, encoding)


OWN = (
    "Chinese", "of rare characters", "of all characters", "traditional", "Korean", "Japanese", "Latin",
    "Tibetan and Uighur", "mostly ASCII", "beyond the plane",
)  # fmt: skip


@pytest.mark.parametrize("kind", OWN)
def test_whatever_is_written_in_gb18030_is_gb18030(tmp_path: Path, kind: str) -> None:
    for number in (1, 2, 5, 20, 300):
        for seed in range(10 if number < 100 else 2):
            file = written(tmp_path / "file", names(kind, number, seed), "gb18030")
            assert told(file, "GB18030") is None, (number, seed)


@pytest.mark.parametrize(
    ("kind", "encoding", "name"),
    [
        ("traditional", "big5", "BIG5"),
        ("Japanese", "shift_jis", "SHIFT-JIS"),
        ("Japanese", "euc_jp", "EUC-JP"),
        ("Korean", "euc_kr", "EUC-KR"),
        ("Latin", "latin-1", "CP1252"),
        ("Latin", "cp1252", "CP1252"),
    ],
)
@pytest.mark.faults("texts", store="lake")
def test_text_of_another_encoding_is_told(tmp_path: Path, kind: str, encoding: str, name: str) -> None:
    file = written(tmp_path / "file", names(kind, 200), encoding)
    assert told(file, "GB18030") == told(file, "gbk") == name
    assert told(file, encoding) is None
    assert told(file, "koi8-r") is None  # nothing is known of it


@pytest.mark.faults("texts", store="lake")
def test_chinese_in_a_file_of_another_contract_is_told(tmp_path: Path) -> None:
    file = written(tmp_path / "file", names("Chinese", 200), "gbk")
    assert {told(file, own) for own in ("big5", "shift_jis", "euc_kr", "cp1252")} == {"GB18030"}


@pytest.mark.parametrize(
    ("kind", "encoding"), [("traditional", "big5"), ("Japanese", "shift_jis"), ("Korean", "euc_kr")]
)
@pytest.mark.faults("texts", store="lake")
def test_a_delivery_in_another_encoding_is_rejected_until_somebody_accepts_it(
    bank: Bank, kind: str, encoding: str
) -> None:
    people = names(kind, 120)
    rows = [
        CUSTOMER | {"customer_no": f"C{number}", "name": name, "address": "", "city": ""}
        for number, name in enumerate(people)
    ]
    content = delimited("customers", rows).decode("GB18030").encode(encoding, "replace")
    bank.deliver("customers", content, rows=len(rows))
    (outcome,) = bank.ingest("customers")
    assert (
        outcome.outcome == "rejected"
        and "written in" in outcome.reason
        and "the contract has GB18030" in outcome.reason
    )
    assert not any(name in outcome.reason for name in people)
    accept(bank.settings, outcome.delivery_id, "S0042", "the names are wrong, the rest is needed")
    bank.ingest("customers")
    assert lake.read_outcomes(bank.settings.lake)[-1].outcome == "loaded"
