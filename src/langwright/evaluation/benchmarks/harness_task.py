"""One benchmark from the keys of a YAML of lm-evaluation-harness 0.4.13; what is not supported is refused by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from langwright.errors import UserError, unknown
from langwright.evaluation.benchmarks.calls import Called, refuse_code, resolved
from langwright.evaluation.benchmarks.declaration import (
    PLAIN,
    Benchmark,
    Examples,
    Extraction,
    Generation,
    Layout,
    Metric,
    Table,
)
from langwright.evaluation.benchmarks.extraction import step_of
from langwright.evaluation.benchmarks.marking import KNOWN, USUAL, check_metric
from langwright.evaluation.benchmarks.sources import Sources, located

Config = dict[str, Any]
TASK_KEYS = frozenset(
    [
        "task",
        "dataset_path",
        "dataset_name",
        "dataset_kwargs",
        "training_split",
        "validation_split",
        "test_split",
        "fewshot_split",
        "process_docs",
        "doc_to_text",
        "doc_to_target",
        "doc_to_choice",
        "process_results",
        "description",
        "target_delimiter",
        "fewshot_delimiter",
        "fewshot_config",
        "num_fewshot",
        "metric_list",
        "output_type",
        "generation_kwargs",
        "repeats",
        "filter_list",
        "gen_prefix",
    ]
)
PASSED_OVER = frozenset({"task_alias", "tag", "group_alias", "metadata"})
OFF = {"should_decontaminate": False, "unsafe_code": False, "use_prompt": None, "custom_dataset": None,
       "doc_to_image": None, "doc_to_audio": None, "doc_to_decontamination_query": None}  # fmt: skip
FORMATS = ("json", "csv", "parquet")


def benchmark_of(config: Config, file: Path, sources: Sources) -> Benchmark:
    """A benchmark of a YAML's keys; UserError for all that is not supported or not allowed."""
    config = {key: value for key, value in config.items() if key not in PASSED_OVER}
    refuse_off(config, file)
    refuse_unknown(config, TASK_KEYS | OFF.keys(), file)
    refuse_code(config, file, sources.code)
    config = resolved(config)
    name, output = str(config["task"]), config.get("output_type", "generate_until")
    if output not in KNOWN:
        raise unknown("output_type", str(output), KNOWN)
    layout = Layout(
        config.get("doc_to_text"), config.get("doc_to_target"), config.get("doc_to_choice"),
        config.get("target_delimiter", " "), config.get("fewshot_delimiter", "\n\n"), config.get("gen_prefix"),
    )  # fmt: skip
    if output == "multiple_choice" and layout.choice is None:
        raise UserError("{path} has no doc_to_choice, which multiple_choice needs", fix="give one", path=file)
    own = config.get("process_results")
    metrics = tuple(metrics_of(config, output, file))
    for metric in metrics:
        check_metric(metric, output, own is not None)
    parts = [config.get(key) for key in ("training_split", "validation_split", "test_split")]
    train, validation, test = (None if part is None else str(part) for part in parts)
    if test is None and validation is None:
        raise UserError("{path} names no test_split and no validation_split", fix="give one of them", path=file)
    return Benchmark(
        name=name, output=output, layout=layout, examples=examples_of(config, layout, file),
        splits=splits_of(config, name, file, sources, [train, validation, test]), train=train, validation=validation,
        test=test, description=config.get("description", ""), metrics=metrics,
        extractions=tuple(extractions_of(config, file)), generation=generation_of(config, layout, file),
        repeats=int(config.get("repeats", 1)), prepare=config.get("process_docs"), mark=own, origin=file,
    )  # fmt: skip


def refuse_unknown(config: Config, known: frozenset[str] | set[str], file: Path) -> None:
    """UserError for a key that means nothing here."""
    for key in config:
        if key not in known:
            raise unsupported(file, key, config[key])


def refuse_off(config: Config, file: Path) -> None:
    """UserError for what the harness can do and we cannot, unless it is switched off."""
    if "class" in config:
        name = config["class"].name if isinstance(config["class"], Called) else config["class"]
        raise UserError(
            "{path} is a Python class, {name}, which only lm-evaluation-harness itself can run",
            fix="write the benchmark with templates, or in TOML",
            path=file,
            name=name,
        )
    for key, off in OFF.items():
        if config.get(key, off) not in (off, None, False):
            raise unsupported(file, key, config[key])


def unsupported(file: Path, key: str, value: Any) -> UserError:
    """What is said of a key, or of its value, that is not supported."""
    return UserError(
        "{path} says {key}: {value}, which is not supported",
        fix="leave it out, or run this benchmark with lm-evaluation-harness",
        path=file,
        key=key,
        value=value.name if isinstance(value, Called) else value,
    )


# --- its parts -----------------------------------------------------------------------------------


