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
# # Encoder roles: which vision encoder does what
#
# A model that sees through several vision encoders costs their sum. What is each of them for? Every non-empty subset of a
# pool is trained anew under one recipe, and evaluated on tasks of four areas.
#
# - **Capacity** of an encoder: what it scores alone.
# - **Necessity**: what the whole pool loses when it is trained without it.
# - **Masked Necessity**: what the whole pool's one model loses when that encoder's features are replaced by zeros, or by their
#   mean. It is what most work reports; the paper says that it is another thing.
#
# How to read the numbers: brackets are 95% intervals from a bootstrap over images (all questions about one are drawn
# together, the same for all subsets) and over each subset's seeds. Areas weigh the same, and within one its tasks.
#
# The paper names neither its encoders nor its model: pool, recipe and tasks are ours. Scores are not comparable with
# published ones; whether a *claim* holds is.

# %% tags=["parameters"]
study = "encoder_roles"
results = "results"
runs = "runs"
out = "results/figures"
style = "reports/paper.mplstyle"
control = "random_vit"
scores = ""

# %%
from compactvl.reporting.claims import claims_table, verdicts_table
from compactvl.reporting.output import Report
from compactvl.reporting.tables import parameter_table
from compactvl.studies.encoder_roles.report import figures, tables
from compactvl.studies.encoder_roles.report.claims import roles_claims
from compactvl.studies.encoder_roles.report.results import RolesResults, ScoresElsewhere, areas

measured = ScoresElsewhere(scores) if scores else RolesResults(study, results=results, runs=runs)
report = Report(f"{out}/{study}", style=style)

# %% [markdown]
# ## 1. The claims
#
# A claim *holds here* if the whole 95% interval is on its side, or if it is true of 95% of the resamples; it *does not hold
# here* if that is so of its contrary; else it *cannot be tested here*.

# %%
judged = claims_table(measured, roles_claims(control))
report.table("verdicts", verdicts_table(judged), "How many claims of the paper and controls have each verdict.")
report.table("claims", judged)

# %% [markdown]
# ## 2. What to choose

# %%
report.table("recommendation", tables.recommendation_table(measured), "Anchor, complement, and what the others cost.")
report.table("best", tables.best_table(measured), "The best subset of each size.")
report.figure("cost", figures.cost(measured), "Every subset; the best pair is marked.")

# %% [markdown]
# ## 3. What each encoder is worth

# %%
for name in areas(measured):
    report.table(f"roles_{name.rpartition('/')[2]}", tables.roles_table(measured, name), measured.metric_label(name))

# %%
report.figure("capacity_necessity", figures.capacity_necessity(measured), "Roles: dotted lines are the pool's means.")

# %% [markdown]
# ## 4. Trained without, or masked

# %%
report.figure("bump", figures.bump(measured), "The encoders' places in four orders.")
report.table("agreement", tables.agreement_table(measured), "How far the orders agree; 1 is the same order.")

# %% [markdown]
# ## 5. Every subset

# %%
report.figure("subsets", figures.subsets(measured), "A bar a subset, with 95% intervals; below, the encoders it has.")
report.figure("synergy", figures.synergy_map(measured), "What a pair scores beyond its better encoder.")
report.table("subsets", tables.subsets_table(measured))
report.table(
    "tasks",
    tables.tasks_table(measured, [(), *((one,) for one in measured.pool), measured.pool]),
    "By task: alone, and all.",
)

# %% [markdown]
# ## 6. Effective rank
#
# How many directions an encoder's tokens use where they enter the projector, in an image, as a real number. The paper finds
# that in the best pairs the anchor's rank survives joint training and the complement's expands.

# %%
report.table("ranks", tables.ranks_table(measured), "Effective rank, mean over validation images.")
report.figure("rank_change", figures.rank_figure(measured), "Every pair, once for each of its two encoders.")

# %% [markdown]
# ## 7. Sizes

# %%
report.table(
    "parameters",
    parameter_table(measured, [name for name in (getattr(measured, "encoders", {})) if "+" not in name]),
    "Trained parameters by part: blind, and each encoder alone.",
)
