"""What every report reads and its tables; figures' shared parts."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from compactvl.errors import UserError
from compactvl.reporting.study import Estimate, StudyResults
from compactvl.reporting.style import grid, interval_line, interval_points, use_style
from compactvl.reporting.tables import per_cent, runs_table, settings_table, table_html, table_latex


def test_arms_differ_only_in_what_is_free(toy):
    assert toy.arms("good", "size.width") == ["bad", "good", "same"]
    assert toy.arms("good") == ["good"]
    assert toy.arms("good", "size.depth") == ["good"]
    assert toy.arms("nobody", "size.width") == []


def test_runs_and_settings(toy):
    assert runs_table(toy, ["good", "nobody"]).to_numpy().tolist() == [["The good one", "good", "–", "10", "1,200"]]
    assert settings_table(toy, "good", "bad").to_numpy().tolist() == [["size.width", "0", "8"]]


def test_per_cent():
    assert per_cent(Estimate(0.8126, 0.7791, 0.8461)) == "81.3 [77.9, 84.6]"
    assert per_cent(Estimate(0.8126, 0.7791, 0.8461, sd=0.0123, seeds=2)) == "81.3 ± 1.2 [77.9, 84.6]"
    assert per_cent(Estimate(1234.5, 1200, 1300), scale=1) == "1,234.5 [1,200.0, 1,300.0]"
    assert per_cent(None) == "–"


def test_cells_are_escaped():
    table = pd.DataFrame({"R@1 (%)": ["a_b & 1→2 <i> {x} ~ ^ \\ # $"]})
    text = table_latex(table)
    assert r"R@1 (\%)" in text
    assert (
        r"a\_b \& 1→2 <i> \{x\} \textasciitilde \space \textasciicircum \space \textbackslash \space \# \$ \\" in text
    )
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")
    assert "&lt;i&gt;" in table_html(table)


def test_points_and_bands_are_drawn_where_they_were_measured():
    found = [Estimate(0.5, 0.4, 0.7), None, (0.2, 0.1, 0.25)]
    _, (points, across, line) = grid(3, 2, 2.0)
    interval_points(points, [1, 2, 3], found)
    interval_points(across, [1, 2, 3], found, across=True, scale=1)
    interval_line(line, [1, 2, 3], found, color="black", label="x")
    (value, _, (bars,)), (flat, _, (flat_bars,)) = points.containers[0], across.containers[0]
    assert value.get_xydata().tolist() == [[1, 50], [3, 20]]
    assert np.array(bars.get_segments())[:, :, 1] == pytest.approx(np.array([[40, 70], [10, 25]]))
    assert flat.get_xydata().tolist() == [[0.5, 1], [0.2, 3]]
    assert np.array(flat_bars.get_segments())[:, :, 0] == pytest.approx(np.array([[0.4, 0.7], [0.1, 0.25]]))
    assert line.lines[0].get_xydata().tolist() == [[1, 50], [3, 20]]


def test_dollars_in_a_caption_are_drawn_as_they_are(style):
    with matplotlib.rc_context():
        use_style(style)
        figure = plt.figure()
        text = figure.text(0, 0, "50% off, $#1 to $2")
        figure.canvas.draw()
        assert not text.get_parse_math()


def test_bad_input(toy, tmp_path):
    with pytest.raises(UserError, match=r"results/none/metrics\.csv is missing"):
        StudyResults("none", toy.results, toy.runs)
    with pytest.raises(UserError, match="style"):
        use_style(tmp_path / "none.mplstyle")
    with pytest.raises(TypeError, match="does not say what the items"):
        StudyResults("toy", toy.results, toy.runs).items("good", "test", "accuracy")


def test_nothing_is_a_dash_in_columns_with_and_without_values():
    table = pd.DataFrame({"none": [None, None], "some": [1.5, None], "said": pd.Series(["x", None], dtype=object)})
    for text in (table_html(table), table_latex(table)):
        assert text.count("–") == 4
        assert "None" not in text
        assert "nan" not in text.lower()
