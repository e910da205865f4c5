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
# # EDJE: rerank with cached, compressed vision tokens
#
# An embedding model finds an image for a text by comparing one vector of each. That is fast, because the images'
# vectors are computed once, and coarse, because one vector has to stand for everything in the picture. A joint
# encoder reads text and image together and is far more exact, but has to look at every pair anew.
#
# EDJE takes the second model and makes it affordable: a frozen vision encoder runs **once** an image, a small adapter
# **compresses** its tokens to a handful, and those are stored. At query time the embedding model proposes a few
# candidates, their stored tokens are loaded, and a small joint encoder scores each (caption, tokens) pair.
#
# This report puts the paper's claims to a small, fair test on data anybody can build. The numbers are **not**
# comparable with the published ones (other data, thousands of images instead of millions); whether a *claim* holds is.
#
# How to read the numbers: **R@K** is the share of queries with a right answer among the first K. Brackets are 95%
# intervals from a bootstrap over images (captions of one image are drawn together). Where scores tie, a query counts
# with its chance of being right. A difference between two models is judged query by query.

# %% tags=["parameters"]
study = "edje"
results = "results"
runs = "runs"
sets = "data/sets"
out = "results/figures"
style = "reports/paper.mplstyle"
main = "edje"
first_stage = "retriever"
tokens_main = "compressed_12"
undistilled = "compressed_12"
hard_negatives = "hard_negatives"
recipe = "trunk"

# %%
from compactvl.reporting.claims import claims_table, verdicts_table
from compactvl.reporting.output import Report
from compactvl.reporting.overview import overview
from compactvl.reporting.pictures import open_set
from compactvl.reporting.tables import parameter_table, runs_table, settings_table
from compactvl.studies.edje.report import published, tables
from compactvl.studies.edje.report.claims import edje_claims
from compactvl.studies.edje.report.figures.attention import attention_maps
from compactvl.studies.edje.report.figures.gallery import gallery
from compactvl.studies.edje.report.figures.recall import ablation, quantisation, recall_vs_pool, recall_vs_tokens
from compactvl.studies.edje.report.figures.swaps import swaps
from compactvl.studies.edje.report.figures.throughput import throughput
from compactvl.studies.edje.report.figures.training import training_curves
from compactvl.studies.edje.report.results import EdjeResults

measured = EdjeResults(study, results=results, runs=runs)
report = Report(f"{out}/{study}", style=style)
scenes, names = open_set(sets, "scenes"), open_set(sets, "names")
arms = measured.token_arms(tokens_main)

# %% [markdown]
# ## 1. The claims
#
# Every claim of the paper, the questions it leaves open, and our controls. A claim *holds here* if the whole 95%
# interval of the measured difference is on its side, and *does not hold here* if the interval is on the other side.
# Where the interval holds both, it *cannot be tested here*, and the last column tells how many times the items would have
# told; what is left to another size was *not run in this size*. Intervals are over items, and where a variant has several
# seeds over both (a bootstrap of two levels: items, and each variant's seeds).

# %%
claims = edje_claims(
    main=main,
    first_stage=first_stage,
    tokens_main=tokens_main,
    undistilled=undistilled,
    hard_negatives=hard_negatives,
    recipe=recipe,
)
judged = claims_table(measured, claims)
report.table(
    "verdicts", verdicts_table(judged), "How many claims of the paper, questions and controls have each verdict."
)
report.table("claims", judged)

# %% [markdown]
# ## 2. Does reranking help?
#
# The first stage keeps a pool of candidates a query, ten where nothing else is said, and the reranker sorts them again,
# without a look at the first stage's score. R@10 is therefore the same before and after, to the last digit; what can
# change is the order within the ten.
#
# *Late interaction* ranks all images itself: each word is compared with the tokens one by one, and a caption's score is the
# weighted mean over its words. It takes nothing off for what a picture shows and a caption leaves out, so that where captions
# are ranked, short ones that tell a part of it win. Section 8 asks what it knows of word order.

# %%
report.table(
    "retrieval",
    tables.retrieval_table(
        measured,
        [first_stage, "retriever_attention", "late_interaction", main, *arms, "local", "compressed_distilled"],
    ),
    "Retrieval on the test scenes, in per cent: embedding models, then EDJE on the first stage's candidates.",
)

# %% [markdown]
# For reference, the paper's own table (Flickr30k, zero-shot, R@1 / R@5 / R@10):

# %%
report.table("published_retrieval", published.FLICKR30K, "Published numbers; other data and another scale.")

# %% [markdown]
# ### Queries as pictures
#
# The five best images before and after reranking; the right one is framed in green. The first queries are ones the
# reranker mends, then ones it spoils, then ones both get wrong, drawn at random from each group: they show what kind of
# mistake each model makes, not how often.

# %%
report.figure("gallery", gallery(measured, dataset=scenes, reranker=main, first_stage=first_stage))

