"""`langwright chat` at the keyboard: commands in both languages, interruptions, long talks, and servers."""

from __future__ import annotations

import doctest
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.serving.conftest import serving  # noqa: F401 - a fixture
from tests.tasks.tiny import give_card, write_writer
from transformers import GPTJConfig, GPTJForCausalLM

from langwright.artifacts import Ability
from langwright.cli import talk
from langwright.inference.fake import parrot
from langwright.tasks.front.loading import load

Says = Callable[..., None]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "chat"
    return give_card(write_writer(folder), Ability(task="chat", solver="generation"))


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Says:
    """Someone at a keyboard who types these lines, or presses Ctrl-C."""

    def make(*lines: str | type[BaseException]) -> None:
        waiting = iter(lines)

        def ask(prompt: str) -> str:
            line = next(waiting, EOFError)
            if isinstance(line, str):
                return line
            raise line

        monkeypatch.setattr("builtins.input", ask)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    return make


def turns(path: Path) -> list[str]:
    return [turn["content"] for turn in json.loads(path.read_text(encoding="utf-8"))["messages"]]


@pytest.mark.spec(
    "G1", "a conversation is saved as a row of a chat dataset, taken back, answered anew and gone on with"
)
def test_undo_retry_save_and_load(run: Run, model: Path, says: Says) -> None:
    says("hi", "/save one.json", "and?", "/undo", "/save two.json", "/retry", "/save three.json", "/save one.json",
         "/load one.json", "again", "/保存 four.json")  # fmt: skip
    said = run("chat", str(model), "--max-new-tokens", "5")
    assert said.code == 0
    with load(model) as opened:
        first = opened.chat("hi", max_new_tokens=5)
        talk = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": first}]
        last = opened.chat([*talk, {"role": "user", "content": "again"}], max_new_tokens=5)
    assert turns(Path("one.json")) == turns(Path("two.json")) == turns(Path("three.json")) == ["hi", first]
    assert turns(Path("four.json")) == ["hi", first, "again", last]
    assert "at temperature 0 the answer is always the same" in said.err and "one.json already exists" in said.err


def test_retry_draws_afresh_and_a_saved_talk_is_training_data(run: Run, model: Path, says: Says) -> None:
    says("hi", "/save one.json", "/retry", "/save two.json", "/reset", "/undo", "/retry")
    said = run("chat", str(model), "--max-new-tokens", "12", "--temperature", "1", "--seed", "3")
    assert turns(Path("one.json"))[0] == turns(Path("two.json"))[0] == "hi"
    assert turns(Path("one.json"))[1] != turns(Path("two.json"))[1]
    assert "nothing to take back" in said.err and "nothing to answer again" in said.err
    Path("talks.jsonl").write_text(Path("one.json").read_text(encoding="utf-8") * 2, encoding="utf-8")
    assert run("data", "read", "talks.jsonl", "talks", "--schema", "chat", "--json").code == 0


def test_the_system_and_the_temperature_are_shown_and_set(run: Run, model: Path, says: Says) -> None:
    says(
        "/system",
        "hi",
        "/system 简短",
        "/温度",
        "／temperature 0.5",
        "/temperature hot",
        "/temperature",
        "ho",
        "/save a.json",
        "/system",
    )
    said = run("chat", str(model), "--max-new-tokens", "3")
    assert turns(Path("a.json"))[:2] == ["简短", "ho"]
    assert "(nothing is told)" in said.err and said.err.rstrip().splitlines().count("简短") == 1
    found = [line for line in said.err.splitlines() if line.startswith("temperature = ")]
    assert found == ["temperature = 0", "temperature = 0.5", "temperature = 0.5"]
    assert "hot" in said.err


@pytest.mark.spec("T30", "in a talk the tokens of the last reply are shown with how likely each was, on demand")
def test_tokens_on_demand(run: Run, model: Path, says: Says) -> None:
    says("/tokens", "hi", "/tokens")
    said = run("chat", str(model), "--max-new-tokens", "4")
    assert "no tokens to show" in said.err
    with load(model) as opened:
        whole = opened.complete([{"role": "user", "content": "hi"}], talk.Sampling(max_new_tokens=4), top_logprobs=3)
    rows = [line for line in said.out.splitlines() if line.startswith("[") and "%" in line]
    assert len(rows) == len(whole.tokens)
    for row, token in zip(rows, whole.tokens, strict=True):
        assert talk.percent(token.logprob) in row and row.count("%") == 1 + sum(id != token.id for id, _ in token.top)


