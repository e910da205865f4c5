# One result: a run on a benchmark. A benchmark that measures time has the machine to itself.


rule evaluate:
    input:
        settings=job_settings,
        peers=job_peers,
        benchmark="state/settings/benchmarks/{benchmark}.json",
        run="runs/{study}/{variant}/seed{seed}/manifest.json",
        model=ancient("runs/{study}/{variant}/seed{seed}/model.safetensors"),
        edges=job_edges,
        blobs=lambda wildcards: ancient(job_blobs(wildcards)),
    output:
        # See rule train.
        predictions=update("results/{study}/{variant}/seed{seed}/{benchmark}.parquet"),
        metrics="results/{study}/{variant}/seed{seed}/{benchmark}.json",
        provenance=update("results/{study}/{variant}/seed{seed}/{benchmark}.provenance.json"),
    log:
        "logs/evaluate/{study}/{variant}/seed{seed}/{benchmark}.log",
    benchmark:
        "logs/evaluate/{study}/{variant}/seed{seed}/{benchmark}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: evaluation_threads
    resources:
        gpu=1,
        mem_mb=4000,
        slurm_extra=lambda wildcards: "--exclusive" if plan.root.benchmarks[wildcards.benchmark].timed else "",
    params:
        source=lambda wildcards: code_digest(evaluated_by(wildcards)),
        seeds=lambda wildcards: wildcards.get("seed", plan.seeds_together),
        folders=lambda wildcards, output: [str(Path(path).parent) for path in as_list(output.metrics)],
    shell:
        "compactvl evaluate --settings {input.settings} --peers {input.peers} --study {wildcards.study} "
        "--variant {wildcards.variant} --seed {params.seeds} --benchmark {input.benchmark} --out {params.folders} > {log} 2>&1"


use rule evaluate as evaluate_together with:
    input:
        settings=job_settings,
        peers=job_peers,
        benchmark="state/settings/benchmarks/{benchmark}.json",
        run=each_seed("runs/{study}/{variant}/seed{seed}/manifest.json"),
        model=ancient(each_seed("runs/{study}/{variant}/seed{seed}/model.safetensors")),
        edges=job_edges,
        blobs=lambda wildcards: ancient(job_blobs(wildcards)),
    output:
        predictions=update(each_seed("results/{study}/{variant}/seed{seed}/{benchmark}.parquet")),
        metrics=each_seed("results/{study}/{variant}/seed{seed}/{benchmark}.json"),
        provenance=update(each_seed("results/{study}/{variant}/seed{seed}/{benchmark}.provenance.json")),
    log:
        "logs/evaluate/{study}/{variant}/{benchmark}.log",
    benchmark:
        "logs/evaluate/{study}/{variant}/{benchmark}.tsv"
    wildcard_constraints:
        study="|".join(plan.together) or "(?!)",


ruleorder: evaluate_together > evaluate
