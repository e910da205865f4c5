"""Words, charts and emoji to be told apart: what is asked is what is drawn."""

import io
from collections import Counter

import numpy as np
import pytest
from curating import make
from PIL import Image, ImageFont

from compactvl.data.bar_charts import COLOURS, draw_bars, draw_chart
from compactvl.data.emoji import read_emoji
from compactvl.data.word_images import FACES, WORDS, font, write_word
from compactvl.errors import UserError

STYLES = ("noto", "twemoji")


def picture(dataset, image_id: str) -> np.ndarray:
    with Image.open(io.BytesIO(dataset.image_bytes(image_id))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_words_are_written_once_in_every_face(tmp_path):
    body = {"kind": "word_images", "words": 5, "renders": {"train": 8, "val": 2, "test": 4}}
    words = make(tmp_path, "words", body)
    assert Counter(words.images["split"]) == {"train": 40, "val": 10, "test": 20}
    assert words.manifest["answers"] == WORDS[:5]
    assert words.manifest["blind"]["test"]["word"] <= 0.4
    assert set(words.items["font"]) == set(FACES)
    assert words.items.groupby(["split", "answer"]).size().groupby("split").nunique().eq(1).all()
    for image_id in words.images["image_id"][::9]:
        assert picture(words, image_id).std() > 5, "something is written"
    again = make(tmp_path / "again", "words", body)
    assert again.manifest["images_sha256"] == words.manifest["images_sha256"]


def test_words_differ_and_fit():
    assert len(set(WORDS)) == len(WORDS) == 62
    assert all(word.isalpha() and 4 <= len(word) <= 6 for word in WORDS)
    for seed in range(12):
        drawn = np.asarray(write_word("waiter", FACES[seed % 8], 64, np.random.default_rng(seed))).astype(int)
        paper = drawn[0, 0]
        there = np.abs(drawn - paper).sum(-1) > 60
        assert there.any()
        assert there.mean() < 0.5
    assert isinstance(font("DejaVuSans", 12), ImageFont.FreeTypeFont)


def test_charts_show_what_is_asked(tmp_path):
    charts = make(
        tmp_path, "charts", {"kind": "bar_charts", "charts": {"train": 30, "val": 6, "test": 12}, "highest": 8}
    )
    assert charts.manifest["answers"] == [*COLOURS, *map(str, range(2, 9))]
    by_type = charts.items.pivot_table(index="image_id", columns="type", values="answer", aggfunc="first")
    assert len(by_type) == 48
    rgb = {name: np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) for name, code in COLOURS.items()}
    heights = {}
    for image_id, row in by_type.iterrows():
        pixels = picture(charts, image_id)
        tall = {name: (np.abs(pixels - own).sum(-1) < 6).sum(0).max() for name, own in rgb.items()}
        assert max(tall, key=tall.get) == row["tallest"]
        heights.setdefault(int(row["height"]), []).append(tall[row["tallest"]])
    means = [np.mean(heights[value]) for value in sorted(heights)]
    assert means == sorted(means), "a larger value is a taller bar"
    for answers in charts.items.groupby(["split", "type"])["answer"]:
        assert Counter(answers[1]).most_common(1)[0][1] <= 6, "answers are even"


def test_the_tallest_bar_is_alone():
    for seed in range(50):
        bars = draw_bars("red", 5, np.random.default_rng(seed))
        assert 3 <= len(bars) <= 5
        assert sorted(value for _, value in bars)[-1] == 5
        assert [value for _, value in bars].count(5) == 1
        assert len({colour for colour, _ in bars}) == len(bars)
    assert draw_chart(bars, 8, 64, np.random.default_rng(0)).size == (64, 64)


def test_emoji_of_the_test_split_were_never_seen(tmp_path, source_archive):
    archives = {name: source_archive(name) for name in (*STYLES, "emojibase")}
    body = {"kind": "emoji_kinds", "styles": list(STYLES), "max_emoji": 150, "least": 5}
    done = make(tmp_path, "emoji", body, archives)
    known = {one.code: one for one in read_emoji(archives["emojibase"])}
    assert len(done.images) == 150
    code = done.items["image_id"].str.partition("-")[2]
    assert code.groupby(done.items["split"]).apply(set).pipe(lambda sets: not (sets["train"] & sets["test"]))
    for row in done.items.assign(code=code).itertuples():
        assert row.answer == getattr(known[row.code], row.type)
    subgroups = done.items[done.items["type"] == "subgroup"]["answer"].value_counts()
    assert subgroups.min() >= 5
    assert set(done.items["answer"]) <= set(done.manifest["answers"])
    assert done.manifest["blind"]["test"]["group"] < 0.5


def test_too_many_words_are_refused(tmp_path):
    with pytest.raises(UserError, match="words"):
        make(tmp_path, "words", {"kind": "word_images", "words": 63})
