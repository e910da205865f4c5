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
# # Guest: a bag of words and frozen image features
#
# How well does a linear map from frozen image features to a bag of the caption's words retrieve scenes?

# %% tags=["parameters"]
study = "guest"
results = "results"
runs = "runs"
out = "results/figures"
style = "reports/paper.mplstyle"

# %%
from compactvl.reporting.claims import claims_table
from compactvl.reporting.output import Report
from compactvl.reporting.tables import parameter_table
from compactvl.studies.guest.report import CLAIMS, GuestResults, recall_figure

measured = GuestResults(study, results=results, runs=runs)
report = Report(f"{out}/{study}", style=style)
variants = measured.measured("scenes", ["pooled", "mean", "pooled+mean", "random_scores"])

# %%
report.table("claims", claims_table(measured, CLAIMS))

# %%
report.figure("recall", recall_figure(measured, variants), "With 95% intervals. Dotted: chance.")

# %%
report.table("parameters", parameter_table(measured, variants))
