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
# # Looking to Learn: when does a small language model look?
#
# A language model that is shown an image with every caption does not need it for every word. After "a dog on the" the
# image says what comes next; after "a pair" the word is "of", whatever the picture shows. **Token-wise dynamic gating**
# lets the model decide anew at each word: a small gate in each layer of the decoder mixes what the text so far says
# with what the image says.
#
# How to read a gate: it is a number between 0 and 1. **Near 1 the model keeps to the text, near 0 it looks at the
# image.** The gate of a word is the one at the position that *predicts* it, averaged over the word's pieces and over
# features. "The gate" without a layer is the last layer's.
#
# This report puts the paper's claims to a small, fair test on data anybody can build: English from the Brown corpus and
# captions of drawn scenes, a decoder of a few layers, minutes of training. The variants that differ by one design
# choice all begin with the weights of one model, so that minutes suffice: a trunk that read the texts and the words of
# the captions, but never saw an image. The curricula and the runs on part of the data begin from nothing. Scores are
# **not** comparable with the published ones (other data, less than a thousandth of the training); whether a *claim*
# holds is.
#
# How to read the numbers: brackets are 95% intervals from a bootstrap over items (those about one image are drawn
# together). A difference between two models is judged item by item.

# %% tags=["parameters"]
study = "gating"
results = "results"
runs = "runs"
sets = "data/sets"
out = "results/figures"
style = "reports/paper.mplstyle"
main = "base"
no_gate = "no_gate"
hard = "hard_feature"
text_only = "no_images"
trunk = "text_trunk"
pool = "scale_1"
pool_no_gate = "no_gate_scale_1"

# %%
from compactvl.reporting.claims import claims_table, verdicts_table
from compactvl.reporting.output import Report
from compactvl.reporting.pictures import open_set
from compactvl.reporting.tables import parameter_table, runs_table
from compactvl.studies.gating.report import gate_tables, published, tables
from compactvl.studies.gating.report.claims import gating_claims
from compactvl.studies.gating.report.figures.by_pos import gate_by_layer, gate_by_pos
from compactvl.studies.gating.report.figures.captions import coloured_captions
from compactvl.studies.gating.report.figures.choices import differences
from compactvl.studies.gating.report.figures.probe import probe
from compactvl.studies.gating.report.figures.scaling import scaling
from compactvl.studies.gating.report.figures.scatter import gate_scatter
from compactvl.studies.gating.report.figures.stability import stability
from compactvl.studies.gating.report.results import GatingResults
from compactvl.studies.gating.report.words import FEWEST

measured = GatingResults(study, results=results, runs=runs)
report = Report(f"{out}/{study}", style=style)
scenes = open_set(sets, "scenes")

gates = [main, "soft_token", hard, "hard_token"]
modulations = ["film_text", "film_cross", "film_image", "dyintra_text", "dyintra_cross", "dyintra_image"]
contrastive = ["clip", "lcg"]
encoders = ["no_image_encoder", "channel_attention", "patches"]
choices = [*gates, no_gate, *encoders, *modulations, *contrastive]
alternating = ["curriculum_text_first", "curriculum_caption_first"]
mixed = ["curriculum_mixed", "curriculum_mixed_shuffled"]
one_by_one = ["curriculum_text_then_caption", "curriculum_caption_then_text"]
curricula = [*alternating, *one_by_one, *mixed, "curriculum_captions_only"]
ngrams = ["unigram", "bigram"]
controls = [text_only, trunk, "text_only", *ngrams, "random"]
shares = {"Base": measured.shares(pool), "No gate": measured.shares(pool_no_gate)}

# %% [markdown]
# ## 1. The claims
#
# Every claim of the paper, the questions it leaves open, and our controls. A claim *holds here* if the whole 95%
# interval of the measured difference is on its side, and *does not hold here* if the interval is on the other side.
# Where the interval holds both, it *cannot be tested here*, and the last column tells how many times the items would have
# told; what is left to another size was *not run in this size*. Intervals are over items, and where a variant has several
# seeds over both (a bootstrap of two levels: items, and each variant's seeds).
# A question is put as a sentence too, so that it can be judged; the paper need not have said it.
#
# Over thousands of words any difference of gates is significant, however small. Claims about gates therefore hold only
# where the difference has a size: at least 0.2 standard deviations of the gate across words (as correlations: ρ 0.1, ε²
# 0.01). A difference that is surely smaller, and a gate that has collapsed, count as *does not hold*. Numbers about
# words are those of the first seed, where there are several.

# %%
claims = gating_claims(
    main=main,
    no_gate=no_gate,
    hard=hard,
    text_only=text_only,
    modulations=modulations,
    contrastive=contrastive,
    alternating=alternating,
    mixed=mixed,
    captions_only="curriculum_captions_only",
    both_streams="curriculum_text_first",
    patches="patches",
    ngrams=ngrams,
    shares=shares["Base"],
)
judged = claims_table(measured, claims)
report.table(
    "verdicts", verdicts_table(judged), "How many claims of the paper, questions and controls have each verdict."
)
report.table("claims", judged)