# %% [markdown]
# ## 3. How many tokens are enough?
#
# The paper's Figure 4: R@1 against the number of tokens kept an image. The local adapter keeps all of them. The arms
# differ in nothing but the number of tokens, and each has an adapter of its own. They can be compared with each other, but
# not with the main variant, which trains longer.
#
# Where the table names a run for the joint encoder, they do not start on quite equal terms: all go on from one joint encoder,
# which was trained together with *one* adapter (the table of costs has its number of tokens). This favours the arm with as
# many tokens: part of its lead, or of the others' lag, may be the start's.

# %%
report.table("arms", runs_table(measured, [*arms, "local", "mean_pooling"]), "What the arms start from.")

# %%
report.figure(
    "recall_vs_tokens",
    recall_vs_tokens(measured, arms=arms, first_stage=first_stage),
    "R@1 against tokens an image, with 95% intervals. Dashed: the embedding model and its interval.",
)

# %% [markdown]
# ### What a token costs
#
# The paper's Table 2: accuracy, storage, parameters and latency side by side. kB are decimal, tokens fp16. (The
# published 2,359 kB of BLIP are fp32 against EDJE's fp16: like for like the saving is 24×, not 48×.)

# %%
report.table("cost", tables.cost_table(measured, [first_stage, "late_interaction", recipe, main, *arms, "local"]))
report.table("published_cost", published.COST, "Published numbers (Flickr30k; one A6000).")

# %%
report.table("parameters", parameter_table(measured, [first_stage, main, "local"]), "Parameters by part.")

# %% [markdown]
# ### What the learned queries look at
#
# Each learned query gathers vision tokens by attention. The picture is orange where a query looks, for the queries that
# differ most between images.

# %%
report.figure("attention", attention_maps(measured, dataset=scenes, variant=main))

# %% [markdown]
# ## 4. How many candidates should be reranked?
#
# The paper's Figure 5. More candidates give the reranker more right answers to find, and more wrong ones to be fooled
# by. The dotted line is what a perfect reranker would reach. Fewer images may be searched here than in section 2, which is
# easier: compare within the figure.

# %%
report.figure(
    "recall_vs_pool",
    recall_vs_pool(measured, variants=[main, "random_scores"], first_stage=first_stage),
    "R@1 against the number of reranked candidates; bands are 95% intervals.",
)

# %% [markdown]
# ## 5. What makes it learn?
#
# ### Objectives
#
# Image-text matching alone, with masked-language modelling, and with recovery of the embedding model's text vector. All
# start from the same `trunk` and train as long. Distillation from the local adapter is compared with the same arm
# without it; it can only be judged if the teacher is better than the student is without.
#
# These are short runs, as the table says. A difference smaller than the intervals cannot be seen here, and an ablation
# that changes nothing visible may still matter in a long run.

# %%
objectives = ["itm_only", "itm_mlm", "itm_mlm_recovery", *dict.fromkeys([undistilled, "compressed_distilled"])]
ablations = list(dict.fromkeys([*objectives, hard_negatives, "own_negatives", "weak_miner", "random_negatives"]))
report.table("ablations", runs_table(measured, [recipe, *ablations]), "How long the ablations were trained.")

# %%
report.figure(
    "objectives",
    ablation(measured, variants=objectives, first_stage=first_stage, reference="itm_only"),
    "R@1 by training objective, with 95% intervals; ITM alone in orange.",
)

# %% [markdown]
# ### Negatives
#
# Which wrong pairs the model learns to refuse: random ones, those its own scores find hard, those of the first stage,
# or those of a weak embedding model. All start from the same `trunk`, and batches are drawn alike, so that only the
# choice differs.

# %%
negatives = [hard_negatives, "own_negatives", "weak_miner", "random_negatives"]
report.figure(
    "negatives",
    ablation(measured, variants=negatives, first_stage=first_stage, reference=negatives[0]),
    "R@1 by where the negatives come from, with 95% intervals.",
)

# %% [markdown]
# ### Recipe and controls
#
# The main variant departs from the paper's recipe where the small scale asks for it; the table lists every setting in
# which it differs from `paper_recipe`, which trains by the paper's recipe alone about as long as `trunk`, the first
# part of the main variant's training. Score fusion adds the first stage's score. The controls say what the numbers are
# worth: mean-pooled tokens have no learned queries (to be compared with the arm of as many tokens, and with the caveat of
# section 3), shuffled images have the wrong image's tokens, random scores have no model at all.

# %%
report.table("budgets", runs_table(measured, [recipe, main, "paper_recipe"]))
report.table("departures", settings_table(measured, main, "paper_recipe"), "What is not here is the same in both.")

# %%
controls = [
    main,
    "score_fusion",
    recipe,
    "paper_recipe",
    tokens_main,
    "mean_pooling",
    "shuffled_tokens",
    "random_scores",
]
report.figure(
    "controls",
    ablation(measured, variants=controls, first_stage=first_stage, reference=main),
    "R@1 of the main variant beside its control models, with 95% intervals.",
)

