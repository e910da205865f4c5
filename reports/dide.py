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
# # DiDE: a dual encoder taught by a fusion encoder's attention
#
# A **fusion encoder** reads a question and an image together: every word can look at every part of the image in every
# layer. That makes it exact, and it has to be computed anew for every question. A **dual encoder** reads each alone and
# joins the two vectors at the end. It is fast, and an image is computed once whatever is asked about it; but no word ever
# looks at the image.
#
# DiDE trains the second by the first. The student learns the teacher's answers (*soft labels*) and, though its words never
# meet the image, what the teacher's words look at: the product of the student's text queries and image keys is made to be
# the teacher's attention (*cross-modal attention distillation*), in both directions.
#
# This report puts the paper's claims to a small, fair test on data anybody can build. Scores are **not** comparable with
# the published ones (other data, a smaller model, minutes of training); whether a *claim* holds is. The paper's
# pre-training is not published in detail: its tasks and weights here are our settings.
#
# How to read the numbers: brackets are 95% intervals from a bootstrap over images (questions about one image are drawn
# together). A difference between two models is judged item by item. Where answers tie, an item counts with the mean of
# their scores. With one seed, intervals say nothing about what another seed would have given.

# %% tags=["parameters"]
study = "dide"
results = "results"
runs = "runs"
sets = "data/sets"
out = "results/figures"
style = "reports/paper.mplstyle"
teacher = "teacher"
dual = "dual"
distilled = "dual_distilled"
best = "dual_distilled_pretrained"

# %%
from compactvl.reporting.answers import floor_table, training_curves, types_table
from compactvl.reporting.claims import claims_table, verdicts_table
from compactvl.reporting.output import Report
from compactvl.reporting.overview import overview
from compactvl.reporting.pictures import open_set
from compactvl.reporting.tables import parameter_table, runs_table
from compactvl.studies.dide.report import figures, published, tables
from compactvl.studies.dide.report.claims import dide_claims
from compactvl.studies.dide.report.results import ENTAIL, QA, TASKS, DideResults

measured = DideResults(study, results=results, runs=runs)
report = Report(f"{out}/{study}", style=style)
scenes = open_set(sets, "scenes")
asked = {task: open_set(sets, task) for task in TASKS}
students = [dual, "dual_soft", "dual_attention", distilled, best]

# %% [markdown]
# ## 1. The claims
#
# Every claim of the paper, the questions it leaves open, and our controls. A claim *holds here* if the whole 95%
# interval of the measured difference is on its side, and *does not hold here* if the interval is on the other side.
# Where the interval holds both, it *cannot be tested here*, and the last column tells how many times the items would have
# told; what is left to another size was *not run in this size*. Intervals are over items, and where a variant has several
# seeds over both (a bootstrap of two levels: items, and each variant's seeds).

# %%
judged = claims_table(measured, dide_claims(teacher=teacher, dual=dual, distilled=distilled, best=best))
report.table(
    "verdicts", verdicts_table(judged), "How many claims of the paper, questions and controls have each verdict."
)
report.table("claims", judged)

# %% [markdown]
# ## 2. The tasks, and what they give without an image
#
# Questions about drawn scenes (in VQAv2's form: ten annotators, the official soft score), statements about a scene
# (entailment), easy-VQA, a third party's benchmark, and in the lab size statements about two scenes (NLVR2's form). What a model scores by
# always giving the commonest answer, or by the text alone, is in the data sets' records: a model has learned to look only
# as far as it is above that.

# %%
report.table("floor", floor_table(measured, asked), "Test items in per cent, without a look at any image.")

# %% [markdown]
# ## 3. What the dual encoder loses, and what distillation gives back
#
# The teacher begins with a fusion encoder that was trained on captions. The students begin with dual encoders that began with
# the same one and were pre-trained on the same captions: without a look at its attention, or (*pre-trained by attention too*)
# with attention distillation. *Hard labels* are the task's own answers. Attention distillation alone trains neither pooler nor
# head, so it stands beside labels.

# %%
for task in measured.tasks():
    names = {"teacher": teacher, "dual": dual}
    if task != QA:
        suffix = task.removeprefix("scene_").removesuffix("_vqa")
        names = {role: f"{name}_{suffix}" for role, name in names.items()}
    report.table(
        f"accuracy_{task}",
        tables.accuracy_table(measured, task, **names),
        f"{measured.metric_label(task)}: test items in per cent; differences in points.",
    )

# %% [markdown]
# For reference, the published numbers:

# %%
report.table("published", published.TASKS, "Published; other data and another scale, not comparable.")

# %% [markdown]
# ### By type of question

# %%
report.table(
    "types",
    types_table(measured, QA, [teacher, dual, "dual_attention", distilled, best, "shuffled_images"]),
    "Score in per cent by type of question, with 95% intervals.",
)

# %% [markdown]
# ### Retrieval by the same towers
#
# The paper's Flickr30k row: both towers are trained to retrieve, with and without attention distillation.

# %%
report.table(
    "retrieval", tables.retrieval_table(measured, ["retrieval", "retrieval_attention"]), "Test scenes, in per cent."
)
report.table("published_retrieval", published.RETRIEVAL, "Published (Flickr30k); other data, not comparable.")

# %% [markdown]
# ## 4. What it costs
#
# Milliseconds a question. The fusion encoder computes the image with every question; the dual encoder computes it once, so
# its share falls with the number of questions. Both are timed with fresh weights, since only sizes count: the demo's, and
# the published one (768 wide, 12 layers, an image of 384 × 384 pixels).

# %%
report.table(
    "latency",
    tables.latency_table(measured, teacher=teacher, dual=dual),
    f"Median and quartiles; on {measured.timed_on.get('device', 'nothing')}, {measured.timed_on.get('threads', 0)} thread(s).",
)

# %%
report.figure(
    "accuracy_latency",
    figures.accuracy_latency(measured, QA, teacher=teacher, students=students, timed=dual),
    "Scene QA against milliseconds a question at the demo's size, with 95% intervals.",
)

# %%
report.table("parameters", parameter_table(measured, [teacher, dual]), "Parameters by part.")

# %% [markdown]
# ## 5. What is looked at
#
# The attention of a question's words to the image in the last layer, normalised over the image alone as in the loss; the
# student's is the product of two encoders that never met. Mean over words and heads.

# %%
report.figure(
    "attention",
    figures.attention_maps(measured, [teacher, dual, distilled, best], items=asked[QA], images=scenes),
    "Where the questions look: the stronger the colour, the more.",
)

# %% [markdown]
# ## 6. Training

# %%
report.figure("training", training_curves(measured, [teacher, *students]), "Scene QA; one line a variant.")
report.table(
    "runs",
    runs_table(measured, [*measured.of_task(QA), *measured.of_task(ENTAIL)]),
    "What the runs begin with, and how many items they saw.",
)

# %% [markdown]
# ## 7. In the benchmark's overview
#
# What the front page shows of this study's main models, beside those of the others (scores in per cent).

# %%
report.table("overview", overview(measured, measured.models(teacher=teacher, dual=dual, best=best)))
