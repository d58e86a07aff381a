# Everything starts here: `make` alone says what there is. Needs make and Python 3.11 or newer, nothing else.

.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$p && break; done)
PY := .venv/bin/python
TORCH_INDEX ?=
WORKERS ?= 2
export LANGWRIGHT_DATA ?= $(abspath ../shared/data)
export POEMS ?= $(abspath runs/poems-rows)
PINS := pyproject.toml constraints.txt scripts/setup.py scripts/speech.py $(if $(TORCH_INDEX),force)
INSTALL = $(or $(PYTHON),python3) -m scripts.setup
INDEX = $(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX))
STUDIO := $(shell find studio/src -type f) $(addprefix studio/,package-lock.json index.html vite.config.ts tsconfig.json)
WEB := src/langwright/serving/web/built-from.txt
RECIPES := $(filter-out recipes/demo.toml,$(wildcard recipes/*.toml)) $(wildcard recipes/claims/*.toml)

.NOTPARALLEL:
.PHONY: help setup studio demo test prove results bench data docs lint check wheel clean force

help: ## this list ## 本列表
	@case "$${LC_ALL:-$${LC_MESSAGES:-$$LANG}}" in zh*) n=3; first="第一次来？先试 make demo。所需的安装会自动完成，下载前先报大小。";; \
	*) n=2; first="New here? Try make demo. It installs what it needs and says how much it downloads first.";; esac; \
	echo "$$first"; echo; \
	awk -F ' ## ' -v n=$$n '/^[a-z]+:.* ## / { split($$1, t, ":"); printf "  make %-9s %s\n", t[1], $$n }' Makefile

setup: .venv/.all $(WEB) ## virtual environment in .venv with everything pinned ## 在 .venv 中装好全部固定版本

.venv/.core: $(PINS)
	@$(INSTALL) core $(INDEX)

.venv/.dev: $(PINS)
	@$(INSTALL) core dev $(INDEX)

.venv/.docs: $(PINS)
	@$(INSTALL) core docs $(INDEX)

.venv/.all: $(PINS)
	@$(INSTALL) core dev docs all $(INDEX)

studio: .venv/.core ## the web page that `langwright studio` shows; needs Node, or fetches it ## `langwright studio` 显示的网页；需要 Node，没有则下载
	@$(PY) -m scripts.studio build

$(WEB): $(STUDIO) | .venv/.core
	@$(PY) -m scripts.studio build --try

demo: .venv/.core ## text to tokenizer to model to chat to report, in minutes ## 几分钟内：文本、分词器、模型、对话、报告
	@$(PY) -m scripts.demo

test: .venv/.dev check ## style, types and all quick tests; records what they prove ## 风格、类型与全部快速测试；记录证明了什么
	@LANGWRIGHT_RECORD=1 $(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder; code=$$?; $(PY) -m scripts.coverage && exit $$code

check: .venv/.dev
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy

lint: .venv/.dev ## put right what the style checker can, show the rest ## 自动修正风格，列出其余问题
	$(PY) -m ruff check --fix
	$(PY) -m ruff format
	$(PY) -m mypy

prove: .venv/.dev ## the long tests: kills, loads, fuzz; goes on where it stopped ## 长测试：中断、负载、模糊；可接着上次继续
	@$(PY) -m scripts.prove; code=$$?; $(PY) -m scripts.coverage && exit $$code

$(POEMS): | .venv/.core
	@$(PY) -m benchmarks.verse prepare $(LANGWRIGHT_DATA)/zh-text-poetry $@

results: .venv/.core $(POEMS) ## real training on real sets, hours; goes on where it stopped ## 真实数据上的训练，数小时；可接着上次继续
	@for recipe in $(RECIPES); do echo "== $$recipe"; .venv/bin/langwright run $$recipe || exit; done
	@$(PY) -m scripts.results

bench: .venv/.dev ## us and the peers side by side, interleaved ## 与同类并列交错测速
	@for file in benchmarks/*.py; do $(PY) -m benchmarks.$$(basename $$file .py) || exit; done

data: .venv/.core ## fetch the public data sets of tests and recipes ## 下载测试与配方所用的公开数据集
	@$(PY) -m scripts.data

docs: .venv/.docs ## both languages of the handbook into docs/_build ## 构建中英文手册到 docs/_build
	@$(PY) -m scripts.docs

wheel: .venv/.dev ## a wheel in dist ## 在 dist 中构建 wheel
	@$(PY) -m scripts.studio build --try
	$(PY) -m build --wheel --no-isolation

clean: ## remove what can be made again, never runs and data ## 删除可重建之物，绝不动 runs 与数据
	rm -rf .venv dist build docs/_build src/langwright/serving/web studio/node_modules studio/test-results .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
