"""What EDJE's figures draw, read back from their axes, against the metrics, logs, predictions and pictures."""

import io
import itertools

import matplotlib.colors as mcolors
import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer
from PIL import Image

from compactvl.reporting.pictures import open_set
from compactvl.reporting.study import NotRun
from compactvl.studies.edje.report.figures.attention import attention_maps
from compactvl.studies.edje.report.figures.gallery import gallery
from compactvl.studies.edje.report.figures.recall import ablation, quantisation, recall_vs_pool, recall_vs_tokens
from compactvl.studies.edje.report.figures.swaps import swaps
from compactvl.studies.edje.report.figures.throughput import throughput
from compactvl.studies.edje.report.figures.training import training_curves

DIRECTIONS = ("t2i", "i2t")


@pytest.fixture
def metrics(study):
    """(variant, benchmark, metric) → value, low, high in per cent, over seeds and items, straight from the file."""
    table = pd.read_csv(study.results / "edje" / "metrics.csv")
    groups = dict(iter(table.groupby(["variant", "benchmark", "metric"])))

    def of(*key):
        rows = groups[key]
        value, low, high = (rows[name].mean() for name in ("value", "low", "high"))
        if len(rows) > 1:
            error = 1.96 * rows["value"].std() / len(rows) ** 0.5
            low = max(0, value - ((value - low) ** 2 + error**2) ** 0.5)
            high = min(1, value + ((high - value) ** 2 + error**2) ** 0.5)
        return [100 * value, 100 * low, 100 * high]

    return of


def drawn(axes):
    """Return what each errorbar of an axes shows, [place, value, low, high] a point, in the order drawn."""
    found = []
    for bars in (c for c in axes.containers if isinstance(c, ErrorbarContainer)):
        for segment in bars[2][0].get_segments():
            (x0, y0), (x1, y1) = segment
            across = y0 == y1
            place, low, high = (y0, x0, x1) if across else (x0, y0, y1)
            line = bars[0]
            value = None
            if line is not None:
                points = np.column_stack([line.get_ydata(), line.get_xdata()] if across else line.get_data())
                value = points[points[:, 0] == place][0, 1]
            found.append((place, value, low, high))
    return found


def assert_close(found, expected):
    assert np.asarray(found, dtype=float) == pytest.approx(np.asarray(expected, dtype=float), abs=1e-3)


def test_ablation(study, metrics):
    variants = ["itm_only", "nobody", "itm_mlm", "random_negatives"]
    figure = ablation(study, variants=variants, first_stage="retriever", reference="itm_mlm")
    variants.remove("nobody")
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [study.label(v) for v in variants]
    for axes, direction in zip(figure.axes, DIRECTIONS, strict=True):
        expected = [(row, *metrics(v, "scenes", f"{direction}_r1")) for row, v in enumerate(variants)]
        assert_close(drawn(axes), expected)
        assert [text.get_text() for text in axes.texts] == [f"{value:.1f}" for _, value, *_ in expected]
        (dashed,) = [line for line in axes.lines if line.get_linestyle() == "--"]
        assert_close(dashed.get_xdata(), [metrics("retriever", "scenes", f"{direction}_r1")[0]] * 2)
    colours = [c[0].get_color() for c in figure.axes[0].containers]
    assert colours[0] == colours[2] != colours[1]


def first_hits(study, benchmark, direction):
    """(seed, query) → whether the best-scored candidate of the default pool is right, 1 or 0."""
    found = {}
    for seed, table in study.predictions("edje", benchmark).items():
        for row in table[table["direction"] == direction].itertuples():
            best = int(np.argmax(row.scores[:10]))
            found[seed, row.query_id] = float(row.relevant[best])
    return found


def test_quantisation_compares_the_same_queries(study):
    figure = quantisation(study, variants=["edje", "local"])
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [
        f"EDJE, 12 tokens, {s}" for s in ("int8", "fp8")
    ]
    for axes, direction in zip(figure.axes, DIRECTIONS, strict=True):
        whole = first_hits(study, "scenes", direction)
        for storage, (_, value, low, high) in zip(("int8", "fp8"), drawn(axes), strict=True):
            part = first_hits(study, f"scenes_{storage}", direction)
            assert value == pytest.approx(100 * np.mean([hit - whole[item] for item, hit in part.items()]), abs=1e-3)
            assert low <= value <= high