# %% [markdown]
# ### Training
#
# R@1 on the validation scenes and the training curves against pairs seen: a model that is still climbing at its last
# point would gain from a longer run.

# %%
report.figure(
    "training",
    training_curves(measured, variants=[recipe, main, "itm_only", "random_negatives", "paper_recipe"]),
    "One line a variant and seed; loss and accuracy are running means.",
)

# %% [markdown]
# ## 6. Can the tokens be stored in 8 bits?
#
# int8 and fp8 (e4m3) with one scale a token take half the storage of fp16. The same model, nothing is trained again; the
# difference is taken query by query, over those that were run in 8 bits.

# %%
report.figure(
    "quantisation",
    quantisation(measured, variants=[main]),
    "What 8-bit tokens add to R@1, with 95% intervals.",
)

# %% [markdown]
# ## 7. Another data set: names
#
# Single emoji and their names. For the first stage and the reranker, both trained on scenes, this is another kind of
# picture and another kind of text: one thing instead of several, a name instead of a sentence. It is **not** an unseen
# art style: scenes mix all the styles, that of this test among them. Only `retriever_names`, trained on names in the
# other styles, is tested in a style it never saw. Some of the concepts occur in scenes and some do not, so the second
# table splits the queries.

# %%
report.table(
    "names",
    tables.retrieval_table(
        measured,
        [first_stage, "retriever_names", main],
        benchmark="names",
    ),
    "Retrieval of names, in per cent.",
)
report.table(
    "names_concepts",
    tables.concepts_table(measured, [first_stage, "retriever_names", main], queries=names, trained=scenes),
    "R@1 on names, in per cent, by whether the concept occurs in the training scenes.",
)

# %% [markdown]
# ## 8. The same words, exchanged
#
# Winoground's form: two images and two captions of the same words, so that only *which word belongs to which thing*
# tells them apart. Text score: the right caption for both images. Image score: the right image for both captions.
# Group: both. Random scores reach 25, 25 and 16.7%.
#
# What each model could do at all, before any number is read:
#
# - **Without word order, nothing.** Late interaction compares tokens with words one by one and adds up; captions of the
#   same words get the same sum. That is a tie, and ties are wrong. Where the text score is not 0 all the same, the last
#   digit of float32 broke the tie at random; chance supposes scores that differ, so below chance is as expected.
# - **From one vector, little.** The embedding model's text vector does depend on word order, but its image vector is
#   pooled over the picture. What is there survives pooling; which of two things is on the left survives only as far as
#   the pooled features happen to carry positions, and few captions of a training batch ask for it.
# - **With tokens and words in one encoder, in principle everything.** The reranker can match the words "to the left of"
#   with tokens that know where they are. It has to learn this from negatives that differ in nothing else, and those
#   are rare among mined ones. So the main model was given some: training scenes of the same words, and captions whose
#   words are exchanged. `no_twins` learned from the same trunk, as long, without.
# - **But do the tokens know where they are?** The warm-up teaches the adapter words, and no word of it needs a place, so
#   position may be lost before the joint encoder. `benchmarks/learning.py` asks linear probes of the patch tokens and of the
#   compressed ones.
#
# Whether it did is for the numbers to say:

# %%
swapped = [first_stage, "late_interaction", "no_twins", main]
report.figure(
    "swaps",
    swaps(measured, variants=[*swapped, "score_fusion"]),
    "Items right by kind of exchange, with 95% intervals. Dotted: chance.",
)
report.table(
    "swaps",
    tables.swaps_table(measured, [*swapped, "score_fusion"]),
    "In per cent, with 95% intervals; where no side of chance is named, the group score cannot be told from it. Tied: images "
    "to which both captions score the same but for rounding; at 100 a model does not see which word belongs to what.",
)

# %% [markdown]
# ## 9. How fast is the online part?
#
# Pairs a second against the batch: tokens in memory, read from the store, and with the vision encoder run at query
# time instead of a cache; beside them other libraries on an input of the same length. Those run in fp32, and
# sentence-transformers' CrossEncoder also tokenises inside the clock: its fair counterpart is the row that takes captions
# as text (where it was timed), and the column of precision says what else differs.

# %%
report.figure(
    "throughput",
    throughput(measured, variants=[main, *arms, "local"]),
    "Median of the timed calls; bars are quartiles.",
)
report.table("throughput", tables.throughput_table(measured))
report.table("timing_environment", tables.environment_table(measured), "What the times depend on.")

# %% [markdown]
# ## 10. Everything measured
#
# `results/metrics.csv` has every metric of every variant and seed with its interval and chance level; beside each
# result is a table with one row a query, from which all of them can be computed again.

# %% [markdown]
# ## 11. In the benchmark's overview
#
# What the front page shows of this study's main models, beside those of the others (scores in per cent).

# %%
report.table("overview", overview(measured, measured.models(main=main, first_stage=first_stage)))