# %% [markdown]
# ## 2. The benchmarks
#
# The BabyLM challenge scores five kinds of task. **Minimal pairs** stand for two of them, BLiMP and its supplement: of
# two sentences that differ in one word, is the grammatical one more probable? **EWoK** asks whether a sentence is more
# probable after the context that makes it true than another one is. **VQA** ranks the answer among eight. **Winoground**
# asks for the right of two captions with the same words, given the image (BabyLM's form). Perplexity is of held-out
# text and captions, lower is better. Ties are wrong.
#
# The controls at the end say what the numbers are worth: the base model with another item's image and with its image
# taken away; the same texts and captions for as many steps with all **images withheld**, asked without images too, which
# is the fair measure of what images are for; the trunk; models that only count words; and no model at all.
#
# The intervals are over items: half of one says how fine a difference can be seen. What another seed would have given is
# not in them; where several were trained, their standard deviation follows the ±.

# %%
report.table(
    "benchmarks",
    tables.benchmark_table(measured, choices, main=main, controls=controls),
    "Design choices and controls; shares in per cent.",
)
report.table("runs", runs_table(measured, [trunk, main, text_only, pool]), "What models start from, and what they saw.")

# %% [markdown]
# ### What the minimal pairs test
#
# **Mostly local agreement.** In most of these pairs the word that differs is wrong beside its neighbour ("these is", "to
# went"), so a model that knows nothing but which word follows which, the bigram, solves most of them. Being above chance
# is therefore no evidence of grammar over a distance. What tells more are the pairs that the bigram gets wrong: a model
# that counts neighbours like the bigram is right on few of them, one that guesses on half, and only more than half says
# that it knows something else.

# %%
report.table(
    "pairs",
    tables.pairs_table(measured, [*choices, *curricula, *controls]),
    "Minimal pairs in per cent with 95% intervals; by what the bigram makes of them, a mean over pairs.",
)

# %% [markdown]
# For reference, the challenge's own baselines (the paper's table is not known to us):

# %%
report.table(
    "published", published.BABYLM, "Published accuracy in per cent; other data and another scale, not comparable."
)

# %% [markdown]
# ### What each choice changes
#
# The same numbers as differences from the base model, item by item. With so many intervals at once, one in twenty is
# expected to miss zero by chance alone.

# %%
report.figure(
    "choices",
    differences(measured, variants=[*choices, text_only], main=main),
    "Difference from the base model with 95% intervals; green: clearly better, orange: clearly worse.",
)

# %% [markdown]
# ### Does the model use its image?
#
# Two comparisons are fair. The same model, with an item's own image and with another item's: does it read the image?
# And the model with its image against the control whose images were withheld from the first step on: does having images
# help?
#
# Taking the image away is neither. In its own training no caption came without an image (at most in the trunk's), and
# without one a different path through the network is taken, the one for texts. That column shows what this switch of
# mode does, not what the image is worth.

# %%
report.table("images", tables.image_table(measured, [main, no_gate, "patches"], text_only), "Shares in per cent.")

# %% [markdown]
# ### Winoground, the official way
#
# Text score: the right caption for both images. Image score: the right image for both captions. Group: both. The
# captions of a pair have the same words, so whoever does not see *where* things are stays at chance.

# %%
report.table("winoground", tables.winoground_table(measured, choices), "In per cent, with 95% intervals.")

# %% [markdown]
# ### By phenomenon, domain and type of question

# %%
report.table("groups", tables.groups_table(measured, [main, no_gate, text_only]), "In per cent, with 95% intervals.")
report.table("ties", tables.ties_table(measured, [*choices, *controls]), "Comparisons that tie, in per cent.")

# %% [markdown]
# ## 3. When does it look?
#
# ### By part of speech
#
# The gate for each word of held-out captions. Parts of speech are gold: the grammar that wrote the captions knows them.
# Words of one caption depend on each other, so intervals draw whole captions. Test p-values take words as independent
# and are too small for that; look at the effect size ε² (0: none, 1: the part of speech says all).
#
# **A gate that is the same for every word has collapsed**: it decides nothing, and no analysis of it means anything. A gate
# moves in 0 to 1; where its standard deviation over words is below 0.01 every word gets the same mixture. Every layer is
# checked: the table marks constant layers by an asterisk, and models whose last layer is constant as collapsed.

# %%
report.table(
    "gates",
    gate_tables.gates_table(measured, [*choices, *curricula]),
    "The last layer's gate on held-out captions, first seed; difference of means, ε² and Spearman's ρ with 95% intervals.",
)
report.figure(
    "gate_by_pos",
    gate_by_pos(measured, variants=gates),
    "Boxes: quartiles; whiskers: 5% to 95%; dots: means. The number of words is in brackets; parts of speech with fewer than "
    f"{FEWEST} are left out.",
)

