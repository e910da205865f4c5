# Images → cached vision tokens, captions → cached text vectors. Shards are not declared: they survive a re-run, so new images are appended.


rule encode:
    input:
        settings="state/settings/encoders/{encoder}.json",
        dataset="data/sets/{dataset}/manifest.json",
        images=ancient("data/sets/{dataset}/images-00000.parquet"),
        weights=lambda wildcards: ancient(weights_of(plan.root.encoders[wildcards.encoder])),
        record=lambda wildcards: weights_of(plan.root.encoders[wildcards.encoder], ".json"),
    output:
        manifest="cache/tokens/{encoder}/{dataset}/manifest.json",
        provenance="cache/tokens/{encoder}/{dataset}/provenance.json",
    log:
        "logs/encode/{encoder}/{dataset}.log",
    benchmark:
        "logs/encode/{encoder}/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: lambda wildcards: plan.root.encoders[wildcards.encoder].threads
    resources:
        gpu=1,
        mem_mb=4000,
    params:
        source=lambda wildcards: code_digest(encode_modules(plan.root.encoders[wildcards.encoder].loader)),
        folder=lambda wildcards, output: str(Path(output.manifest).parent),
        dataset=lambda wildcards, input: str(Path(input.dataset).parent),
        weights=lambda wildcards, input: f"--weights {input.weights}" if input.weights else "",
    shell:
        "compactvl encode --settings {input.settings} --dataset {params.dataset} {params.weights} --out {params.folder} > {log} 2>&1"


rule embed:
    input:
        settings="state/settings/text_encoders/{encoder}.json",
        dataset="data/sets/{dataset}/manifest.json",
        captions=ancient("data/sets/{dataset}/items.parquet"),
        weights=lambda wildcards: ancient(weights_of(plan.root.text_encoders[wildcards.encoder])),
        record=lambda wildcards: weights_of(plan.root.text_encoders[wildcards.encoder], ".json"),
    output:
        vectors="cache/texts/{encoder}/{dataset}/vectors.npy",
        texts="cache/texts/{encoder}/{dataset}/texts.parquet",
        manifest="cache/texts/{encoder}/{dataset}/manifest.json",
        provenance="cache/texts/{encoder}/{dataset}/provenance.json",
    log:
        "logs/embed/{encoder}/{dataset}.log",
    benchmark:
        "logs/embed/{encoder}/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: lambda wildcards: plan.root.text_encoders[wildcards.encoder].threads
    resources:
        gpu=1,
        mem_mb=2000,
    params:
        source=code_digest(STAGE_MODULES["embed"]),
        dataset=lambda wildcards, input: str(Path(input.dataset).parent),
        weights=lambda wildcards, input: f"--weights {input.weights}" if input.weights else "",
        folder=lambda wildcards, output: str(Path(output.manifest).parent),
    shell:
        "compactvl embed --settings {input.settings} --dataset {params.dataset} {params.weights} --out {params.folder} > {log} 2>&1"
