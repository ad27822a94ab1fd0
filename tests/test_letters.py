"""Encodings told by their letters, in memory and part by part."""

import pytest
from conftest import called

from descend.base.errors import TableError
from descend.tables.find_files import find_files
from descend.tables.open import read
from descend.tables.reading_options import ReadingOptions
from descend.tables.scans.text import TextScan
from descend.tables.text.text_encoding import guess

TEXTS = [
    ("cp949", "이름,나이,도시\n김철수,20,서울\n이영희,31,부산\n"),
    ("cp949", "성별,키\n남,170\n여,160\n"),
    ("cp949", "펭귄,부리 길이\n아델리,38\n젠투,47\n턱끈,49\n"),
    ("cp932", "名前,年齢\n田中,20\n鈴木,30\n"),
    ("cp932", "x,y\n東京,1\n大阪,2\n名古屋,3\n"),
    ("cp932", "カタカナ,x\nテスト,1\n"),
    ("cp932", "せいべつ,x\nおとこ,1\n"),
    ("gbk", "姓名,年龄\n张伟,20\n李娜,31\n"),
    ("gbk", "城市,房价\n北京,3\n上海,4\n"),
    ("gbk", "品种,值\n苹果,1\n梨,2\n"),
    ("cp1252", "city,x\nZürich,1\nGenève,2\nMálaga,3\n"),
    ("cp1252", "température,°C\n1,2\n"),
    ("cp1252", "price €,x\n1,2\n"),
    ("cp1252", "größe,x\n1,2\n"),
    ("cp1252", "cidade,x\nSão Paulo,1\navaliação,2\n"),
    ("cp1252", "año,x\nniño,1\n"),
    ("cp1252", "width,“x”\n1 ± 2,3\n"),
]


@pytest.mark.parametrize(("encoding", "text"), TEXTS, ids=[f"{e}-{i}" for i, (e, _) in enumerate(TEXTS)])
def test_letters_tell_the_encoding_of_a_table(tmp_path, encoding, text):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(encoding))
    scan = TextScan.of("t.csv", find_files(str(path)), ReadingOptions())
    for table in (read(path), scan.head):
        assert table.frame.write_csv() == text
        (note,) = table.notes
        assert (note.code, note.values["encoding"]) == ("note.encoding", encoding)


@pytest.mark.parametrize(("encoding", "text"), TEXTS, ids=[f"{e}-{i}" for i, (e, _) in enumerate(TEXTS)])
def test_letters_that_come_late_tell_the_same_part_by_part(tmp_path, monkeypatch, encoding, text):
    monkeypatch.setattr("descend.tables.scans.text.HEAD_BYTES", 64)
    head, *rows = text.splitlines()
    width = head.count(",")
    path = tmp_path / "late.csv"
    lines = ["abc" + "".join(f",d{i}" for i in range(width)), *["1" + ",2" * width] * 100, head, *rows, ""]
    path.write_bytes("\n".join(lines).encode(encoding))
    scan = TextScan.of("t.csv", find_files(str(path)), ReadingOptions(), piece=64)
    table = read(path)
    rows_read = [row for part in scan.parts(table.columns) for row in part.table().frame.rows()]
    assert rows_read == table.frame.rows()
    assert [note.values["encoding"] for note in (*table.notes, *scan.head.notes)] == [encoding] * 2


@pytest.mark.parametrize(("encoding", "text"), [("cp949", "漢字,x\n甲,1\n"), ("cp932", "ﾃｽﾄ,x\n1,2\n")])
def test_letters_that_leave_a_doubt_are_doubted_aloud(tmp_path, encoding, text):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(encoding))
    (note,) = read(path).notes
    assert note.code == "note.encoding-doubted"
    assert note.values["encoding"] == encoding
    assert f"--encoding {note.values['other']}" in note.tell()


def test_a_broken_letter_in_utf8_is_named_by_its_line(tmp_path, capsys):
    path = tmp_path / "t.csv"
    data = "이름,n\n김철수,1\n이영희,2\n박민수,3\n".encode()
    path.write_bytes(data[:-6] + b"\xff" + data[-6:])
    with pytest.raises(TableError) as error:
        read(path)
    assert (error.value.code, error.value.line, error.value.values["encoding"]) == ("table.wrong-encoding", 4, "utf-8")
    assert called(capsys, "fit", path, "n ~ 1", "--memory", "1 B")[2].count("table.wrong-encoding") == 1


def test_bytes_that_are_letters_of_no_language_have_no_encoding():
    assert guess(b"\xff\xff,2\n") == []
