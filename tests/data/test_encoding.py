"""Encodings are found, broken characters are counted and located, and every text is cleaned alike."""

from __future__ import annotations

import gzip
import tracemalloc
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.data import encoding as module
from langwright.data.encoding import clean_text, find_encoding, read_text
from langwright.errors import UserError

CHINESE = (
    "春天来了，河边的柳树发了芽。老师带着孩子们去郊外看花，一路上有说有笑。有人问：“为什么桃花先开花、后长叶？”"
    "老师说，花芽在去年秋天就已经长好，天气一暖，它就先醒了。\n我们在中国的大学里学习自然语言处理，这是一个很有意思的领域。\n"
)
ENGLISH = "The café near the river serves naïve tourists. “Déjà vu,” said the old man — and smiled.\n"


def text_of(path: Path, encoding: str = "auto", max_broken: float = 0.001) -> str:
    chunks, _ = read_text(path, encoding, max_broken)
    return "".join(chunks)


def written(tmp_path: Path, data: bytes, name: str = "a.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.spec("D10", "the encoding of a file is found, GBK and UTF-16 among them")
@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("gbk", "gb18030"),
        ("gb2312", "gb18030"),
        ("gb18030", "gb18030"),
        ("utf-16", "utf-16-le"),
        ("utf-32", "utf-32-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
@pytest.mark.parametrize("before", ["", "# a long run of ASCII before it\n" * 50_000])
def test_chinese_in_any_encoding(tmp_path: Path, encoding: str, found: str, before: str) -> None:
    text = (before + CHINESE).replace("“", "《").replace("”", "》")  # GB2312 has no curly quotes in Python's codec
    if encoding == "utf-16-be":
        text = "ASCII, which UTF-16 without a mark is known by. " * 100 + text
    path = written(tmp_path, text.encode(encoding))
    assert find_encoding(path) == found
    assert text_of(path) == text


@pytest.mark.parametrize("characters", [6, 20, 60, 105])
def test_short_chinese_texts_in_gbk(tmp_path: Path, characters: int) -> None:
    text = CHINESE.replace("“", "").replace("”", "")[:characters]
    assert text_of(written(tmp_path, text.encode("gbk"))) == text


@pytest.mark.parametrize("encoding", ["cp1252", "big5", "utf-8"])
def test_what_is_no_gbk_is_not_taken_for_it(tmp_path: Path, encoding: str) -> None:
    text = (
        ENGLISH * 20
        if encoding == "cp1252"
        else "這是一個很長的繁體中文句子，我們在這裡學習語言，他們說這個時候應該回來。" * 20
    )
    assert text_of(written(tmp_path, text.encode(encoding))) == text


def test_a_real_corpus_in_gbk(shared_data, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    source = sorted(shared_data("zh-text-novels").glob("*.txt.gz"))[0]
    text = gzip.decompress(source.read_bytes()).decode()[:300_000]
    text = text.encode("gbk", "ignore").decode("gbk")
    path = written(tmp_path, text.encode("gbk"))
    assert find_encoding(path) == "gb18030"
    assert text_of(path) == text.replace("\r\n", "\n")


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.integers(1, 9))
def test_any_utf_8_comes_back_wherever_chunks_end(
    tmp_path_factory: pytest.TempPathFactory, text: str, chunk: int
) -> None:
    path = tmp_path_factory.mktemp("e") / "a.txt"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        expected = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        assert text_of(path, "utf-8") == expected


def test_a_gzip_file_is_unpacked(tmp_path: Path) -> None:
    assert text_of(written(tmp_path, gzip.compress(CHINESE.encode("gbk")), "a.txt.gz")) == CHINESE


def test_a_torn_gzip_file_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path, gzip.compress(CHINESE.encode() * 1000)[:-20], "a.txt.gz")
    with pytest.raises(UserError, match="damaged gzip"):
        text_of(path)
    with pytest.raises(UserError, match="damaged gzip"):
        text_of(written(tmp_path, b"no gzip at all", "b.txt.gz"))


def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, b"text")

    def refuse(*_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=r"a\.txt cannot be read: Permission denied"):
        text_of(path, "utf-8")
    with pytest.raises(UserError, match=r"a\.txt cannot be read: Permission denied"):
        text_of(path)


# --- broken characters ---------------------------------------------------------------------------


def test_broken_utf_8_names_file_and_byte(tmp_path: Path) -> None:
    good = CHINESE.encode()
    path = written(tmp_path, good + b"\xe4\xb8" + b"abc" + good)
    with pytest.raises(UserError) as caught:
        text_of(path)
    assert caught.value.values["offset"] == len(good)
    assert caught.value.values["path"] == path
    assert caught.value.values["broken"] == 1
    assert "a.txt" in caught.value.problem("zh")
    assert str(len(good)) in caught.value.problem("zh")


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64, 1 << 20])
def test_broken_characters_are_counted_whatever_the_chunks(
    tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = "好\ufffd".encode() * 3000  # a replacement character that was written is not broken
    path = written(tmp_path, good + b"\xff" + good + b"\xc3(" + good)
    monkeypatch.setattr(module, "CHUNK", chunk)
    chunks, found = read_text(path, "utf-8", max_broken=0.01)
    text = "".join(chunks)
    assert found.broken == 2
    assert found.first_broken == len(good)
    assert found.characters == len(text) == 18_003
    assert text == "好\ufffd" * 3000 + "\ufffd" + "好\ufffd" * 3000 + "\ufffd(" + "好\ufffd" * 3000


def test_a_set_share_may_be_broken(tmp_path: Path) -> None:
    path = written(tmp_path, b"a" * 99 + b"\xff")
    assert text_of(path, "utf-8", max_broken=0.01).endswith("\ufffd")
    with pytest.raises(UserError, match="1 characters are broken in utf-8, the first at byte 99"):
        text_of(path, "utf-8", max_broken=0.009)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="NUL bytes"):
        text_of(written(tmp_path, b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x80\xffabc"))


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no encoding called 'utf-9'"):
        text_of(written(tmp_path, b"a"), "utf-9")


def test_memory_is_bounded_by_the_chunk(tmp_path: Path) -> None:
    path = written(tmp_path, b"x" * (40 << 20))
    tracemalloc.start()
    chunks, _ = read_text(path, "auto", 0.0)
    total = sum(map(len, chunks))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 40 << 20
    assert peak < 12 << 20


# --- one text ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("e\u0301", "é"),
        ("a\r\nb\rc\x85d\u2028e", "a\nb\nc\nd\ne"),
        ("a\x00b\x0cc\td\x7f", "abc\td"),
        ("\ufeffa\ufeff", "a"),
        ("\ud800x", "\ufffdx"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("全角　空格", "全角　空格"),
    ],
)
def test_cleaning_by_hand(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@given(st.text())
def test_cleaning_twice_changes_nothing_and_utf_8_can_write_it(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once
    assert unicodedata.is_normalized("NFC", once)
    once.encode()
