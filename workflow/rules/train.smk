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
        seeds=lambda wildcards: wildcards.get("seed", plan.seeds_together),
        folders=lambda wildcards, output: [str(Path(path).parent) for path in as_list(output.manifest)],
    shell:
        "compactvl train --settings {input.settings} --peers {input.peers} --study {wildcards.study} "
        "--variant {wildcards.variant} --seed {params.seeds} --out {params.folders} > {log} 2>&1"


# What other variants build on goes first: it is on the longest way to the end.
use rule train as train_first with:
    wildcard_constraints:
        variant="|".join(map(re.escape, plan.built_on)) or "(?!)",
    priority: 10


use rule train as train_together with:
    output:
        model=update(each_seed("runs/{study}/{variant}/seed{seed}/model.safetensors")),
        settings=update(each_seed("runs/{study}/{variant}/seed{seed}/settings.json")),
        history=update(each_seed("runs/{study}/{variant}/seed{seed}/log.jsonl")),
        manifest=each_seed("runs/{study}/{variant}/seed{seed}/manifest.json"),
        provenance=update(each_seed("runs/{study}/{variant}/seed{seed}/provenance.json")),
    log:
        "logs/train/{study}/{variant}.log",
    benchmark:
        "logs/train/{study}/{variant}.tsv"
    wildcard_constraints:
        study="|".join(plan.together) or "(?!)",


ruleorder: train_together > train_first > train
