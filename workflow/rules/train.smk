# One run: a variant with a seed. It depends on that variant's settings and on what its study says it reads.


rule train:
    input:
        settings=job_settings,
        peers=job_peers,
        edges=job_edges,
        blobs=lambda wildcards: ancient(job_blobs(wildcards)),
    output:
        # What `update` marks is not removed before a re-run: the command keeps what an equal job made. The manifest is
        # only there after a job that succeeded (see records/finished.py).
        model=update("runs/{study}/{variant}/seed{seed}/model.safetensors"),
        settings=update("runs/{study}/{variant}/seed{seed}/settings.json"),
        history=update("runs/{study}/{variant}/seed{seed}/log.jsonl"),
        manifest="runs/{study}/{variant}/seed{seed}/manifest.json",
        provenance=update("runs/{study}/{variant}/seed{seed}/provenance.json"),
    log:
        "logs/train/{study}/{variant}/seed{seed}.log",
    benchmark:
        "logs/train/{study}/{variant}/seed{seed}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: job_threads
    resources:
        gpu=1,
        mem_mb=6000,
    params:
        source=lambda wildcards: code_digest(training_modules(plan.variant(wildcards.study, wildcards.variant))),
        folder=lambda wildcards, output: str(Path(output.manifest).parent),
    shell:
        "compactvl train --settings {input.settings} --peers {input.peers} --study {wildcards.study} "
        "--variant {wildcards.variant} --seed {wildcards.seed} --out {params.folder} > {log} 2>&1"


# What other variants build on goes first: it is on the longest way to the end.
use rule train as train_first with:
    wildcard_constraints:
        variant="|".join(map(re.escape, plan.built_on)) or "(?!)",
    priority: 10


ruleorder: train_first > train
