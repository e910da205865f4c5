"""Bad configurations: one line with the place and the remedy, before anything is made."""

import shutil
from pathlib import Path

import pytest
from bad_input import refused, told

from compactvl.cli import main as program
from compactvl.config.overlay import load_config
from compactvl.dag.plan import Plan
from compactvl.dag.settings_files import variant_body, write_settings_files
from compactvl.files import write_json

REPOSITORY = Path(__file__).parents[2]
EDJE = "studies: {edje: {variants: {%s}}}"
GATING = "studies: {gating: {variants: {%s}}}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the demo's configuration."""
    shutil.copy(REPOSITORY / "config.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# id, the overlay, parts of the one line that refuses it
OVERLAYS = [
    # YAML
    ("unclosed bracket", "seeds: [0", ("bad.yaml:1:10: ", "mend the YAML there")),
    ("tab", "datasets:\n\tscenes: {}", ("bad.yaml:2:1: ", r"'\t'")),
    ("key twice", "size: a\nseeds: [0]\nsize: b", ("bad.yaml:3:1: key 'size' is given twice",)),
    ("key twice, deep", "datasets:\n  scenes: {concepts: 8, seed: 1, concepts: 9}", ("bad.yaml:2:34: key 'concepts'",)),
    ("two documents", "size: a\n---\nsize: b", ("bad.yaml:2:1: ", "another document")),
    ("Python object", "size: !!python/object/apply:os.mkdir [evil]", ("bad.yaml:1:7: ", "constructor for the tag")),
    ("contains itself", "datasets: &all {scenes: *all}", ("bad.yaml:1:25: *all contains itself",)),
    ("no such alias", "datasets: *defaults", ("bad.yaml:1:11: found undefined alias",)),
    ("no such date", "size: 2026-02-30", ("bad.yaml:1:7: day is out of range",)),
    ("list as a key", "? [a]\n: b", ("bad.yaml:1:3: found unhashable key",)),
    ("control character", "seeds: [0]\nsize: \x07", ("bad.yaml:2: character #x0007",)),
    ("nested too deeply", "[" * 5000, ("bad.yaml: ", "nested too deeply")),
    ("not UTF-8", "seeds: [0]\nsize: caf\xe9".encode("latin-1"), ("bad.yaml:2: not UTF-8", "save the file as UTF-8")),
    ("UTF-16", "size: a".encode("utf-16"), ("bad.yaml:1: not UTF-8",)),
    ("a list", "- size: a", ("bad.yaml: expected settings as `key: value`, found list",)),
    ("number as a name", "datasets: {1: {kind: scenes}}", ("datasets.1: ", "put it in quotes")),
    # settings: unknown, of another type, impossible
    ("unknown section", "dataset: {}", ('dataset: unknown setting; did you mean "datasets"?',)),
    ("unknown key", "datasets: {scenes: {concept: 8}}", ('datasets.scenes.concept: unknown setting; did you mean "concepts"',)),
    ("key of another kind", "datasets: {scenes: {max_side: 64}}", ("datasets.scenes.max_side: unknown setting; did you mean \"image_size\"?",)),
    ("unknown kind", "datasets: {mine: {kind: foldr}}", ("datasets.mine.kind: unknown kind 'foldr'; did you mean \"folder\"?",)),
    ("no kind", "datasets: {mine: {path: p}}", ("datasets.mine.kind: missing; one of babylm_captions, ",)),
    ("no loader", "encoders: {clip: {model: x}}", ("encoders.clip.loader: missing; `compactvl config describe encoders` names them",)),
    ("unknown loader", "encoders: {clip: {loader: hf, model: x}}", ("encoders.clip.loader: unknown loader 'hf'; known: craft, dinov2_s",)),
    ("unknown format", "weights: {minilm: {format: minlm}}", ("weights.minilm.format: unknown format 'minlm'; did you mean \"minilm\"?",)),
    ("text for a number", "datasets: {scenes: {concepts: many}}", ("datasets.scenes.concepts: ", "integer", "(given: 'many')")),
    ("switch for a number", "datasets: {scenes: {seed: on}}", ("datasets.scenes.seed: input should be a number, not true or false",)),
    ("switch for a number, deep", EDJE % "retriever: {optimiser: {betas: [no, 0.99]}}", ("variants.retriever.optimiser.betas.0: input should be a number, not true or false",)),
    ("number for text", "sources: {noto: {version: 1.10}}", ("sources.noto.version: ", "put it in quotes", "(given: 1.1)")),
    ("section as a list", "benchmarks: {scenes: [retrieval]}", ("benchmarks.scenes: expected settings as `key: value`",)),
    ("number for a list", "benchmarks: {scenes: {pools: 10}}", ("benchmarks.scenes.pools: expected a list", "(given: 10)")),
    ("share above 1", "datasets: {scenes: {tinted: 1.5}}", ("datasets.scenes.tinted: ", "less than or equal to 1", "(given: 1.5)")),
    ("not a number", "datasets: {scenes: {sized: .nan}}", ("datasets.scenes.sized: ", "finite number")),
    ("shares not 1", "datasets: {brown: {ratios: {train: 0.5}}}", ("datasets.brown.ratios: train + val + test must be 1, not 0.7",)),
    ("negative seed", "seeds: [-1]", ("seeds.0: ", "greater than or equal to 0")),
    ("seed twice", "seeds: [0, 1, 0]", ("seeds: 0 is given twice",)),
    ("seed of a variant twice", EDJE % "x: {base: retriever, seeds: [2, 2]}", ("studies.edje.variants.x.seeds: ", "2 is given twice")),
    ("seed too large", "seeds: [9223372036854775808]", ("seeds.0: ", "less than 9223372036854775808")),
    ("image size no multiple of the patch", "encoders: {dinov2_s: {image_size: 100}}", ("encoders.dinov2_s: ", "image_size 100", "multiple of 14")),
    ("hash cut short", "sources: {noto: {sha256: 3e918d}}", ("sources.noto.sha256: ", "pattern")),
    ("file outside its folder", "sources: {noto: {file: ../noto.tgz}}", ("sources.noto.file: ", "pattern")),
    ("option as a package", "sources: {noto: {package: --registry}}", ("sources.noto.package: ", "pattern")),
    ("file of two sources", "sources: {noto: {file: brown.tgz}}", ("sources.brown.file", "brown.tgz", "noto")),
    ("name that is no file name", "datasets: {../x: {kind: scenes}}", ('datasets: "../x" cannot be a name; use letters',)),
    ("pattern outside its folder", "datasets: {t: {kind: text_lines, path: p, pattern: /etc/*}}", ("datasets.t.pattern: ", "without folders")),
    ("home in a path", "datasets: {p: {kind: folder, path: ~/p, captions: c}}", ("datasets.p.path: ~/p: ~ and variables are not expanded; write the whole path",)),
    ("variable inside a path", "datasets: {p: {kind: folder, path: /data/$USER/p, captions: c}}", ("datasets.p.path: /data/$USER/p: ~ and variables",)),
    ("variable in a path", EDJE % "x: {base: retriever, weights: [a, '${SCRATCH}/w']}", ("studies.edje.variants.x.weights.1: ${SCRATCH}/w: ~ and variables",)),
    ("captions and vectors unequal", "datasets: {c: {kind: babylm_captions, captions: [a], vectors: [b, c]}}", ("datasets.c: captions has 1 files and vectors 2",)),
    ("captions given twice", "datasets: {p: {kind: folder, path: p, captions: c, karpathy: k}}", ("datasets.p: give exactly one of captions",)),
    # references
    ("unknown source", "datasets: {scenes: {styles: [notto]}}", ('datasets.scenes.styles: unknown source "notto"; did you mean "noto"?',)),
    ("unknown source of weights", "weights: {minilm: {source: minlm}}", ('weights.minilm.source: unknown source "minlm"; did you mean "minilm"?',)),
    ("unknown weights", "encoders: {dinov2_s: {weights: dino}}", ('encoders.dinov2_s.weights: unknown weights "dino"; did you mean',)),
    ("unknown data set of tokens", "tokens: {dinov2_s: [photos]}", ('tokens.dinov2_s: unknown data set "photos"; known: ',)),
    ("tokens of a text", "tokens: {dinov2_s: [brown]}", ('tokens.dinov2_s: needs images, which data set "brown" (brown, texts) is not; name scenes or names or swaps or easy_vqa',)),
    ("unknown data set of a task", "benchmarks: {language: {tasks: {vqa: {dataset: scene_vaq}}}}", ('benchmarks.language.tasks.vqa.dataset: unknown data set "scene_vaq"; did you mean "scene_vqa"?',)),
    ("retrieval of two images", "benchmarks: {scenes: {dataset: swaps}}", ('benchmarks.scenes.dataset: needs captioned images, which data set "swaps" (', "is not; name scenes or names")),
    ("perplexity of pairs", "benchmarks: {language: {tasks: {text_perplexity: {dataset: brown_pairs}}}}", ("benchmarks.language.tasks.text_perplexity.dataset: needs texts, ", "brown_pairs", "name brown")),
    ("prompt without a question", "benchmarks: {language: {tasks: {vqa: {prompt: Answer}}}}", ("benchmarks.language.tasks.vqa.prompt: a prompt must contain {question}",)),
    ("swaps of a text", "datasets: {swaps: {scenes: brown}}", ("datasets.swaps.scenes: needs scenes, ", "brown", "name scenes")),
    ("questions about names", "datasets: {scene_vqa: {scenes: names}}", ("datasets.scene_vqa.scenes: needs scenes, ", "names", "name scenes")),
    ("pairs from scenes", "datasets: {brown_pairs: {brown: scenes}}", ("datasets.brown_pairs.brown: needs brown, ", "scenes", "name brown")),
    ("unknown study", "studies: {edej: {}}", ('studies.edej: unknown study "edej"; did you mean "edje"?',)),
    # variants
    ("unknown base", EDJE % "x: {base: edj}", ('studies.edje.variants.x.base: unknown variant "edj"; did you mean "edje"?',)),
    ("bases in a circle", EDJE % "x: {base: y}, y: {base: x}", ("studies.edje.variants.x.base: bases form a circle: x -> y -> x",)),
    ("base switched off", EDJE % "retriever_names: {base: weak}, weak: null", ('retriever_names.base: variant "weak" is switched off (null)',)),
    ("base of another study", GATING % "x: {base: retriever}", ('studies.gating.variants.x.base: unknown variant "retriever"',)),
    ("unknown variant kind", EDJE % "x: {kind: embeding}", ("studies.edje.variants.x.kind: unknown kind 'embeding'; did you mean \"embedding\"?",)),
    ("negative steps", EDJE % "retriever: {optimiser: {steps: -5}}", ("variants.retriever.optimiser.steps: ", "(given: -5)")),
    ("heads do not divide width", EDJE % "edje: {adapter: {heads: 7}}", ("variants.edje", "heads 7", "384")),
    ("decoder's heads", GATING % "base: {shape: {heads: 7}}", ("variants.base.shape: width 256 is not a multiple of heads 7",)),
    ("vocabulary below bytes", GATING % "bpe: {vocabulary: 100}", ("variants.bpe.vocabulary: ", "259", "(given: 100)")),
    ("beta of 1", EDJE % "retriever: {optimiser: {betas: [0.9, 1.0]}}", ("variants.retriever.optimiser.betas.1: ", "less than 1")),
    ("seed of a variant twice", EDJE % "retriever: {seeds: [0, 0]}", ("variants.retriever.seeds: 0 is given twice",)),
    ("benchmark twice", EDJE % "trunk: {benchmarks: [scenes, scenes]}", ("variants.trunk.benchmarks: scenes is given twice",)),
    ("benchmark it cannot do", EDJE % "retriever: {benchmarks: [language]}", ("variants.retriever.benchmarks: cannot be evaluated on language: ",)),
    ("unknown benchmark", EDJE % "trunk: {benchmarks: [scnes]}", ('variants.trunk.benchmarks: unknown benchmark "scnes"; did you mean "scenes"?',)),
    ("unknown encoder", EDJE % "retriever_attention: {encoder: dino_v2}", ('variants.retriever_attention.encoder: unknown encoder "dino_v2"; did you mean "dinov2_s"?',)),
    ("unknown data set", EDJE % "retriever_attention: {dataset: scene}", ('variants.retriever_attention.dataset: unknown data set "scene"; did you mean "scenes"?',)),
    ("trained on a text", EDJE % "retriever_attention: {dataset: brown}", ("variants.retriever_attention.dataset: needs captioned images, ", "brown", "name scenes or names")),
    ("variants in a circle", EDJE % "a: {base: edje, start: {joint: b}, benchmarks: []}, b: {base: edje, start: {joint: a}, benchmarks: []}", ("studies.edje.variants.a: ", "a -> b -> a")),
    ("begins with itself", EDJE % "trunk: {start: {joint: trunk}}", ("studies.edje.variants.trunk: builds on itself",)),
    ("seed its base lacks", GATING % "random: {seeds: [7]}", ('variants.random: builds on variant "bpe", which is not trained with seed 7',)),
    ("file of norms missing", "benchmarks: {gates: {concreteness: norms.txt}}", ("norms.txt is missing", "put it there")),
]  # fmt: skip


@pytest.mark.parametrize(("overlay", "parts"), [case[1:] for case in OVERLAYS], ids=[case[0] for case in OVERLAYS])
def test_a_bad_overlay_is_refused(folder, capsys, overlay, parts):
    Path("bad.yaml").write_bytes(overlay if isinstance(overlay, bytes) else overlay.encode())
    told(refused(capsys, "config", "check", "--configfile", "bad.yaml"), parts)


TRAIN = ("train", "--study", "gating", "--seed", "0", "--out", "out")
EVALUATE = ("evaluate", "--study", "edje", "--seed", "0", "--out", "out", "--variant", "retriever")
RETRIEVER = ("--settings", "state/settings/edje/retriever.json")
# id, command, parts of the one line
JOBS = [
    ("data set not made", (*TRAIN, "--variant", "bpe", "--settings", "state/settings/gating/bpe.json"), ("data/sets/brown/manifest.json", "run snakemake")),
    ("negative seed", (*EVALUATE, *RETRIEVER, "--seed", "-1", "--benchmark", "state/settings/benchmarks/scenes.json"), ("--seed -1: a seed is 0 or more",)),
    ("benchmark it cannot do", (*EVALUATE, *RETRIEVER, "--benchmark", "state/settings/benchmarks/language.json"), ("--benchmark state/settings/benchmarks/language.json: retriever cannot be evaluated on it: kind embedding has no ability 'texts'",)),
    ("no such benchmark", (*EVALUATE, *RETRIEVER, "--benchmark", "none.json"), ("cannot read none.json", "correct the path")),
    ("impossible settings", (*TRAIN, "--variant", "bpe", "--settings", "few.json"), ("few.json.bpe.vocabulary: ", "259")),
    ("settings are a list", (*TRAIN, "--variant", "bpe", "--settings", "list.json"), ("list.json: expected a JSON object of settings", "run snakemake")),
    ("variant it builds on not given", (*TRAIN, "--variant", "random", "--settings", "state/settings/gating/random.json"), ('random.tokenizer: unknown variant "bpe"; known: random',)),
    ("unknown study", ("train", "--study", "edej", "--seed", "0", "--out", "out", "--variant", "retriever", *RETRIEVER), ('--study: unknown study "edej"; did you mean "edje"?',)),
    ("source of another client", ("fetch", "--settings", "source.json", "--out", "noto.tgz"), ("source.json.settings.client: input should be 'npm' or 'pypi'",)),
    ("no such place", ("config", "show", "encoders.dinov2"), ('encoders: has no "dinov2"; did you mean "dinov2_s"?',)),
    ("nothing of that name can be set", ("config", "describe", "encoders.tim"), ('encoders: has no "tim"; did you mean "timm"?',)),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "parts"), [case[1:] for case in JOBS], ids=[case[0] for case in JOBS])
def test_a_bad_job_is_refused(folder, capsys, arguments, parts):
    plan = Plan(load_config())
    write_settings_files(plan)
    few = variant_body(plan.variant("gating", "bpe")) | {"vocabulary": 100}
    source = plan.root.sources["noto"].model_dump(mode="json") | {"client": "cargo"}
    for name, body in (("few", few), ("list", []), ("source", source)):
        write_json(f"{name}.json", body)
    told(refused(capsys, *arguments), parts)


def test_the_demo_is_accepted(folder, capsys):
    assert program.main(["config", "check"]) == 0
    assert "no problem found" in capsys.readouterr().out