def test_recall_vs_tokens(study, metrics):
    arms = {"compressed_4": 4, "compressed_8": 8, "compressed_12": 12, "mine": 16, "compressed_24": 24}
    figure = recall_vs_tokens(study, arms=arms, first_stage="retriever")
    for axes, direction in zip(figure.axes, DIRECTIONS, strict=True):
        expected = [(m, *metrics(v, "scenes", f"{direction}_r1")) for v, m in (arms | {"local": 64}).items()]
        assert_close(drawn(axes), expected)
        first = metrics("retriever", "scenes", f"{direction}_r1")
        (dashed,) = [line for line in axes.lines if line.get_linestyle() == "--"]
        assert_close(dashed.get_ydata(), [first[0]] * 2)
        (span,) = axes.patches
        assert_close([span.get_y(), span.get_y() + span.get_height()], first[1:])


def test_recall_vs_pool(study, metrics):
    figure, pools = recall_vs_pool(study, variants=["random_scores", "edje"], first_stage="retriever"), (5, 10, 20, 50)
    for axes, direction in zip(figure.axes, DIRECTIONS, strict=True):
        wanted = [("edje", "in_pool"), ("random_scores", "r1"), ("edje", "r1")]
        expected = [[metrics(v, "scenes_pools", f"{direction}_{m}@pool{k}") for k in pools] for v, m in wanted]
        lines = {line.get_label(): line for line in axes.lines}
        names = ["perfect reranker", "Random scores (control)", "EDJE, 12 tokens"]
        for name, values in zip(names, expected, strict=True):
            assert lines[name].get_xdata().tolist() == list(pools)
            assert_close(lines[name].get_ydata(), [value for value, *_ in values])
        for band, values in zip(axes.collections, expected[1:], strict=True):
            corners = band.get_paths()[0].vertices
            for k, (_, low, high) in zip(pools, values, strict=True):
                edge = corners[corners[:, 0] == k][:, 1]
                assert_close([edge.min(), edge.max()], [low, high])
        tables = [t[t["direction"] == direction] for t in study.predictions("edje", "scenes_pools").values()]
        first = 100 * np.mean([[row[0] for row in table["relevant"]] for table in tables])
        assert_close(lines["Embedding model"].get_ydata(), [first] * 2)


def test_swaps(study, metrics):
    variants, kinds = ["retriever", "edje"], ["", "/above_below", "/count", "/left_right", "/size"]
    figure = swaps(study, variants=variants)
    for axes, score in zip(figure.axes, ("text", "image", "group"), strict=True):
        expected = [[metrics(v, "swaps", f"{score}{kind}") for kind in kinds] for v in variants]
        bars = [c for c in axes.containers if not isinstance(c, ErrorbarContainer)]
        assert_close([[bar.get_height() for bar in c] for c in bars], [[v for v, *_ in found] for found in expected])
        centres = [bar.get_x() + bar.get_width() / 2 for c in bars for bar in c]
        assert np.round(centres).tolist() == [*range(5)] * 2
        found = [(x, low, high) for x, _, low, high in drawn(axes)]
        assert_close(found, [(x, *e[1:]) for x, e in zip(centres, itertools.chain(*expected), strict=True)])
        assert_close(axes.lines[-1].get_ydata(), [{"text": 25, "image": 25, "group": 100 / 6}[score]] * 2)


def test_throughput(study):
    raw = pd.read_parquet(study.results / "edje" / "edje" / "seed0" / "efficiency.parquet")
    (axes,) = throughput(study, variants=["edje", "local"]).axes
    axes.figure.canvas.draw()
    assert not any("$" in label.get_text() for label in axes.get_yticklabels(which="both"))
    lines = {c.get_label(): c for c in axes.containers}
    for source, said in {"store": "tokens read from the store", "online": "vision computed online"}.items():
        part = raw[raw["source"] == source].sort_values("batch")
        line, _, (bars,) = lines[f"EDJE, 12 tokens: {said}"]
        assert line.get_xdata().tolist() == part["batch"].tolist()
        assert line.get_ydata() == pytest.approx(part["pairs_per_s"], rel=1e-3)
        ends = [(low, high) for (_, low), (_, high) in bars.get_segments()]
        expected = [(1000 * r.pairs / r.high, 1000 * r.pairs / r.low) for r in part.itertuples()]
        assert np.array(ends) == pytest.approx(np.array(expected), rel=1e-6)


def test_training(study):
    figure = training_curves(study, variants=["trunk", "edje", "nobody"])
    titles = {axes.get_title(): axes for axes in figure.axes}
    logs = study.log("edje")
    assert list(logs) == [0, 1]
    lines = titles["Validation, text → image"].lines
    for line, log in zip(lines[1:], logs.values(), strict=True):
        part = log.dropna(subset="val_r1_t2i")
        assert line.get_xdata().tolist() == part["seen"].tolist()
        assert_close(line.get_ydata(), 100 * part["val_r1_t2i"])
    loss, log = titles["Training loss"].lines[1].get_ydata(), logs[0]["loss"].tolist()
    # A fiftieth of 100 logged steps.
    assert_close(loss, [np.mean(log[max(0, n - 1) : n + 1]) for n in range(len(log))])