@pytest.mark.spec("G6", "a talk begins with what a template makes of its fields")
def test_a_talk_that_begins_with_a_template(run: Run, model: Path, says: Says) -> None:
    Path("greet.1.toml").write_text(
        'version = 1\nabout = { en = "Greet", zh = "问候" }\nchat = true\ntext = { en = "Hi {whom}", zh = "{whom}好" }\n'
        '[fields.whom]\nabout = { en = "Who", zh = "谁" }\n',
        encoding="utf-8",
    )
    assert run("templates", "add", "greet.1.toml").code == 0
    says("and?", "/save one.json")
    said = run("chat", str(model), "--max-new-tokens", "3", "--template", "greet", "--field", "whom=Bo")
    assert said.code == 0
    spoken = turns(Path("one.json"))
    assert spoken[0] == "Hi Bo" and spoken[2] == "and?"
    said = run("chat", str(model), "--field", "text=x")
    assert said.code == 2 and "a template exclude" in said.err


@pytest.mark.spec(
    "C8", "a talk, a server and the doctor say how requests run, why not better, and how many guesses were kept"
)
def test_how_replies_are_computed_is_told(run: Run, model: Path, says: Says, tmp_path: Path) -> None:
    says("/engine", "abababab", "/引擎")
    said = run("chat", str(model), "--max-new-tokens", "20", "--guess", "lookup")
    assert said.err.count("run packed, all in one pass") == 2
    assert "tokens were guessed" in said.err
    checks = {check["name"]: check for check in run("doctor", str(model), "--json").json["checks"]}
    assert checks["requests"]["state"] == "good" and "run packed" in checks["requests"]["value"]
    apart = tmp_path / "apart"
    write_writer(apart)
    sizes = {"vocab_size": 300, "n_embd": 16, "n_layer": 1, "n_head": 2, "rotary_dim": 4, "n_positions": 64}
    GPTJForCausalLM(GPTJConfig(**sizes)).save_pretrained(apart)
    said = run("doctor", str(apart), "--lang", "zh", "--json")
    found = next(check for check in said.json["checks"] if "填充" in check["value"])
    assert found["state"] == "note"


@pytest.mark.parametrize("command", [["generate", "m", "a"], ["chat", "m"], ["serve", "m", "--port", "0"]])
def test_who_computes_is_chosen_by_name(run: Run, model: Path, says: Says, command: list[str]) -> None:
    says()
    command = [str(model) if word == "m" else word for word in command]
    said = run(*command, "--backend", "vlm")
    assert said.code == 2 and "did you mean 'vllm'?" in said.err
    said = run(*command, "--backend", "vllm", "--precision", "int8")
    assert said.code == 2 and "not for vLLM" in said.err


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_help_names_every_command_in_both_languages(run: Run, model: Path, says: Says, lang: str) -> None:
    says("/help", "/帮忙", "/退出", "not read")
    said = run("chat", str(model), "--lang", lang)
    assert all(f"/{name}" in said.out for order in talk.LIST for name in order.names)
    assert ("撤回你的上一条消息" in said.out) == (lang == "zh") and "/帮忙" in said.err
    assert "not read" not in said.out


def test_bad_files_are_said_and_the_talk_goes_on(run: Run, model: Path, says: Says) -> None:
    Path("bad.json").write_text('{"messages": [{"role": "cook", "content": "x"}]}', encoding="utf-8")
    Path("worse.json").write_text("nothing", encoding="utf-8")
    says(
        "/load",
        "/load absent.json",
        "/load bad.json",
        "/load worse.json",
        "/save no/such/folder/x.json",
        "hi",
        "/save a.json",
    )
    said = run("chat", str(model), "--max-new-tokens", "3")
    assert said.code == 0 and len(turns(Path("a.json"))) == 2
    for part in (
        "a file is missing",
        "absent.json cannot be read",
        "bad.json holds no",
        "worse.json holds no",
        "cannot be written",
    ):
        assert part in said.err


