"""Any delimited file: every row is held against the lines of the file, and what is in no row is named by line."""

import gzip
from itertools import product

import pytest

from lakehouse.adapters.delimited import read_delimited
from lakehouse.errors import Stop

ROWS = [f"C{number},{number}.5,town" for number in range(6)]
PLAIN = "\n".join(["id,income,city", *ROWS]) + "\n"


def written(folder, text: str, encoding: str = "utf-8", name: str = "table.csv"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PLAIN + "C7,1\n", "line 8 has 2 fields, the header has 3 fields: a footer"),
        (PLAIN + "total: 6 rows\n", "line 8 has 1 field, the header has 3 fields: a footer"),
        (PLAIN.replace("C2,2.5,town", "C2,town"), "line 4 has 2 fields, the header has 3 fields: mend the line"),
        (PLAIN.replace("C2,2.5,town", "C2,2.5,to,wn"), "line 4 has 4 fields"),
        (PLAIN + "C7,1,a,x\nC8,1,b,x\nC9,1,c,x\n", "from line 8 on, lines have 4 fields, .*: 6 rows before, 3 rows"),
        (PLAIN + PLAIN, "line 8 is the header once more: two exports in one file"),
        (PLAIN.replace("C1,1.5,town", "#1"), "line 3 has 1 field"),  # a key cut off, not a comment
        (PLAIN.replace("C1,1.5", "C1").replace("C4,4.5", "C4"), r"2 lines have another .*: line 3 \(2\), line 6"),
        (PLAIN.replace("C1,1.5", 'C1,"1.5'), "a quote that line 3 opens is never closed"),
        (PLAIN.replace("C1,1.5,town", 'C1,1.5,"town').replace("C4,4.5,town", 'C4,4.5,town"'), "closed in line 6 only"),
        (PLAIN.replace("C1,1.5", 'C1,"1"5'), "line 3: a closing quote within a field"),
        (PLAIN.replace("id,income,city\n", ""), None),
        ("1,2,3\n4,5,6\n", "line 1 holds numbers, no names"),
        (PLAIN.replace("id,income,city", "id,id,city"), "line 1 names id twice"),
        ("", "no line with the names"),
        (PLAIN.replace("town", "t\0wn", 1), "line 2 holds zero bytes"),
        ("a,b;c\n1,2;3\n", "comma and semicolon divide its lines alike"),
    ],
)
def test_a_line_that_does_not_fit_stops_by_its_number(tmp_path, text, message):
    path = written(tmp_path, text)
    if message is None:  # a header that is missing, and texts in its place, cannot be told: every line is counted
        assert len(read_delimited(path).lines) == 5
        return
    with pytest.raises(Stop, match=message) as stop:
        read_delimited(path)
    assert "town" not in str(stop.value)


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        (PLAIN, ()),
        ("# core banking\n" + PLAIN, ("above the header, so not read: line 1",)),
        ("# a, b, and c\n\n" + PLAIN, ("above the header, so not read: lines 1, 2",)),
        ("sep=,\n" + PLAIN, ("above the header, so not read: line 1",)),
        (PLAIN.replace("C3", "# page 2\nC3") + "# end\n", ("comments that begin with #, so not read: lines 5, 9",)),
        (PLAIN.replace("C3", "\n,,\nC3"), ("blank, so no row: line 5",)),
        (PLAIN.replace("\n", "\r\n"), ()),
        (PLAIN.replace("\n", "\r"), ()),
        ("\ufeff" + PLAIN, ()),
        (PLAIN.replace("\n", ",\n"), ("without a name and always empty, so not read: column 4",)),
    ],
)
def test_what_is_in_no_row_is_told(tmp_path, text, notes):
    read = read_delimited(written(tmp_path, text))
    assert read.notes == notes
    assert [key for key in read.table["id"].to_pylist() if key] == [f"C{number}" for number in range(6)]


def test_keys_that_begin_with_a_hash_are_keys(tmp_path):
    text = "#id,name\n" + "".join(f"{'#' * (number % 2)}{number},n\n" for number in range(10))
    read = read_delimited(written(tmp_path, text))
    assert read.table.column_names == ["#id", "name"]
    assert read.table["#id"].to_pylist() == [f"{'#' * (number % 2)}{number}" for number in range(10)]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize(("name", "is_packed"), [("t.tsv", False), ("t.txt", False), ("t.dat", True), ("t.gz", True)])
def test_delimiter_and_packing_show_in_the_file_whatever_its_name(tmp_path, mark, name, is_packed):
    text = PLAIN.replace(",", mark).replace(".5", ",5" if mark != "," else ".5").encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if is_packed else text)
    read = read_delimited(tmp_path / name)
    assert (read.delimiter, len(read.lines), read.table.num_columns) == (mark, 6, 3)


def test_another_encoding_is_asked_for_and_never_mistaken(tmp_path):
    text = PLAIN.replace("town", "上海")
    for encoding in ("gb18030", "big5"):
        path = written(tmp_path, text, encoding)
        with pytest.raises(Stop, match="line 2 is not in UTF-8: name the file's encoding"):
            read_delimited(path)
        assert read_delimited(path, encoding=encoding).table["city"][0].as_py() == "上海"
    assert read_delimited(written(tmp_path, text, "utf-16")).table["city"][0].as_py() == "上海"
    with pytest.raises(Stop, match="is in UTF-8, not in gb18030"):
        read_delimited(written(tmp_path, text), encoding="gb18030")
    cities = map("".join, product("臺高基新嘉桃彰屏花", "灣雄隆竹義園化東蓮"))
    traditional = "id,city\n" + "".join(f"{n},{city}\n" for n, city in enumerate(cities))
    (note,) = read_delimited(written(tmp_path, traditional, "big5"), encoding="gb18030").notes
    assert note == "read in gb18030, but it looks written in BIG5"
    assert read_delimited(written(tmp_path, traditional, "big5"), encoding="big5").notes == ()
    with pytest.raises(Stop, match="there is no encoding klingon"):
        read_delimited(written(tmp_path, text), encoding="klingon")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04 and so on", "an Excel workbook: save the table as CSV"),
        (b"%PDF-1.7", "a PDF document"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:-20], "cannot be read: broken gzip stream"),
    ],
)
def test_what_is_no_text_is_called_by_its_name(tmp_path, content, message):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(Stop, match=message):
        read_delimited(tmp_path / "table.csv")


def test_lines_are_those_of_the_file(tmp_path):
    text = PLAIN.replace("C2,2.5,town", 'C2,2.5,"one\ntwo"')
    assert read_delimited(written(tmp_path, text)).lines.tolist() == [2, 3, 4, 6, 7, 8]