def test_gallery(study, tree):
    scenes = open_set(tree / "data" / "sets", "scenes")
    figure = gallery(study, dataset=scenes, reranker="edje", first_stage="retriever", queries=4)
    tables = [next(iter(study.predictions(v, "scenes").values())) for v in ("retriever", "edje")]
    captions = dict(enumerate(scenes.split("test")["caption"]))
    shown = [text.get_text() for text in figure.texts if text.get_text().startswith("“")]
    rows = np.array(figure.axes).reshape(len(shown), 2, 5)
    mended = 0
    for line, (before, after) in zip(shown, rows, strict=True):
        pictures = [[axes.images[0].get_array() for axes in half] for half in (before, after)]
        framed = [
            [mcolors.to_hex(a.spines["left"].get_edgecolor()) == "#009e73" for a in half] for half in (before, after)
        ]
        matches = []
        for query in {str(i) for i, caption in captions.items() if f"“{caption}”" == line}:
            ids, right = [], []
            for table in tables:
                found = table[(table["query_id"] == query) & (table["direction"] == "t2i")]
                if found.empty:
                    break
                row = found.iloc[0]
                order = sorted(range(10), key=lambda i: -row["scores"][i])[:5]
                ids.append([row["candidates"][i] for i in order])
                right.append([bool(row["relevant"][i]) for i in order])
            if len(ids) == 2 and right == framed:
                images = [[as_array(scenes, image) for image in half] for half in ids]
                same = all(
                    np.array_equal(a, b)
                    for x, y in zip(images, pictures, strict=True)
                    for a, b in zip(x, y, strict=True)
                )
                matches += [query] if same else []
        assert matches, f"{line}: no query has these pictures and frames"
        mended += framed[1][0] and not framed[0][0]
    assert mended == 2


def as_array(dataset, image):
    return np.asarray(Image.open(io.BytesIO(dataset.image_bytes(image))).convert("RGB"))


def test_attention(study, tree):
    scenes = open_set(tree / "data" / "sets", "scenes")
    figure = attention_maps(study, dataset=scenes, variant="edje", images=2, queries=3)
    arrays = study.analysis("edje")
    queries = [int(axes.get_title().removeprefix("query ")) - 1 for axes in figure.axes[1:4]]
    spread = arrays["maps"].var(axis=0).sum(axis=(1, 2))
    assert queries == sorted(np.argsort(-spread)[:3].tolist())
    for line, image_id, maps in zip(
        np.array(figure.axes).reshape(2, 4), arrays["image_ids"], arrays["maps"], strict=False
    ):
        image = as_array(scenes, str(image_id))
        assert np.array_equal(line[0].images[0].get_array(), image)
        for axes, query in zip(line[1:], queries, strict=True):
            # The faded picture is left where the query does not look, and is orange where it looks most.
            shown = axes.images[0].get_array().astype(float)
            cell = image.shape[0] // 8
            y, x = np.unravel_index(maps[query].argmax(), (8, 8))
            brightest = shown[y * cell : (y + 1) * cell, x * cell : (x + 1) * cell].mean(axis=(0, 1))
            y, x = np.unravel_index(maps[query].argmin(), (8, 8))
            darkest = np.s_[y * cell + 4 : y * cell + 8, x * cell + 4 : x * cell + 8]
            orange, plain = np.array([213, 94, 0]), 0.55 * image[darkest] + 0.45 * 255
            assert np.abs(shown[darkest] - plain).mean() < 20
            assert np.linalg.norm(brightest - orange) < np.linalg.norm(shown[darkest].mean(axis=(0, 1)) - orange)


def test_what_was_not_run_is_said(study):
    nobody = ["nobody"]
    assert isinstance(ablation(study, variants=nobody, first_stage="retriever"), NotRun)
    assert isinstance(quantisation(study, variants=nobody), NotRun)
    assert isinstance(recall_vs_tokens(study, arms={"edje": 12}, first_stage="retriever"), NotRun)
    assert isinstance(recall_vs_pool(study, variants=nobody, first_stage="retriever"), NotRun)
    assert isinstance(swaps(study, variants=nobody), NotRun)
    assert isinstance(training_curves(study, variants=nobody), NotRun)
    assert isinstance(gallery(study, dataset=None, reranker="edje", first_stage="retriever"), NotRun)
    assert isinstance(attention_maps(study, dataset=None, variant="edje"), NotRun)
    study.timings = study.timings.head(0)
    assert isinstance(throughput(study, variants=["edje"]), NotRun)
