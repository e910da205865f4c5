"""JSON of users' own: what no UTF-8 file can hold."""

import json

import pytest

from compactvl.data.user_files import parse_json, read_user_json


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
