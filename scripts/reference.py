"""Writes the reference in both languages from the declarations themselves, and docs/data.md from its list.

    python -m scripts.reference

docs/{en,zh}/reference/: commands from their help, settings and stages from the stages, tasks from TASKS,
objectives from OBJECTIVES with docs/objectives.toml, measures from MEASURES, errors from the source.
A test holds that the files are what this would write now.
"""

from __future__ import annotations

import inspect
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from scripts import data, said

from langwright.errors import UserError
from langwright.settings import Settings, entries, plain, toml_value
from langwright.wording import LANGUAGES, Language, chinese, say, use_language

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
os.environ["COLUMNS"] = "100"  # help texts are folded to the window

TITLES: dict[str, dict[Language, str]] = {
    "commands": {"en": "Commands", "zh": "命令"},
    "settings": {"en": "Settings", "zh": "设置"},
    "stages": {"en": "Stages", "zh": "阶段"},
    "tasks": {"en": "Tasks", "zh": "任务"},
    "objectives": {"en": "Objectives", "zh": "训练目标"},
    "measures": {"en": "Measures", "zh": "度量"},
    "errors": {"en": "Error messages", "zh": "错误信息"},
}
WORDS: dict[str, str] = {
    "Generated from the source by `scripts/reference.py`; do not edit.": "由 `scripts/reference.py` 从源码生成，请勿手改。",
    "setting": "设置", "default": "默认", "accepts": "可取", "what": "含义", "none": "无", "must be given": "必填",
    "only with {choice}": "仅用于 {choice}", "command": "命令", "input": "输入", "kind": "种类", "makes": "产物",
    "options": "选项", "version": "版本", "rows of schema": "数据行格式", "solvers, the first is used for training": "求解方式，训练默认用第一种",
    "measures": "度量", "field": "字段", "gives": "输出", "takes": "输入", "several": "可多个", "optional": "可省略",
    "How it asks in words": "用文字提问的模板", "What it does": "做什么", "When to use it": "何时用", "What it costs": "代价",
    "Example": "示例", "What it does not do": "不做什么", "Source and where we differ": "来源与差异", "File": "文件",
    "code": "代码", "problem": "问题", "what to do": "怎么办", "unit": "单位", "better": "好的方向", "name": "名称",
    "how it is got": "如何得到", "what it does not show": "不能说明什么", "higher": "越高越好", "lower": "越低越好", "neither": "无好坏之分",
    "`langwright check COMMAND` looks at inputs and settings of any stage and stops before the work.": "`langwright check 命令` 检查任一阶段的输入与设置，在动手之前停下。",
    "Settings of the server, for `langwright serve --set KEY=VALUE`": "服务器设置，用于 `langwright serve --set KEY=VALUE`",
    "How the next token is chosen": "如何选取下一个词元",
    "Words in braces are filled in. The code is what `--json` and the HTTP API give; it does not change with the language.": "花括号中的词会被填入具体值。代码由 `--json` 与 HTTP 接口给出，不随语言改变。",
}  # fmt: skip
DIRECTIONS = ("higher", "lower", "neither")


def word(text: str, lang: Language, **values: object) -> str:
    """A word of the pages themselves."""
    return (WORDS[text] if lang == "zh" else text).format(**values)


def cell(text: object) -> str:
    """Text inside a table: what stands outside of code is taken as it is, and is no Markdown."""
    parts = re.split(r"(`[^`]*`)", str(text).replace("|", "\\|"))
    plain = [re.sub(r"([*<])", r"\\\1", part) if number % 2 == 0 else part for number, part in enumerate(parts)]
    return "".join(plain).replace("\n", "<br>")


