# The benchmark, end to end. `snakemake --cores all` makes everything; `snakemake --cores 2 edje` makes one study.
# What is run is in config.yaml (overlays: --configfile config/smoke.yaml); how it is run here is in profiles/.

from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")


configfile: Path(workflow.basedir) / "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/tokens.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


localrules:
    all,
    sources,
    data,
    tokens,
    report,


rule all:
    default_target: True
    input:
        plan.study_targets(),
        "results/reports/index.html",


rule sources:
    input:
        plan.archives(plan.root.sources),


rule data:
    input:
        expand(rules.curate.output.manifest, dataset=plan.root.datasets),


rule tokens:
    input:
        [f"cache/tokens/{encoder}/{dataset}/manifest.json" for encoder, dataset in plan.tokens],
        [f"cache/texts/{encoder}/{dataset}/manifest.json" for encoder, dataset in plan.texts],


rule report:
    input:
        plan.reports(),
        "results/reports/index.html",


# One target a study: `snakemake edje`.
for study in plan.studies:

    rule:
        name:
            study
        input:
            plan.study_targets(study),
        localrule: True
