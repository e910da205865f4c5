"""JSON of users' own: what no UTF-8 file can hold."""

import json

import pytest

from compactvl.data.user_files import parse_json, read_lines, read_user_json, spelt_otherwise
from compactvl.errors import UserError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r'"A dog \ud83d\ude00"', "A dog 😀"),
        (r'"A dog \ud83d"', "A dog \ufffd"),
        (r'"\uDE00 first"', "\ufffd first"),
        (r'"\ud83d\ud83d\ude00"', "\ufffd😀"),
        (r'"a path \\ud83d"', r"a path \ud83d"),
        (r'{"\ud83d": [1.5, null, "é\ud83d"]}', {"\ufffd": [1.5, None, "é\ufffd"]}),
    ],
)
def test_half_an_emoji_becomes_the_replacement_character(text, expected, tmp_path) -> None:
    assert parse_json(text) == expected
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    assert read_user_json(tmp_path / "a.json") == expected
    json.dumps(expected, ensure_ascii=False).encode()


def test_a_key_that_is_there_twice_is_refused(tmp_path) -> None:
    (tmp_path / "a.json").write_text('[{"split": "train", "split": "test"}]')
    with pytest.raises(UserError, match=r"a\.json is not JSON \(the key 'split' is there twice\)"):
        read_user_json(tmp_path / "a.json")


def test_lines_end_in_any_way(tmp_path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a  dog\ra cat\r\n\na hen")
    assert list(read_lines(tmp_path / "a.txt")) == [(1, "a dog"), (2, "a cat"), (3, ""), (4, "a hen")]


@pytest.mark.parametrize("content", [b"a dog\na\0cat\n", "\na cat\n".encode("utf-16-le")])
def test_what_has_a_nul_character_is_no_text(content, tmp_path) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.txt line [12] has a NUL character; is this a text file"):
        list(read_lines(tmp_path / "a.txt"))


def test_a_name_that_is_spelt_otherwise_is_told(tmp_path) -> None:
    for name in ("cafe\u0301.JPG", "b.jpg"):
        (tmp_path / name).touch()
    assert spelt_otherwise(tmp_path / "caf\xe9.jpg") == r" (there is 'cafe\u0301.JPG', spelt otherwise)"
    for name in ("b.jpg", "c.jpg", "x" * 300, "nowhere/b.jpg", "a\0/b.jpg"):
        assert spelt_otherwise(tmp_path / name) == ""