# %%
report.table(
    "dunn", gate_tables.dunn_table(measured, main), "Dunn's test of every pair, p-values with Holm's correction."
)

# %% [markdown]
# ### Layer by layer

# %%
report.figure(
    "gate_by_layer",
    gate_by_layer(measured, variants=[main, "soft_token", "patches"]),
    "Mean gate by part of speech and layer.",
)

# %% [markdown]
# ### Word by word
#
# Captions drawn at random from the longer ones. Orange: the model looks in order to predict this word; blue: it keeps
# to the text. The scale spans the gates that occur, which may be a small part of 0 to 1: read the colour bar.

# %%
report.figure("captions", coloured_captions(measured, variant=main, dataset=scenes))

# %% [markdown]
# ### Frequency, class, concreteness
#
# The paper finds a lower gate for concrete words. How concrete a word is has to come from a file of human ratings,
# which is not part of this repository; where one is configured, the figure and the regression use it. Frequent words are
# also function words, so the regression asks what each says when the others are known. Frequency and concreteness are
# z-scores, the class is one step from function to content words; intervals are robust to words sharing an image.

# %%
report.figure(
    "frequency",
    gate_scatter(measured, variant=main, column="frequency"),
    "One dot a word; its area grows with how often the word occurs in the captions.",
)
report.figure(
    "concreteness",
    gate_scatter(measured, variant=main, column="concreteness"),
    "One dot a word; its area grows with how often the word occurs in the captions.",
)
report.table("regression", gate_tables.regression_table(measured, main), "Change of the gate with each term.")

# %% [markdown]
# ### A probe: is the image needed?
#
# Captions broken off where the image is **necessary** (the grammar allows all four ways to go on), **useful** (two of
# four) or **irrelevant** (one). What grammar leaves open gives 1/4, 1/2 and 1 without looking. Three things differ with
# the need, so the probe cannot say whether the gate answers to the need or to one of them:
#
# - the kind of word: a necessary word is a noun, a number or a place word ("above", "left"), an irrelevant one mostly a
#   function word;
# - its position: prompts are longer where the image is not needed (column *words before*);
# - with the position, how much of the scene has been named already.
#
# Answers with the image taken away have the same caveat as above: it is a mode that the training on captions did not have.

# %%
report.figure(
    "probe",
    probe(measured, variants=gates, main=main),
    "Left: mean gate by condition. Right: answers right. 95% intervals.",
)
report.table("probe", gate_tables.probe_table(measured, [*gates, no_gate, "patches"]))

# %% [markdown]
# ## 4. Curricula
#
# In which order text and captions come: in alternating epochs, one after the other, both in every step with the losses
# added, shuffled together, or captions alone. All begin from nothing and see about as many batches.
#
# The model of captions alone never ran without an image, but minimal pairs, EWoK and text perplexity are asked without one:
# its numbers there measure a mode it was never trained in as much as the grammar that captions teach.

# %%
report.table(
    "curricula",
    tables.benchmark_table(measured, curricula),
    "Curricula at the end of training; shares in per cent.",
)

# %% [markdown]
# ### How steadily do they learn?
#
# Metrics on validation items at every epoch boundary. *Oscillation* is the mean absolute change from one checkpoint to
# the next, in points; for a perplexity the change of its logarithm, in per cent. Steady progress changes a metric too,
# and so does the chance of a small validation set: in brackets is how often a change was followed by one the other way.
# Changes are taken in each seed, then averaged.
#
# *A constant model* is how large the mean change would be if skill did not change at all and only chance decided which
# items come out right: two independent draws of the monitored number of items (`monitor.items` of the run's settings) at
# the curve's mean. A curriculum whose changes are no larger has not been seen to oscillate. As every checkpoint is asked
# the same items, a truly constant model would change less than that.

# %%
report.figure("stability", stability(measured, variants=curricula), "One line a curriculum.")
report.table("oscillation", tables.oscillation_table(measured, curricula), "Mean change; in brackets: turns of all.")

# %% [markdown]
# ## 5. More data
#
# The base model and the one without gates, both from nothing, on smaller and smaller parts of a pool of *distinct* documents
# and images. The number of steps is the same, so what changes is how often each text and image is seen again, not how long
# is trained. The last panel is content minus function words' gate: below zero content words look more.

# %%
report.figure(
    "scaling",
    scaling(measured, arms=shares),
    "Bands are 95% intervals; dotted: chance, or no difference.",
)
report.table("scaling", tables.scaling_table(measured, shares))

# %% [markdown]
# ## 6. Parameters

# %%
report.table("parameters", parameter_table(measured, [main, "soft_token", hard, "hard_token", no_gate, *encoders]))

# %% [markdown]
# ## 7. Everything measured
#
# `results/metrics.csv` has every metric of every variant and seed with its interval and chance level; beside each
# result is a table with one row a text that was scored, or a word whose gate was read, from which all of them can be
# computed again.
