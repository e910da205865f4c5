# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # ESsEN: compact encoders when data is scarce
#
# Which compact architecture should be trained, from pixels, when there is little data? A **one-tower** encoder puts a text's
# word pieces and an image's patches into one stack of layers. A **two-tower** encoder has a text tower and a vision tower,
# and joins them by *cross-modal layers*, in which each modality looks at the other. At equal parameters the second has fewer
# layers in which both meet, and can have a convolutional network for its eyes.
#
# The paper says: two towers are better when data is scarce; convolutional towers are more economical; and the cross-modal
# layers' shape can vary a lot. Its tables cannot be reached; its authors' platform can, and so can a few of their exploratory
# runs. What the paper leaves open is whether the advantage lasts as data grows.
#
# This report puts the claims to a small, fair test on data anybody can build. Scores are **not** comparable with published
# ones (other data, far smaller models, minutes of training); whether a *claim* holds is.
#
# How to read the numbers: brackets are 95% intervals from a bootstrap over images (questions about one image are drawn
# together), averaged over seeds where there are several, with the seeds' standard deviation behind ±. A difference between two
# models is judged item by item. With one seed, intervals say nothing about what another seed would have given.

# %% tags=["parameters"]
study = "essen"
results = "results"
runs = "runs"
sets = "data/sets"
out = "results/figures"
style = "reports/paper.mplstyle"
one = "one_tower"
vit = "two_tower_vit"
cnn = "two_tower_cnn"

# %%
from compactvl.reporting.answers import floor_table, training_curves, types_table
from compactvl.reporting.claims import claims_table, verdicts_table
from compactvl.reporting.output import Report
from compactvl.reporting.overview import overview
from compactvl.reporting.pictures import open_set
from compactvl.reporting.tables import parameter_table, runs_table
from compactvl.studies.essen.report import figures, published, tables
from compactvl.studies.essen.report.claims import essen_claims
from compactvl.studies.essen.report.results import EASY, REFER, TASKS, EssenResults

measured = EssenResults(study, results=results, runs=runs)
report = Report(f"{out}/{study}", style=style)
arms = [one, vit, cnn]
starts = ["start_random", "start_pretrained", "start_frozen", "start_text", "start_vision"]
starts += ["start_one_random", "start_one_pretrained"]
shares = [*measured.shares(one), *measured.shares(cnn)]

# %% [markdown]
# ## 1. The claims
#
# Every claim, the question they leave open, and our controls. A claim *holds here* if the whole 95% interval of the measured
# difference is on its side, and *does not hold here* if the interval is on the other side.
# Where the interval holds both, it *cannot be tested here*, and the last column tells how many times the items would have
# told; what is left to another size was *not run in this size*. Intervals are over items, and where a variant has several
# seeds over both (a bootstrap of two levels: items, and each variant's seeds).

# %%
judged = claims_table(measured, essen_claims(one=one, vit=vit, cnn=cnn))
report.table(
    "verdicts", verdicts_table(judged), "How many claims of the paper, questions and controls have each verdict."
)
report.table("claims", judged)

# %% [markdown]
# ## 2. The tasks, and what they give without an image
#
# easy-VQA's questions about the colour and the shape of one thing (those with yes or no are left out: four in five are told from
# their words), and tasks about drawn scenes. A model has learned to look only as far as it is above what the text alone gives.

# %%
report.table(
    "floor",
    floor_table(measured, {task: open_set(sets, task) for task in TASKS if measured.measured(task, measured.variants)}),
    "Test items in per cent, without a look at any image.",
)

# %% [markdown]
# ## 3. One tower or two, ViT or CNN
#
# All three have as many parameters, to 2%, with the same word table; all are trained from random weights, by the same recipe, on
# the same questions in the same order.

# %%
report.table(
    "arms",
    tables.arms_table(measured, EASY, [*arms, "blind", "shuffled_images", "random"], base=one),
    "easy-VQA: test items in per cent, differences in points; items a second in training, validations included, on one thread.",
)
report.table("types", types_table(measured, EASY, [*arms, "blind"]), "By type of question.")
report.table("parameters", parameter_table(measured, arms), "Parameters by part.")

# %%
report.figure("training", training_curves(measured, arms), "A line a variant and seed.")

# %% [markdown]
# ## 4. Does the advantage last as data grows?
#
# Both arms on shares of the training images, smaller shares being parts of larger ones, with as many steps on each. A curve says
# something only if its runs had learned what they could: the second table tells how much validation still rose at the end.

# %%
report.figure(
    "data_curve",
    figures.data_curve(measured, EASY, one=one, two=cnn),
    "Left: score on the test items. Right: the difference, item by item.",
)
report.table("converged", tables.converged_table(measured, EASY, shares), "Validation score in per cent.")

# %% [markdown]
# ## 5. How large must the cross-modal layers be?
#
# The same towers, joined by layers of different width and number.

# %%
report.table("shapes", tables.shapes_table(measured, EASY, cnn), "easy-VQA: test items in per cent.")
report.figure(
    "shapes",
    figures.by_size(measured, EASY, {"shape": measured.shapes(cnn)}, part="cross-modal layers"),
    "Score against the parameters of the cross-modal layers.",
)

# %% [markdown]
# ## 6. Where towers begin
#
# An EfficientNet-Lite0 (ImageNet) and the first layers of a MiniLM: both with their trained weights, both without, one of each,
# and with the vision tower frozen; and one tower of MiniLM's first layers, whose patches are random. The authors' exploratory runs found a *mixed* start, one tower trained and one not, worse than
# both random.

# %%
report.table(
    "starts", tables.arms_table(measured, EASY, starts, base="start_random"), "easy-VQA: test items in per cent."
)
report.table("published", published.STARTS, "Published exploratory runs; other data and another scale, not comparable.")

# %% [markdown]
# ## 7. Tasks about scenes
#
# From random weights these need more data and time than there is here. Pre-trained towers that were first trained on captions (masked
# words, and which image belongs to a caption) can be tried on statements about a scene and on expressions that mean one object.
# Boxes are cut out and seen one by one, as in the authors' platform, so which of two dogs stands on the left cannot be told.

# %%
for task in TASKS[1:]:
    found = [name for name in measured.variants if measured.measured(task, [name])]
    if found:
        report.table(
            task,
            tables.arms_table(measured, task, found, base="refer_towers" if task == REFER else found[0]),
            f"{measured.metric_label(task)}: test items in per cent.",
        )
        report.table(f"{task}_types", types_table(measured, task, found), "By type of item.")

# %% [markdown]
# ## 8. Runs

# %%
report.table("runs", runs_table(measured, measured.variants), "What the runs begin with, and how many items they saw.")

# %% [markdown]
# ## 9. In the benchmark's overview
#
# What the front page shows of this study's main models, beside those of the others (scores in per cent).

# %%
report.table("overview", overview(measured, measured.models(one=one, vit=vit, cnn=cnn)))