def splits_of(config: Config, name: str, file: Path, sources: Sources, parts: Sequence[str | None]) -> dict[str, Table]:  # fmt: skip
    """Split -> its files: those the person gave, else those the YAML names.

    raises  UserError for data that is not a local file
    """
    given = sources.files or {}
    fewshot = config.get("fewshot_config") or {}
    names = {part for part in (*parts, config.get("fewshot_split"), fewshot.get("split")) if part is not None}
    replaced = {part: given.get(f"{name}/{part}", given.get(name)) for part in names}
    found = {part: Table((Path(path).expanduser(),)) for part, path in replaced.items() if path is not None}
    if len(found) == len(names):
        return found
    options = config.get("dataset_kwargs") or {}
    if config.get("dataset_path") not in FORMATS or "data_files" not in options:
        raise UserError(
            "{path} takes its rows from {where}, and rows are read from local files alone",
            fix="give a file in its place: --set files.{name}=FILE, for one split --set 'files.\"{name}/{split}\"=FILE'",
            path=file,
            where=config.get("dataset_path") or "-",
            name=name,
            split=next(iter(sorted(names - found.keys()))),
        )
    refuse_unknown(
        options, {"data_files", "data_dir", "field", "column_names", "delimiter", "sep", "trust_remote_code"}, file
    )
    if options.get("delimiter", options.get("sep", ",")) not in (",", "\t"):
        raise unsupported(file, "delimiter", options.get("delimiter", options.get("sep")))
    files = options["data_files"]
    by_split = files if isinstance(files, dict) else {"train": files}
    for part in names - found.keys():
        if part not in by_split:
            raise unknown("split", str(part), map(str, by_split))
        paths = by_split[part] if isinstance(by_split[part], list) else [by_split[part]]
        folder = str(options.get("data_dir") or "")
        found[part] = Table(
            tuple(located(str(Path(folder) / str(one)), file.parent, sources.data) for one in paths),
            tuple(options.get("column_names") or ()),
            str(options.get("field") or ""),
        )
    return found


def examples_of(config: Config, layout: Layout, file: Path) -> Examples:
    """The examples shown before a question."""
    given = config.get("fewshot_config") or {}
    refuse_unknown(
        given,
        {"sampler", "split", "samples", "doc_to_text", "doc_to_target", "doc_to_choice", "gen_prefix",
         "fewshot_delimiter", "target_delimiter"},
        file,
    )  # fmt: skip
    sampler = given.get("sampler", "default")
    if sampler not in ("default", "first_n"):
        raise unsupported(file, "sampler", sampler)
    samples = given.get("samples")
    samples = samples() if callable(samples) else samples
    own = Layout(
        given.get("doc_to_text", layout.text), given.get("doc_to_target", layout.target),
        given.get("doc_to_choice", layout.choice), given.get("target_delimiter", layout.delimiter),
        given.get("fewshot_delimiter", layout.between), given.get("gen_prefix", layout.prefix),
    )  # fmt: skip
    return Examples(
        int(config.get("num_fewshot") or 0),
        own,
        given.get("split", config.get("fewshot_split")),
        sampler,
        None if samples is None else tuple(samples),
    )


def metrics_of(config: Config, output: str, file: Path) -> Iterator[Metric]:
    """The metrics, or those that are usual."""
    given = config.get("metric_list")
    if given is None:
        yield from (Metric(name) for name in USUAL[output])  # type: ignore[index]
        return
    for one in given:
        if one.get("hf_evaluate"):
            raise unsupported(file, "hf_evaluate", one["metric"])
        code = one["metric"] if callable(one["metric"]) else None
        name = one["metric"] if code is None else getattr(code, "__name__", "metric")
        options = {k: v for k, v in one.items() if k not in ("metric", "aggregation", "higher_is_better", "hf_evaluate")}  # fmt: skip
        yield Metric(str(name), one.get("aggregation"), one.get("higher_is_better"), options, code)


def extractions_of(config: Config, file: Path) -> Iterator[Extraction]:
    """The filters, each tried once so that a wrong one is refused before anything is asked."""
    given = config.get("filter_list")
    if given is None:
        yield PLAIN
        return
    for one in given:
        refuse_unknown(one, {"name", "filter"}, file)
        steps = tuple(
            (str(step["function"]), {key: value for key, value in step.items() if key != "function"})
            for step in one["filter"]
        )
        for step in steps:
            step_of(*step)
        yield Extraction(str(one["name"]), steps)


LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")


def generation_of(config: Config, layout: Layout, file: Path) -> Generation:
    """How answers are written."""
    given = config.get("generation_kwargs")
    if given is None:
        return Generation(until=(layout.between,))
    refuse_unknown(given, {"until", "do_sample", "temperature", "top_p", "top_k", *LENGTHS}, file)
    until = given.get("until", layout.between)
    temperature = float(given.get("temperature", 1.0 if given.get("do_sample") else 0.0))
    if given.get("do_sample") is False:
        temperature = 0.0
    drawn = temperature > 0
    return Generation(
        tuple(until) if isinstance(until, list) else (str(until),) if until else (),
        int(next((given[name] for name in LENGTHS if given.get(name) is not None), 256)),
        temperature,
        float(given.get("top_p", 1.0)) if drawn else 1.0,
        int(given.get("top_k", 0)) if drawn else 0,
    )
