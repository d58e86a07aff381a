"""The front door: one name in, plain strings in and out, and honest refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.tasks.tiny import give_card, write_labeller, write_writer

import langwright
from langwright.artifacts import Ability
from langwright.data.schemas import Message
from langwright.errors import UserError
from langwright.inference.protocol import Sampling
from langwright.tasks.front.conversation import as_prompt
from langwright.tasks.front.loading import Model, load
from langwright.workspace import Workspace


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("space")
    write_writer(root / "runs" / "plain", template=False)
    write_writer(root / "runs" / "chat")
    give_card(write_writer(root / "runs" / "base"), Ability(task="generate", solver="generation"))
    give_card(write_writer(root / "runs" / "taught"), Ability(task="chat", solver="generation"))
    write_labeller(root / "runs" / "labeller")
    return root


def opened(folder: Path, name: str) -> Model:
    return load(name, workspace=Workspace(folder))


@pytest.mark.spec("TL6", "the same calls work on any local model folder, whoever made it")
def test_a_model_is_found_by_folder_and_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(folder, "chat") as by_name, load(folder / "runs" / "chat") as by_path:
        assert by_name.generate("ab", max_new_tokens=6) == by_path.generate("ab", max_new_tokens=6)
    monkeypatch.chdir(folder)
    with langwright.load("chat") as at_the_front:
        assert at_the_front.name == "chat"


@pytest.mark.spec("G1", "a prompt in, the continuation alone out")
def test_generating_streaming_and_seeds(folder: Path) -> None:
    with opened(folder, "plain") as model:
        sampling = Sampling(max_new_tokens=12, temperature=1.0, seed=5)
        whole = model.complete("ab", sampling)
        assert whole.text == model.generate("ab", max_new_tokens=12, temperature=1.0, seed=5)
        assert whole.text == "".join(piece.text for piece in model.stream("ab", sampling))
        assert whole.seed == 5 and len(whole.token_ids) <= 12
        assert model.complete("ab", Sampling(max_new_tokens=12, temperature=1.0, seed=6)).token_ids != whole.token_ids


def test_chatting_takes_strings_tables_and_messages(folder: Path) -> None:
    with opened(folder, "taught") as model:
        said = model.chat("hi", max_new_tokens=5)
        assert said == model.chat([{"role": "user", "content": "hi"}], max_new_tokens=5)
        assert said == model.chat([Message(role="user", content="hi")], max_new_tokens=5)


@pytest.mark.spec("T30", "the front door scores a text token by token")
def test_scores_and_embeddings(folder: Path) -> None:
    with opened(folder, "chat") as model:
        score = model.score("你好 world")
        assert score.log_probability == pytest.approx(sum(value for _, value in score.tokens))
        assert score.bytes == len("你好 world".encode())
        vectors = model.embed(["one", "other"])
        assert vectors.shape == (2, 16) and vectors.dtype == np.float32
        np.testing.assert_allclose(model.embed("one"), vectors[:1], atol=1e-5)


def test_predicting_says_which_solver(folder: Path) -> None:
    with opened(folder, "labeller") as model:
        assert model.predict("goal").solver == "head"
        assert model.embed(["a"]).shape == (1, 16)
    with opened(folder, "chat") as model:
        found = model.predict("goal", ["news", "art"])
        assert found.solver == "likelihood" and found.label in ("news", "art")
        several = model.predict("goal", ["news", "art"], multi_label=True, threshold=0.01)
        assert several.label is None and set(several.labels) == {"news", "art"}


UNTAUGHT = {
    "qa": "grounded",
    "classification": "likelihood", "pair": "likelihood", "entailment": "likelihood", "choice": "likelihood",
    "translation": "writing", "summarization": "writing", "similarity": "cosine", "embedding": "vectors",
    "score": "probability",
}  # fmt: skip
"""Of the tasks shown here, those that any language model can try."""


@pytest.mark.parametrize(
    ("name", "abilities"),
    [
        ("plain", UNTAUGHT),
        ("chat", {"chat": "generation", **UNTAUGHT}),
        ("base", UNTAUGHT),  # its tokenizer has a template, it never saw one
        ("taught", {"chat": "generation", **UNTAUGHT}),
        ("labeller", {"classification": "head", "pair": "head", "similarity": "cosine", "embedding": "vectors"}),
    ],
)
def test_what_a_model_can_do(folder: Path, name: str, abilities: dict[str, str]) -> None:
    asked = ("chat", "fill", "tagging", "qa", "regression", *UNTAUGHT)
    with opened(folder, name) as model:
        found = {task: solver for task, solver in model.abilities.items() if task in asked}
        assert found == {**abilities, "entailment": abilities["pair"]}
        assert name in repr(model)


def test_a_solver_may_be_chosen_and_no_model_does_only_what_needs_none(folder: Path) -> None:
    with opened(folder, "chat") as model:
        assert model.predict("goal", ["a", "b"], solver="likelihood").solver == "likelihood"
        with pytest.raises(UserError, match="that needs a trained head"):
            model.predict("goal", ["a", "b"], solver="head")
        with pytest.raises(UserError, match="no solver called 'hed'"):
            model.predict("goal", ["a", "b"], solver="hed")
        with pytest.raises(UserError, match="no field called 'lables'"):
            model.do("classification", "x", lables=["a"])
        with pytest.raises(UserError, match="choice lacks its field choices"):
            model.do("choice", "x")
    with pytest.raises(UserError, match="tagging needs a trained head") as caught:
        langwright.do("tagging", "x")
    assert "langwright finetune MODEL DATASET OUT --task tagging" in caught.value.fix("zh")


@pytest.mark.parametrize(
    ("name", "call", "command"),
    [
        ("labeller", lambda m: m.generate("x"), "langwright pretrain"),
        ("labeller", lambda m: m.score("x"), "langwright pretrain"),
        ("labeller", lambda m: m.chat("x"), "langwright finetune MODEL DATASET OUT --task chat"),
        ("labeller", lambda m: m.require("chat"), "langwright finetune MODEL DATASET OUT --task chat"),
        ("base", lambda m: m.require("chat"), "langwright finetune MODEL DATASET OUT --task chat"),
        ("plain", lambda m: m.require("chat"), "langwright finetune MODEL DATASET OUT --task chat"),
        ("plain", lambda m: m.chat("x"), "langwright finetune"),
        ("plain", lambda m: m.predict("x"), "langwright finetune MODEL DATASET OUT --task classification"),
    ],
)
def test_what_it_cannot_do_names_the_command_that_makes_one(folder: Path, name: str, call, command: str) -> None:  # type: ignore[no-untyped-def]
    with opened(folder, name) as model, pytest.raises(UserError) as caught:
        call(model)
    assert command in caught.value.fix("en") and command in caught.value.fix("zh")
    assert caught.value.problem("zh") != caught.value.problem("en")


def test_mistakes_are_named(folder: Path) -> None:
    with pytest.raises(UserError, match="there is no nowhere"):
        opened(folder, "nowhere")
    with opened(folder, "chat") as model, pytest.raises(UserError, match="no task called 'classificaton'"):
        model.predict("x", ["a", "b"], task="classificaton")
    with pytest.raises(UserError, match="is not a turn"):
        as_prompt([{"role": "robot", "content": "x"}])
    with pytest.raises(UserError, match="has no turns"):
        as_prompt([])
