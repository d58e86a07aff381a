"""`generate`, `predict`, `chat`, `serve` and `tokenizer inspect` on models of a few thousand weights."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.cli.conftest import Run
from tests.tasks.tiny import give_card, write_labeller, write_writer

from langwright.artifacts import Ability
from langwright.errors import UserError
from langwright.inference.protocol import Beams, Sampling
from langwright.tasks.front.loading import load


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    write_writer(root / "base", template=False)
    give_card(write_writer(root / "chat"), Ability(task="chat", solver="generation"))
    write_labeller(root / "labeller")
    return root


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


@pytest.mark.spec("G2", "temperature, top-p, top-k and seed are given on the command line and the seed is reported")
def test_generate_as_one_object(run: Run, models: Path) -> None:
    command = ["generate", str(models / "base"), "ab", "--max-new-tokens", "9", "--temperature", "1", "--top-p", "0.9"]
    found = run(*command, "--seed", "3", "--json").json
    assert set(found) == {"text", "token_ids", "finish_reason", "seed"}
    assert found["seed"] == 3 and 0 < len(found["token_ids"]) <= 9
    with load(models / "base") as model:
        assert found["text"] == model.generate("ab", max_new_tokens=9, temperature=1.0, top_p=0.9, seed=3)
    drawn = run(*command, "--json").json
    assert run(*command, "--json", "--seed", str(drawn["seed"])).json == drawn


@pytest.mark.spec("G4", "greedy is the default: the same text every time")
def test_generate_for_a_person(run: Run, models: Path) -> None:
    command = ["generate", str(models / "base"), "ab", "--max-new-tokens", "9"]
    said = run(*command)
    assert said.code == 0 and said.out == run(*command).out
    assert said.out.rstrip("\n") == run(*command, "--json").json["text"].rstrip("\n")
    assert "seed" in said.err and said.err.rstrip().endswith(f"next: langwright serve {models / 'base'}")


def test_prompts_from_files_and_standard_input(run: Run, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["generate", str(models / "base"), "--max-new-tokens", "5", "--json"]
    Path("p.txt").write_text("从前")
    direct = run(*command, "从前").json
    direct.pop("seed")
    for given in ("@p.txt", "-"):
        typed(monkeypatch, "从前")
        found = run(*command, given).json
        found.pop("seed")
        assert found == direct
    Path("p.txt").write_bytes(b"\xff")
    assert run(*command, "@p.txt").json["error"]["code"] == "is-not-utf-8-text"


def test_stop_strings(run: Run, models: Path) -> None:
    command = [
        "generate",
        str(models / "base"),
        "ab",
        "--max-new-tokens",
        "20",
        "--json",
        "--temperature",
        "1",
        "--seed",
        "2",
    ]
    whole = run(*command).json["text"]
    stop = whole[4:6]
    assert run(*command, "--stop", stop).json["text"] == whole[: whole.index(stop)]


def test_predict_with_a_head_and_in_words(run: Run, models: Path) -> None:
    found = run("predict", str(models / "labeller"), "classification", "goal", "--json").json
    assert found["solver"] == "head" and found["label"] in ("sport", "news", "art")
    said = run("predict", str(models / "labeller"), "classification", "goal")
    assert said.out.splitlines()[0] == found["label"] and "head" in said.err
    words = ["predict", str(models / "base"), "classification", "goal", "--labels", "sport, 新闻，art"]
    found = run(*words, "--json").json
    assert found["solver"] == "likelihood" and list(found["probabilities"]) == ["sport", "新闻", "art"]
    several = run(*words, "--multi-label", "--normalise", "sum", "--json").json
    assert several["label"] is None


def test_predict_chat_answers(run: Run, models: Path) -> None:
    found = run("predict", str(models / "chat"), "chat", "hi", "--json").json
    assert set(found) == {"text", "token_ids", "finish_reason", "seed", "solver"}
    assert run("predict", str(models / "chat"), "chat", "hi").out.rstrip("\n") == found["text"].rstrip("\n")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["chat", "base"], "cannot-do-it-is-and-that-needs"),
        (["chat", "labeller"], "cannot-do-it-is-and-that-needs"),
        (["generate", "labeller", "x"], "cannot-do-it-is-and-that-needs"),
        (["serve", "base", "base", "--port", "0"], "two-models-are-called"),
        (["predict", "base", "classification", "x"], "there-are-no-labels-to-choose-from"),
        (["predict", "labeller", "chat", "x"], "cannot-do-it-is-and-that-needs"),
        (["predict", "labeller", "classification", "x", "--labels", "spott"], "no-called"),
    ],
)
def test_models_say_what_they_cannot_do(run: Run, models: Path, words: list[str], code: str) -> None:
    folders = [str(models / word) if (models / word).is_dir() else word for word in words[1:]]
    given = [folders[0], *words[2:]] if words[0] == "predict" else folders
    said = run(words[0], *given, "--json")
    assert said.code == 2 and said.json["error"]["code"] == code
    chinese = run(words[0], *given, "--json", "--lang", "zh").json["error"]
    assert chinese["problem"] != said.json["error"]["problem"]


def test_chat_from_a_pipe(run: Run, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["chat", str(models / "chat"), "--max-new-tokens", "6"]
    typed(monkeypatch, "hi\n\nand?\n/quit\nnot read\n")
    found = run(*command, "--json").json["messages"]
    assert [message["role"] for message in found] == ["user", "assistant"] * 2
    with load(models / "chat") as model:
        assert found[1]["content"] == model.chat("hi", max_new_tokens=6)
        assert found[3]["content"] == model.chat([*found[:2], {"role": "user", "content": "and?"}], max_new_tokens=6)
    typed(monkeypatch, "hi\nand?")
    said = run(*command)
    assert said.code == 0
    assert said.out == f"{found[1]['content']}\n{found[3]['content']}\nnext: langwright serve {models / 'chat'}\n"


def test_chat_begins_anew_and_knows_its_commands(run: Run, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["chat", str(models / "chat"), "--max-new-tokens", "4", "--system", "be brief", "--json"]
    typed(monkeypatch, "hi\n/reset\n/rset\nho\n")
    said = run(*command)
    assert [m["content"] for m in said.json["messages"][:2]] == ["be brief", "ho"]
    assert "/rset is no command" in said.err


def test_chat_beyond_the_context_is_a_mistake_in_a_pipe(
    run: Run, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, "x" * 200)
    said = run("chat", str(models / "chat"), "--json")
    assert said.code == 2 and "context" in said.json["error"]["problem"]


def interactive(run: Run, monkeypatch: pytest.MonkeyPatch, *lines: str | type[BaseException]) -> None:
    """Someone at a keyboard who types these lines, or presses Ctrl-C or Ctrl-D."""
    waiting = iter(lines)

    def ask(prompt: str) -> str:
        line = next(waiting, EOFError)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr("builtins.input", ask)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)


def test_a_mistake_does_not_end_a_talk(run: Run, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "")
    interactive(run, monkeypatch, "x" * 200, "hi")
    said = run("chat", str(models / "chat"), "--max-new-tokens", "4")
    assert said.code == 0 and "that turn was left out" in said.err and "error: " in said.err
    with load(models / "chat") as model:
        assert model.chat("hi", max_new_tokens=4) in said.out


def test_ctrl_c_cuts_a_reply_short_and_leaves_at_the_prompt(
    run: Run, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langwright.inference.texts.text import TextStream

    pieces = TextStream.__iter__

    def interrupted(self: TextStream) -> Iterator[object]:
        yield next(pieces(self))
        raise KeyboardInterrupt

    monkeypatch.setattr(TextStream, "__iter__", interrupted)
    typed(monkeypatch, "")
    interactive(run, monkeypatch, "hi", KeyboardInterrupt)
    said = run("chat", str(models / "chat"), "--temperature", "1", "--seed", "3")
    assert said.code == 0 and "(cut short)" in said.err


def test_inspecting_a_tokenizer(run: Run, models: Path) -> None:
    said = run("tokenizer", "inspect", str(models / "base"), "ab 从")
    assert said.code == 0 and said.out.startswith("[a] [b] [␣] ⟨e4⟩ ⟨bb⟩ ⟨8e⟩")
    found = run("tokenizer", "inspect", str(models / "base"), "ab 从", "--json").json
    assert found["inspection"]["tokens"] == 6 and found["report"]["vocab_size"] > 256
    assert run("tokenizer", "inspect", "nowhere", "x", "--json").json["error"]["fix"]


@pytest.fixture
def server(models: Path, request: pytest.FixtureRequest) -> tuple[subprocess.Popen[str], dict[str, object]]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-m",
        "langwright",
        "serve",
        str(models / "chat"),
        str(models / "base"),
        "--port",
        "0",
        "--json",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def end() -> None:
        process.kill()
        process.wait()

    request.addfinalizer(end)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    return process, json.loads(line)


@pytest.mark.spec("SV1", "`langwright serve` answers a prompt over HTTP, and a clean stop is no failure")
def test_serving_until_told_to_stop(server: tuple[subprocess.Popen[str], dict[str, object]], models: Path) -> None:
    process, said = server
    assert said["models"] == ["chat", "base"] and str(said["next"]).startswith("curl ")
    with httpx.Client(base_url=str(said["url"]), timeout=30) as client:
        assert [m["id"] for m in client.get("/v1/models").json()["data"]] == ["chat", "base"]
        body = {"model": "base", "prompt": "ab", "max_tokens": 5, "temperature": 0}
        text = client.post("/v1/completions", json=body).json()["choices"][0]["text"]
    with load(models / "base") as model:
        assert text == model.generate("ab", max_new_tokens=5)
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=20)
    assert process.returncode == 0 and rest == ""


def test_a_port_in_use_is_said_before_a_model_is_loaded(run: Run, models: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = run("serve", "nowhere-at-all", "--port", port, "--json")
        assert said.code == 2 and said.json["error"]["code"] == "port-of-is-in-use"
        assert (
            run("serve", "x", "--port", port, "--lang", "zh", "--json").json["error"]["problem"]
            != said.json["error"]["problem"]
        )


@pytest.mark.spec("TL1", "the doctor names what is there and what is missing, without a GPU")
@pytest.mark.spec("TL3", "the doctor measures the machine and says which sizes can be trained on it")
def test_the_doctor_looks_at_everything(run: Run) -> None:
    found = run("doctor", "--json").json
    names = [check["name"] for check in found["checks"]]
    assert {"Python", "torch", "C++ compiler", "cores", "memory", "disk", "GPU", "matrix products"} <= set(names)
    assert all(check["state"] in ("good", "note", "problem") for check in found["checks"])
    assert all(check["value"] for check in found["checks"])
    sizes = {size["preset"]: size for size in found["sizes"]}
    assert sizes["tiny"]["parameters"] < sizes["small"]["parameters"] < sizes["base"]["parameters"]
    assert sizes["tiny"]["tokens_per_second"] > sizes["base"]["tokens_per_second"] > 0
    assert sizes["tiny"]["memory_bytes"] > 16 * sizes["tiny"]["parameters"]
    said = run("doctor", "--lang", "zh")
    assert said.code == 0 and "这里能训练的模型" in said.out and said.last.startswith("下一步: langwright ")


def test_the_doctor_names_the_cure(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    from langwright.cli import doctor
    from langwright.training.devices import compile_available

    request.addfinalizer(compile_available.cache_clear)
    compile_available.cache_clear()
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert doctor.compiler().state == "note" and "apt install g++" in doctor.compiler().advice
    monkeypatch.setattr(doctor, "installed", lambda name: None)
    assert {check.state for check in doctor.libraries()} == {"good", "problem"}
    assert all(check.advice for check in doctor.extras())


# --- candidates and searches ---------------------------------------------------------------------


@pytest.mark.spec("G5", "several candidates on the command line, no two alike, each with its seed and its score")
def test_candidates(run: Run, models: Path) -> None:
    command = ["generate", str(models / "base"), "ab", "--max-new-tokens", "6", "--candidates", "3"]
    found = run(*command, "--temperature", "1", "--seed", "4", "--json").json["candidates"]
    assert [set(one) for one in found] == [{"text", "token_ids", "finish_reason", "mean_logprob", "seed"}] * 3
    assert len({one["text"] for one in found}) == 3
    said = run(*command, "--temperature", "1", "--seed", "4")
    assert all(f"[{number}]  {one['text']}" in said.out for number, one in enumerate(found, start=1))
    assert "nats a token" in said.err
    best = run(*command, "--temperature", "1", "--seed", "4", "--best-of", "7", "--json").json["candidates"]
    assert [one["mean_logprob"] for one in best] == sorted((one["mean_logprob"] for one in best), reverse=True)
    assert best[0]["mean_logprob"] >= max(one["mean_logprob"] for one in found)
    refused = run(*command, "--json")
    assert refused.code == 2
    assert refused.json["error"]["code"] == "temperature-0-always-writes-the-same-text-and"


@pytest.mark.spec("G3", "beams, length penalty, early stopping, groups and contrast on the command line and in Python")
def test_searches(run: Run, models: Path) -> None:
    command = ["generate", str(models / "base"), "ab", "--max-new-tokens", "6", "--json"]
    beams = run(*command, "--beams", "4", "--candidates", "2", "--length-penalty", "0.5").json["candidates"]
    with load(models / "base") as model:
        search = Beams(width=4, length_penalty=0.5)
        found = model.candidates("ab", Sampling(max_new_tokens=6), n=2, search=search)
        assert [made.text for made in found] == [one["text"] for one in beams]
        assert model.generate("ab", max_new_tokens=6, n=3, beams=4)[0] == model.generate(
            "ab", max_new_tokens=6, beams=4
        )
        with pytest.raises(UserError, match="a search draws none"):
            model.candidates("ab", search=search, best_of=3)
    grouped = run(*command, "--beams", "4", "--groups", "2", "--diversity", "1.0", "--early-stopping", "never").json
    assert len(grouped["candidates"]) == 1
    plain = run(*command).json
    (contrast,) = run(*command, "--contrast", "0").json["candidates"]
    assert contrast["token_ids"] == plain["token_ids"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--length-penalty", "2"], "means-nothing-without-beams"),
        (["--contrast", "0.5", "--beams", "3"], "contrast-and-are-two-searches"),
        (["--candidates", "none"], "is-no-number-of-texts"),
        (["--beams", "2", "--candidates", "3"], "different-texts-are-more-than-this-search-finds"),
        (["--beams", "3", "--temperature", "1"], "temperature-draws-tokens-and-a-search-looks-for"),
        (["--set", "min_p=0.1"], "says-among-which-tokens-to-draw-and-temperature"),
        (["--set", "mni_p=0.1"], "no-called"),
    ],
)
def test_searches_that_make_no_sense(run: Run, models: Path, options: list[str], code: str) -> None:
    refused = run("generate", str(models / "base"), "ab", "--json", *options)
    assert (refused.code, refused.json["error"]["code"]) == (2, code)


def test_any_setting_of_sampling(run: Run, models: Path) -> None:
    command = ["generate", str(models / "base"), "aaaa", "--max-new-tokens", "12", "--json"]
    found = run(*command, "--set", "no_repeat_ngram=1", "--set", "min_new_tokens=12").json
    assert len(set(found["token_ids"])) == 12


@pytest.mark.spec("C8", "guesses by lookup or by a smaller model are chosen on the command line and change no text")
def test_guesses(run: Run, models: Path) -> None:
    command = ["generate", str(models / "base"), "abababab", "--max-new-tokens", "30", "--json"]
    plain = run(*command).json
    for guess in ("lookup", str(models / "chat")):
        assert run(*command, "--guess", guess).json["token_ids"] == plain["token_ids"]
    refused = run(*command, "--guess", str(models / "nothing"))
    assert refused.code == 2