def test_ctrl_c_stops_the_answer_and_not_the_programme(
    run: Run, model: Path, says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langwright.inference.texts.text import TextStream

    pieces = TextStream.__iter__
    cuts = iter([True, False])

    def interrupted(self: TextStream) -> Iterator[object]:
        cut = next(cuts)
        for number, piece in enumerate(pieces(self)):
            if cut and number == 2:
                raise KeyboardInterrupt
            yield piece

    monkeypatch.setattr(TextStream, "__iter__", interrupted)
    says("hi", KeyboardInterrupt, "ho", "/save a.json", KeyboardInterrupt, KeyboardInterrupt, "never read")
    said = run("chat", str(model), "--temperature", "1", "--seed", "3", "--max-new-tokens", "20")
    assert said.code == 0 and "(cut short)" in said.err and said.err.count("Ctrl-C again") == 2
    found = turns(Path("a.json"))
    assert len(found) == 4 and 0 < len(found[1].encode()) < len(found[3].encode())


def test_a_talk_longer_than_the_context_slides_when_asked_to(run: Run, model: Path, says: Says) -> None:
    lines = ["x" * 20, "y" * 20, "z" * 20, "/save a.json"]
    says(*lines)
    refused = run("chat", str(model), "--max-new-tokens", "8")
    assert "more than the model's context of 96" in refused.err and len(turns(Path("a.json"))) < 6
    Path("a.json").unlink()
    says(*lines)
    said = run("chat", str(model), "--max-new-tokens", "8", "--slide")
    assert "context" not in said.err and len(turns(Path("a.json"))) == 6


def test_a_line_that_ends_in_a_backslash_goes_on(run: Run, model: Path, says: Says) -> None:
    says("one\\", "二", "/save a.json")
    run("chat", str(model), "--max-new-tokens", "2")
    assert turns(Path("a.json"))[0] == "one\n二"
    assert doctest.testmod(talk).failed == 0


@pytest.mark.spec("T32", "a conversation with a model behind a URL, from the command line")
def test_talking_to_a_server(run: Run, says: Says, serving: Callable[..., object]) -> None:  # noqa: F811
    url = serving(parrot(reply=lambda text: text[::-1])).url  # type: ignore[attr-defined]
    says("你好", "/tokens", "/save a.json", "/quit")
    said = run("chat", url)
    assert said.code == 0 and turns(Path("a.json")) == ["你好", "好你"]
    assert "a server that tells none" in said.err and "next:" not in said.out
    found = run("generate", url, "abc", "--max-new-tokens", "3", "--json").json
    assert found["text"] == "cba"
    assert run("chat", "http://127.0.0.1:9", "--json").json["error"]["code"] == "is-not-reached"
    assert run("serve", url, "--port", "0", "--json").json["error"]["code"] == "cannot-its-server-does-not-offer-that"


def test_editing_counts_characters_whatever_the_locale_was() -> None:
    import locale

    before = locale.setlocale(locale.LC_CTYPE)
    try:
        talk.edit_lines()
        assert "UTF" in locale.nl_langinfo(locale.CODESET).upper()
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with two adapters of its own."""
    from tests.inference.running.test_lora import saved

    from langwright.models.adapter_settings import Lora
    from langwright.models.loading import load_model

    folder = write_writer(tmp_path_factory.mktemp("adapted") / "model")
    for seed, name in enumerate(("one", "two")):
        saved(load_model(folder), folder, name, Lora(rank=2), seed)
    return give_card(folder, Ability(task="chat", solver="generation"))


@pytest.mark.spec("T32", "an adapter of a model is named on the command line, changed in a talk, and asked of a server")
def test_adapters_are_named(run: Run, adapted: Path, says: Says) -> None:
    words = ["--max-new-tokens", "6"]
    with load(adapted, adapter="one") as one, load(adapted, adapter="two") as two, load(adapted) as plain:
        written = [model.generate("ab", max_new_tokens=6) for model in (plain, one, two)]
        said = [model.chat("hi", max_new_tokens=6) for model in (plain, one, two)]
    assert len(set(written)) == 3
    for name, text in zip((None, "one", "two"), written, strict=True):
        option = ["--adapter", name] if name else []
        assert run("generate", str(adapted), "ab", *words, *option, "--json").json["text"] == text
    assert run("predict", str(adapted), "chat", "hi", "--adapter", "two", "--json").json["text"].startswith(said[2])
    says("/adapter", "hi", "/save a.json", "/reset", "/adapter one", "hi", "/save b.json", "/适配器 thre")
    heard = run("chat", str(adapted), *words)
    assert "one, two" in heard.err and "no adapter called 'thre'" in heard.err
    assert (turns(Path("a.json"))[1], turns(Path("b.json"))[1]) == (said[0], said[1])


def test_adapters_are_served_by_their_names(
    adapted: Path,
    serving: Callable[..., object],  # noqa: F811
) -> None:
    import httpx

    from langwright.cli.sampling import read_ways
    from langwright.cli.screen import Screen
    from langwright.cli.serve import open_all

    screen = Screen(as_json=True, out=io.StringIO(), err=io.StringIO())
    models = open_all(
        screen,
        [str(adapted)],
        4,
        read_ways(None, False, None, None),
        None,
        ["one", f"else={adapted / 'adapters' / 'two'}"],
    )
    assert list(models) == ["model", "model:one", "model:else"]
    url = serving(*models.values()).url  # type: ignore[attr-defined]
    with load(adapted, adapter="one") as one, load(adapted, adapter="two") as two, load(adapted) as plain:
        for name, model in (("model", plain), ("model:one", one), ("model:else", two)):
            body = {"model": name, "prompt": "ab", "max_tokens": 6, "temperature": 0}
            said = httpx.post(f"{url}/v1/completions", json=body, timeout=30).json()
            assert said["choices"][0]["text"] == model.generate("ab", max_new_tokens=6)
    missing = httpx.post(f"{url}/v1/completions", json={**body, "model": "model:thre"}, timeout=30)
    assert missing.status_code == 404
    models["model"].close()
