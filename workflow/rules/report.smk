# Results → one table a study and one of all, reports, and the page that links them. An executed notebook is its rule's log: it keeps the
# traceback when it fails.


rule collect:
    input:
        only="state/settings/results.json",
        results=plan.results(),
    output:
        table="results/metrics.csv",
        tree="results/metrics.json",
        wide="results/summary.csv",
        manifest="results/manifest.json",
        provenance="results/provenance.json",
    log:
        "logs/collect.log",
    benchmark:
        "logs/collect.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=1000,
    params:
        source=code_digest(STAGE_MODULES["collect"]),
    shell:
        "compactvl collect --only {input.only} > {log} 2>&1"


rule collect_study:
    input:
        only="state/settings/results/{study}.json",
        results=lambda wildcards: plan.results(wildcards.study),
    output:
        table="results/{study}/metrics.csv",
        manifest="results/{study}/manifest.json",
        provenance="results/{study}/provenance.json",
    log:
        "logs/collect/{study}.log",
    benchmark:
        "logs/collect/{study}.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=1000,
    params:
        source=code_digest(STAGE_MODULES["collect"]),
    shell:
        "compactvl collect --study {wildcards.study} --only {input.only} > {log} 2>&1"


rule parameters:
    input:
        settings=lambda wildcards: expand(
            plan.layout.settings(wildcards.study, "{variant}"), variant=plan.studies[wildcards.study].variants
        ),
    output:
        table="results/{study}/parameters.csv",
        record="results/{study}/parameters.json",
        provenance="results/{study}/parameters.provenance.json",
    log:
        "logs/parameters/{study}.log",
    benchmark:
        "logs/parameters/{study}.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=2000,
    params:
        source=lambda wildcards: code_digest(parameters_modules(plan.studies[wildcards.study].variants.values())),
    shell:
        "compactvl params {wildcards.study} --settings {input.settings} --out {output.table} > {log} 2>&1"


rule notebook:
    input:
        notebook=notebook_of,
        style=lambda wildcards: str(Path(notebook_of(wildcards)).with_name("paper.mplstyle")),
        inputs="state/settings/reports/{study}.json",
        metrics="results/{study}/metrics.csv",
        parameters="results/{study}/parameters.csv",
        results=lambda wildcards: plan.results(wildcards.study),
        runs=lambda wildcards: plan.runs(wildcards.study),
        edges=lambda wildcards: plan.report_edges(wildcards.study),
    output:
        html="results/reports/{study}.html",
        record="results/reports/{study}.json",
        provenance="results/reports/{study}.provenance.json",
    log:
        notebook="logs/report/{study}.ipynb",
        text="logs/report/{study}.log",
    benchmark:
        "logs/report/{study}.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=3000,
    params:
        source=lambda wildcards: code_digest(report_modules(notebook_of(wildcards))),
    shell:
        "compactvl report --notebook {input.notebook:q} --style {input.style:q} --study {wildcards.study} "
        "--inputs {input.inputs} --executed {log.notebook} --out {output.html} > {log.text} 2>&1"


rule index:
    input:
        metrics="results/metrics.csv",
        reports=plan.reports(),
    output:
        html="results/reports/index.html",
        record="results/reports/index.json",
        provenance="results/reports/index.provenance.json",
    log:
        "logs/index.log",
    benchmark:
        "logs/index.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=500,
    params:
        source=code_digest(STAGE_MODULES["index"]),
    shell:
        "compactvl index --out {output.html} > {log} 2>&1"