def table(lang: Language, head: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """A Markdown table with translated heads."""
    names = [word(name, lang) for name in head]
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    return [*lines, *(f"| {' | '.join(map(cell, row))} |" for row in rows), ""]


def code(text: object) -> str:
    """Text as code, nothing for nothing."""
    return f"`{text}`" if str(text) else ""


# --- the pages -----------------------------------------------------------------------------------


def commands(lang: Language) -> Iterator[str]:
    """Every command's help as it is shown."""
    from langwright.cli.commands import COMMANDS, SECTIONS
    from langwright.cli.teaching import command_help

    for section in SECTIONS:
        yield f"## {say(section, lang=lang)}\n"
        for name, command in COMMANDS.items():
            if command.section == section:
                yield f"### langwright {name}\n\n```text\n{command_help(command.build()).rstrip()}\n```\n"
    checks = [f"`langwright {name}`" for name, command in COMMANDS.items() if not command.section]
    yield f"## langwright check\n\n{word(CHECK, lang)}\n\n{', '.join(checks)}\n"


CHECK = "`langwright check COMMAND` looks at inputs and settings of any stage and stops before the work."


def settings_table(lang: Language, model: type[Settings]) -> list[str]:
    """Every setting of a model."""
    rows = []
    for entry in entries(model):
        if entry.default is PydanticUndefined:
            default = word("must be given", lang)
        elif entry.default is None:
            default = word("none", lang)
        else:
            default = code(toml_value(plain(entry.default)))
        help = say(entry.help, lang=lang)
        if entry.choice:
            help += f" ({word('only with {choice}', lang, choice=code(entry.choice))})"
        rows.append((code(entry.key), default, entry.allowed(lang), help))
    return table(lang, ("setting", "default", "accepts", "what"), rows)


def settings(lang: Language) -> Iterator[str]:
    """The settings of every stage, of the server and of sampling."""
    from langwright.inference.protocol import Sampling
    from langwright.serving.settings import ServingSettings
    from langwright.stages import STAGES

    for stage in STAGES.values():
        yield f"## {stage.words}\n"
        yield from settings_table(lang, stage.settings)
    yield f"## {word('Settings of the server, for `langwright serve --set KEY=VALUE`', lang)}\n"
    yield from settings_table(lang, ServingSettings)
    yield f"## {word('How the next token is chosen', lang)}\n"
    yield from settings_table(lang, Sampling)


def stages(lang: Language) -> Iterator[str]:
    """What each stage takes and makes."""
    from langwright.stages import STAGES
    from langwright.stages.execution import shown

    for stage in STAGES.values():
        line = f"langwright {stage.words} {' '.join(shown(one) for one in stage.inputs)} OUT"
        yield f"## {stage.name}\n\n{say(stage.summary, lang=lang)}\n\n```console\n{line}\n```\n"
        rows = []
        for one in stage.inputs:
            notes = [word("several", lang)] * one.many + [word("optional", lang)] * one.optional
            kind = " · ".join([say(one.kind, lang=lang), *notes])
            rows.append((code(one.role), kind, say(one.help, lang=lang)))
        yield from table(lang, ("input", "kind", "what"), rows)
        yield f"- {word('makes', lang)}: {say(stage.makes, lang=lang)}"
        yield f"- {word('version', lang)}: {stage.version}"
        short = (f"`--{option.lstrip('-')}` = `{key}`" for option, key in stage.options.items())
        yield f"- {word('options', lang)}: {', '.join(short) or word('none', lang)}\n"


def fields(lang: Language, model: type[BaseModel]) -> list[str]:
    """The fields of a task's input or output."""
    rows = [(code(name), say(field.description or "", lang=lang)) for name, field in model.model_fields.items()]
    return table(lang, ("field", "what"), rows)


def tasks(lang: Language) -> Iterator[str]:
    """What each task takes and gives, and how it is done and measured."""
    from langwright.tasks import SOLVERS, TASKS

    for task in TASKS.values():
        yield f"## {task.name}\n\n{say(task.summary, lang=lang)}\n"
        yield f"- {word('rows of schema', lang)}: `{task.dataset}`"
        solvers = (f"`{name}`: {say(SOLVERS[name].summary, lang=lang)}" for name in task.solvers)
        yield f"- {word('solvers, the first is used for training', lang)}: {'; '.join(solvers)}"
        yield f"- {word('measures', lang)}: {', '.join(unfilled(name, lang) for name in task.measures)}\n"
        yield f"### {task.name}: {word('takes', lang)}\n"
        yield from fields(lang, task.input)
        yield f"### {task.name}: {word('gives', lang)}\n"
        yield from fields(lang, task.output)
        if task.templates:
            yield f"### {task.name}: {word('How it asks in words', lang)}\n"
            yield from (f"```text\n{template}\n```\n" for template in task.templates.values())


OBJECTIVE_PARTS = (
    ("What it does", "what"), ("When to use it", "when"), ("What it costs", "cost"),
    ("What it does not do", "not"), ("Source and where we differ", "source"),
)  # fmt: skip


def objectives(lang: Language) -> Iterator[str]:
    """Each objective in words."""
    from langwright.objectives.kinds import OBJECTIVES

    written = tomllib.loads((DOCS / "objectives.toml").read_text(encoding="utf-8"))
    for name, objective in OBJECTIVES.items():
        yield f"## {name}\n"
        yield from (f"**{word(title, lang)}.** {written[name][f'{key}_{lang}']}\n" for title, key in OBJECTIVE_PARTS)
        yield f"**{word('Example', lang)}.**\n\n```console\n{written[name]['example']}\n```\n"
        file = Path(inspect.getfile(objective)).relative_to(ROOT)
        yield f"**{word('File', lang)}.** `{file.as_posix()}`\n"


def measures(lang: Language) -> Iterator[str]:
    """Each kind of measure and what it does not show."""
    from langwright.metrics import MEASURES

    rows = [
        (
            unfilled(name, lang), say(kind.unit, lang=lang), word(kind.better, lang),
            unfilled(kind.method, lang), say(kind.does_not_show, lang=lang),
        )
        for name, kind in MEASURES.items()
    ]  # fmt: skip
    yield from table(lang, ("name", "unit", "better", "how it is got", "what it does not show"), rows)


def unfilled(template: str, lang: Language) -> str:
    """A template in a language, its fields left as names in braces."""
    text = chinese().get(template, template) if lang == "zh" else template
    return re.sub(r"\{(\w+)[^}]*\}", r"{\1}", text)


def errors(lang: Language) -> Iterator[str]:
    """Every mistake that is caught, with what to do about it, by room."""
    yield word(ERRORS, lang) + "\n"
    found: dict[str, set[tuple[str, str]]] = {}
    for file in sorted((said.SRC / "langwright").rglob("*.py")):
        room = file.relative_to(said.SRC / "langwright").parts[0].removesuffix(".py")
        tree = said.module_tree(".".join(file.relative_to(said.SRC).with_suffix("").parts).removesuffix(".__init__"))
        found.setdefault(room, set()).update(errors_of(tree) if tree else ())
    for room, pairs in found.items():
        if pairs:
            yield f"## {room}\n"
            rows = [error_row(UserError(problem, fix=fix), lang) for problem, fix in sorted(pairs)]
            yield from table(lang, ("code", "problem", "what to do"), rows)


ERRORS = "Words in braces are filled in. The code is what `--json` and the HTTP API give; it does not change with the language."


def error_row(error: UserError, lang: Language) -> tuple[str, str, str]:
    """An error's line, fields left in braces."""
    return code(error.code), unfilled(error.problem_template, lang), unfilled(error.fix_template, lang)


def errors_of(tree: object) -> Iterator[tuple[str, str]]:
    """(problem, fix) of every UserError made in a module."""
    import ast

    assert isinstance(tree, ast.Module)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and said.called(node) == "UserError":
            problem, fix = said.argument(node, "problem", 0), said.argument(node, "fix")
            problems = said.literals(tree, problem) if problem else None
            fixes = said.literals(tree, fix) if fix else None
            yield from ((p, f) for p in problems or [] for f in fixes or [])


PAGES: dict[str, Callable[[Language], Iterator[str]]] = {
    "commands": commands, "settings": settings, "stages": stages, "tasks": tasks,
    "objectives": objectives, "measures": measures, "errors": errors,
}  # fmt: skip


def data_page() -> str:
    """docs/data.md: every public data set with its sources, licence and hashes, in both languages."""
    lines = [
        "# Data sets · 数据集",
        "",
        "<!-- drawn by scripts/reference.py from docs/data.toml -->",
        "",
        "None of these belongs to the package. `make data` fetches what is missing from the public repositories named "
        "here, at these commits, into the folder that `LANGWRIGHT_DATA` names (`../shared/data` where it names none), "
        "converts it and checks the result. `make data` was checked against copies of these files, not over a network.",
        "",
        "这些数据都不属于本软件包。`make data` 按此处所列的公开仓库与提交取得缺少的文件，放入 `LANGWRIGHT_DATA` 所指的目录"
        "（未设时为 `../shared/data`），转换并核对结果。`make data` 是用这些文件的副本检验的，没有经过网络。",
        "",
    ]
    for entry in data.read_list():
        lines += [f"## {entry.name}", "", f"{entry.what}. {entry.licence}.", "", f"{entry.what_zh}。", ""]
        lines += ["| file · 文件 | from · 来源 | step · 转换 | sha256 |", "|---|---|---|---|"]
        for file in entry.files:
            sources = "<br>".join(f"`{s.repository}` @ `{s.commit}` {s.path}" for s in file.sources)
            lines.append(f"| `{file.name}` | {sources} | `{file.step}` | {code(file.sha256) or '-'} |")
        lines.append("")
    return "\n".join(lines)


def pages() -> dict[Path, str]:
    """Every generated page, by its path."""
    found: dict[Path, str] = {DOCS / "data.md": data_page()}
    for lang in LANGUAGES:
        use_language(lang)
        for name, page in PAGES.items():
            note = f"<!-- {word('Generated from the source by `scripts/reference.py`; do not edit.', lang)} -->"
            text = "\n".join([f"# {TITLES[name][lang]}", "", note, "", *page(lang)])
            found[DOCS / lang / "reference" / f"{name}.md"] = text.rstrip() + "\n"
    use_language(None)
    return found


def main() -> None:
    """Write them all."""
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"{len(pages())} pages")


if __name__ == "__main__":
    main()
