"""Every command. To add one: write its file, add its line here; a stage gets its command from its declaration."""

from __future__ import annotations

from langwright.cli.ask import ASK
from langwright.cli.bench import BENCH
from langwright.cli.chat import CHAT
from langwright.cli.cowrite import COWRITE
from langwright.cli.doctor import DOCTOR
from langwright.cli.embed import EMBED
from langwright.cli.fill import FILL
from langwright.cli.gate import GATE
from langwright.cli.generate import GENERATE
from langwright.cli.history import HISTORY
from langwright.cli.inspect import INSPECT
from langwright.cli.keys import KEYS
from langwright.cli.logs import LOGS
from langwright.cli.predict import PREDICT
from langwright.cli.rate import RATE
from langwright.cli.recipe import RECIPE
from langwright.cli.recommend import RECOMMEND
from langwright.cli.rewrite import REWRITE
from langwright.cli.run import RUN
from langwright.cli.runs import RUNS
from langwright.cli.score import SCORE
from langwright.cli.serve import SERVE
from langwright.cli.stage import check_command, stage_command
from langwright.cli.stores import STORES
from langwright.cli.studio import STUDIO
from langwright.cli.tasks import TASKS_COMMAND
from langwright.cli.teaching import Command
from langwright.cli.templates import TEMPLATES
from langwright.cli.watermark import WATERMARK
from langwright.stages import STAGES

SECTIONS = ("From text to model", "Use a model", "Look after runs", "Look after the server")
EXAMPLES: dict[str, tuple[str, ...]] = {
    "data-read": (
        "langwright data read notes/ letters.jsonl runs/text",
        "langwright data read questions.jsonl runs/talks --schema chat",
    ),
    "data-clean": ("langwright data clean runs/text runs/clean",),
    "data-damage": (
        "langwright data damage runs/text runs/damaged",
        "langwright data damage runs/text typos.txt runs/typos --set 'noises=[{kind = \"listed\"}]'",
    ),
    "tokenizer-train": ("langwright tokenizer train runs/clean runs/tokenizer --vocab-size 8192",),
    "pretrain": (
        "langwright pretrain runs/clean runs/tokenizer runs/base --minutes 5",
        "langwright pretrain runs/clean runs/tokenizer runs/base --preset tiny --steps 200 --seed 7",
    ),
    "adapt": (
        "langwright adapt runs/base runs/law runs/lawyer",
        "langwright adapt runs/english runs/chinese runs/both runs/english-text --set vocabulary.tokens=4000",
    ),
    "finetune": (
        "langwright finetune runs/base runs/talks runs/chat",
        "langwright finetune runs/base runs/topics runs/labeller --task classification --method lora",
    ),
    "multitask": ("langwright multitask runs/base runs/hotels runs/news runs/talks runs/several --temperature 2",),
    "continual": (
        "langwright continual runs/base runs/hotels runs/meals runs/films runs/kept",
        "langwright continual runs/base runs/hotels runs/news runs/kept --scenario task --seeds 5",
    ),
    "search": ("langwright search runs/base runs/topics runs/searched --recipe space.toml --trials 20",),
    "transfer": (
        "langwright transfer runs/base runs/meals runs/curve",
        "langwright transfer runs/hotels-judge runs/meals runs/curve --seeds 5 --set 'labels=[10, 30, 100, 300, 1000]'",
    ),
    "evaluate": ("langwright evaluate runs/chat runs/talks runs/chat-measured",),
    "benchmark": (
        "langwright benchmark runs/base runs/base-benchmarks --tasks blimp,climp --limit 1000",
        "langwright benchmark runs/base runs/base-benchmarks --tasks arc_easy,cmmlu --shots 5 --data ~/data",
        "langwright benchmark runs/base runs/base-mine --tasks questions.jsonl,tasks/mmlu.yaml",
    ),
    "compare": (
        "langwright compare runs/old-measured runs/new-measured runs/compared",
        "langwright compare runs/old runs/new runs/reviews runs/compared --set evaluation.limit=1000",
        "langwright compare runs/a1-measured runs/a2-measured runs/b1-measured runs/b2-measured runs/compared "
        '--set arms=\'["adamw", "adamw", "lamb", "lamb"]\' --set seeds=\'[1, 2, 1, 2]\' --set measures=\'["accuracy"]\'',
    ),
    "mine": (
        "langwright mine runs/reviews runs/look",
        "langwright mine runs/news runs/look --group label --set shown=50",
    ),
    "control-trial": (
        "langwright control trial runs/base runs/taught runs/guide runs/judge runs/reviews runs/trial",
        "langwright control trial runs/base runs/taught runs/guide runs/judge runs/news runs/trial "
        '--set ways=\'["prompt", "topics"]\'',
    ),
    "sampling": (
        "langwright sampling runs/base runs/text runs/settings",
        "langwright sampling runs/small runs/text runs/large runs/settings --set 'temperatures=[0.7, 1.0]'",
    ),
    "watermark-power": (
        "langwright watermark power runs/base runs/text runs/power",
        "langwright watermark power runs/base runs/text runs/power --set mark.kind=synthid --texts 200",
    ),
    "report": ("langwright report runs/chat runs/report",),
}


def all_commands() -> dict[str, Command]:
    """Name -> command, in the order in which they are listed."""
    stages = [stage_command(stage, SECTIONS[0], EXAMPLES[name]) for name, stage in STAGES.items()]
    checks = [check_command(stage) for stage in STAGES.values()]
    commands = [
        *stages, RUN, GENERATE, PREDICT, TASKS_COMMAND, CHAT, ASK, STUDIO, SERVE, BENCH, SCORE, FILL, EMBED, INSPECT, *WATERMARK, *TEMPLATES, *REWRITE, *COWRITE, *RECOMMEND, *RUNS,
        HISTORY, *RATE, GATE, RECIPE, *checks, DOCTOR, *KEYS, *STORES, LOGS,
    ]  # fmt: skip
    return {command.name: command for command in commands}


COMMANDS = all_commands()
