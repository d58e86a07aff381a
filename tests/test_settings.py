"""Settings from recipes and `--set`: what is read, what is refused and how, and what is written."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, field_validator
from pydantic_core import PydanticUndefined

from langwright.errors import UserError
from langwright.settings import (
    Settings,
    differences,
    entries,
    flat,
    parse_toml,
    parse_value,
    plain,
    read_settings,
    recipe,
    to_toml,
    toml_value,
    validate,
)
from langwright.wording import use_language


class Small(Settings):
    kind: Literal["small"] = "small"
    width: Annotated[int, Field(ge=1, le=64, description="Seed of everything that is drawn")] = 8


class Large(Settings):
    kind: Literal["large"] = "large"
    width: Annotated[int, Field(ge=100, description="Seed of everything that is drawn")] = 500
    depth: Annotated[int, Field(description="The optimizer")] = 3


class Near(Settings):
    kind: Literal["near"] = "near"
    size: Annotated[Small | Large, Field(discriminator="kind", description="The optimizer")] = Small()


class Far(Settings):
    kind: Literal["far"] = "far"
    size: Annotated[Small | Large, Field(discriminator="kind", description="The optimizer")] = Large()
    miles: Annotated[float, Field(gt=0, lt=1000, description="Seed of everything that is drawn")] = 7.5


class Here(Settings):
    kind: Literal["here"] = "here"


class Group(Settings):
    rank: Annotated[int, Field(description="The optimizer")] = 16
    names: Annotated[str | tuple[str, ...], Field(description="The optimizer")] = "all"


class Trip(Settings):
    """One of everything that stages use."""

    seed: Annotated[int, Field(ge=0, description="Seed of everything that is drawn")] = 42
    rate: Annotated[float | None, Field(gt=0, description="The optimizer")] = None
    title: Annotated[str, Field(description="The optimizer")] = "a trip"
    quick: Annotated[bool, Field(description="The optimizer")] = False
    mode: Annotated[Literal["auto", "on", "off"], Field(description="The optimizer")] = "auto"
    tags: Annotated[tuple[str, ...], Field(description="The optimizer")] = ()
    labels: Annotated[dict[str, str], Field(description="The optimizer")] = Field(default_factory=dict)
    place: Annotated[Near | Far | Here, Field(discriminator="kind", description="The optimizer")] = Near()
    group: Annotated[Group, Field(description="The optimizer")] = Group()

    @field_validator("title")
    @classmethod
    def no_rude_title(cls, title: str) -> str:
        if title == "rude":
            raise UserError("{out} already exists", fix="name another output, or remove that one first", out=title)
        return title


class Needy(Settings):
    must: Annotated[int, Field(description="The optimizer")]
    which: Annotated[Small | Large, Field(discriminator="kind", description="The optimizer")]


def refusal(*sets: str, model: type[Settings] = Trip, recipe: str | None = None) -> UserError:
    with pytest.raises(UserError) as caught:
        read_settings(model, sets=sets, recipe=recipe)
    return caught.value


# --- reading -------------------------------------------------------------------------------------


def test_later_sources_win() -> None:
    toml = 'seed = 1\nmode = "on"\ntags = ["a"]\ngroup.rank = 2'
    settings = read_settings(Trip, recipe=toml, given={"seed": 2, "mode": "off", "rate": None}, sets=["seed=3"])
    assert (settings.seed, settings.mode, settings.tags, settings.group.rank, settings.rate) == (
        3,
        "off",
        ("a",),
        2,
        None,
    )


def test_nothing_given_is_the_defaults() -> None:
    assert read_settings(Trip) == read_settings(Trip, recipe="") == Trip()


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("seed=7", "seed", 7),
        (" seed = 7 ", "seed", 7),
        ("rate=1e-3", "rate", 0.001),
        ("rate=1", "rate", 1.0),  # a whole number is a number
        ("quick=true", "quick", True),
        ("mode=on", "mode", "on"),  # no quotes needed
        ('mode="on"', "mode", "on"),
        ("title=two words = one", "title", "two words = one"),
        ("title=", "title", ""),
        ("title=中文", "title", "中文"),
        ("title=2024-05-01", "title", "2024-05-01"),  # a date in TOML, a text to us
        ("title=a\nseed=1", "title", "a\nseed=1"),
        ('tags=["a", "b"]', "tags", ("a", "b")),
        ("tags=[]", "tags", ()),
        ("tags=[2024-05-01]", "tags", ("2024-05-01",)),
        ("labels.1=好评", "labels", {"1": "好评"}),
        ("labels.near=x", "labels", {"near": "x"}),  # also the name of a kind
        ("labels={'a b'='x', c='y'}", "labels", {"a b": "x", "c": "y"}),
        ("group.rank=4", "group", Group(rank=4)),
        ("group={rank=4}", "group", Group(rank=4)),
        ("group.names=['q', 'v']", "group", Group(names=("q", "v"))),
        ("group.names=q", "group", Group(names="q")),
        ("place.kind=far", "place", Far()),
        ("place.size.width=9", "place", Near(size=Small(width=9))),  # the default's kind at both levels
        ("place.size.kind=large", "place", Near(size=Large())),
        ("place={kind='far', size={width=101}}", "place", Far(size=Large(width=101))),  # and within another kind
    ],
)
def test_set_takes_toml_and_plain_words(text: str, key: str, value: object) -> None:
    settings = read_settings(Trip, sets=[text])
    assert getattr(settings, key) == value
    assert settings.model_copy(update={key: getattr(Trip(), key)}) == Trip()


def test_several_sets_meet_in_one_table() -> None:
    settings = read_settings(
        Trip, sets=["place.miles=3", "place.kind=far", "place.size.kind=small", "place.size.width=5"]
    )
    assert settings.place == Far(miles=3, size=Small(width=5))


def test_what_was_given_is_not_changed() -> None:
    table: dict[str, Any] = {"place": {"size": {"width": 3}}}
    validate(Trip, table)
    assert table == {"place": {"size": {"width": 3}}}


def test_settings_cannot_be_changed_or_hold_what_is_not_finite() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Trip().seed = 3  # type: ignore[misc]
    for text in ("rate=nan", "rate=inf"):
        assert "is not allowed" in refusal(text).problem()


# --- refusing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem", "fix"),
    [
        ("sede=1", "no setting called 'sede'", "did you mean 'seed'?"),
        ("group.rnak=1", "no setting called 'group.rnak'", "did you mean 'group.rank'?"),
        ("place.siez.width=1", "no setting called 'place.siez'", "did you mean 'place.size'?"),
        ("gruop={rank=1}", "no setting called 'gruop'", "did you mean 'group'? choose one of: group, labels, place, place.size"),
        ("qqqq=1", "no setting called 'qqqq'", "choose one of: group.names, group.rank, labels, mode, place.kind,"),
        ("seed=-1", "setting seed = -1 is not allowed", "give a whole number, at least 0"),
        ("seed=1.5", "setting seed = 1.5 is not allowed", "give a whole number, at least 0"),
        ("seed=true", "setting seed = True is not allowed", "give a whole number, at least 0"),
        ("seed='7'", "setting seed = '7' is not allowed", "give a whole number, at least 0"),
        ("seed=1979-05-27", "setting seed = '1979-05-27' is not allowed", "give a whole number, at least 0"),
        ("seed.more=1", "setting seed = {'more': 1} is not allowed", "give a whole number, at least 0"),
        ("rate=0", "setting rate = 0 is not allowed", "give a number or nothing (leave it out), more than 0"),
        ("title=7", "setting title = 7 is not allowed", "give a text in quotes"),
        ("quick=1", "setting quick = 1 is not allowed", "give true or false"),
        ("mode=no", "setting mode = 'no' is not allowed", "give one of: auto, on, off"),
        ("tags=x", "setting tags = 'x' is not allowed", "give a list, each: a text in quotes"),
        ("tags=['x', 1]", "setting tags.1 = 1 is not allowed", "give a list, each: a text in quotes"),
        ("labels.near=1", "setting labels.near = 1 is not allowed", "give a table, each: a text in quotes"),
        ("group.names=1", "setting group.names = 1 is not allowed", "give a text in quotes or a list, each: a text in quotes"),
        ("group=5", "setting group = 5 is not allowed", "it is a group; set what is in it: group.rank, group.names"),
        ("place=fra", "setting place.kind = 'fra' is not allowed", "give one of: near, far, here"),
        ("place.kind=fra", "setting place.kind = 'fra' is not allowed", "give one of: near, far, here"),
        ("place=7", "setting place = 7 is not allowed", "it is a group; set what is in it: place.kind, place.size.kind,"),
        ("place.kind=3", "setting place.kind = 3 is not allowed", "give one of: near, far, here"),
        ("place={kind='far', miles=0}", "setting place.miles = 0 is not allowed", "give a number, more than 0, less than 1000"),
        ("place.size.width=99", "setting place.size.width = 99 is not allowed", "give a whole number, at least 1, at most 64"),
        ("place.miles=3", "there is no place.miles where place.kind is near", "leave it out, or set place.kind to one of: far"),
        ("place.size.depth=3", "there is no place.size.depth where place.size.kind is small", "leave it out, or set place.size.kind to one of: large"),
        ("place={kind='here', size={width=3}}", "there is no place.size where place.kind is here", "leave it out, or set place.kind to one of: near, far"),
        ("title=\udcff", "a setting holds text that is not valid UTF-8", "write it in UTF-8"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_what_would_be_right(text: str, problem: str, fix: str) -> None:
    error = refusal(text)
    assert error.problem() == problem
    assert error.fix().startswith(fix)
    assert error.problem("zh") != problem and error.fix("zh") != error.fix()


class Listed(Settings):
    """A list whose items are choices."""

    places: Annotated[
        tuple[Annotated[Near | Far, Field(discriminator="kind")], ...], Field(description="The optimizer")
    ] = ()


@pytest.mark.parametrize(
    ("text", "problem", "fix"),
    [
        ("places=3", "setting places = 3 is not allowed", "give a list of tables, each with a kind: near, far"),
        ("places=[{kind='fra'}]", "setting places[0].kind = 'fra' is not allowed", "give a list of tables"),
        ("places=[{kind='near'}, {miles=3}]", "setting 'places[1].kind' is missing", "give it in that item of the list"),
        ("places=[{kind='far', milse=3}]", "no setting called 'places[0].milse'", "did you mean 'places[].miles'?"),
        ("places=[{kind='far', miles=0}]", "setting places[0].miles = 0 is not allowed", "give a number, more than 0"),
        ("places=[{kind='near', miles=3}]", "there is no places[0].miles where places[0].kind is near", "leave it out"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_an_item_of_a_list_is_named(text: str, problem: str, fix: str) -> None:
    error = refusal(text, model=Listed)
    assert error.problem() == problem
    assert error.fix().startswith(fix)
    assert error.problem("zh") != problem and error.fix("zh") != error.fix()


def test_the_range_is_that_of_the_kind_chosen() -> None:
    fix = refusal("place.kind=far", "place.size.width=50").fix()
    assert fix == "give a whole number, at least 100"


@pytest.mark.parametrize("text", ["seed", "", "--steps"])
def test_a_set_without_equals_is_refused(text: str) -> None:
    error = refusal(text)
    assert error.problem() == f"--set {text} has no '='"
    assert error.problem("zh") == f"--set {text} 缺少“=”"


def test_a_plain_value_cannot_be_gone_through() -> None:
    error = refusal("mode=on", "mode.speed=3")
    assert error.problem() == "setting 'mode.speed' goes through 'mode', which is a plain value"
    assert error.fix("zh") == "请直接设置 mode，或将其去掉"


def test_what_must_be_given_is_missed() -> None:
    assert refusal(model=Needy).problem() == "setting 'must' is missing"
    assert refusal("must=1", model=Needy).problem() == "setting 'which' is missing"
    assert refusal("must=1", "which.width=3", model=Needy).problem() == "setting 'which.kind' is missing"
    assert (
        refusal("must=1", "which.width=3", model=Needy).fix() == "add it with --set which.kind=VALUE or in the recipe"
    )
    assert read_settings(Needy, sets=["must=1", "which.kind=small"]).which == Small()


def test_a_validators_own_mistake_comes_through() -> None:
    assert refusal("title=rude").problem() == "rude already exists"


@pytest.mark.parametrize("toml", ["seed =", "seed = 1\nseed = 2", "[seed", "= 3", "a = 'x\ny'"])
def test_bad_toml_is_refused_with_its_place(toml: str) -> None:
    error = refusal(recipe=toml)
    assert error.code == "the-recipe-is-not-valid-toml"
    assert "(at " in error.problem()
    assert error.problem("zh").startswith("配方不是有效的 TOML：")


def test_chinese_is_chinese_throughout() -> None:
    """A refusal can be shown in another language than the one in force when it was raised."""
    error = refusal("rate=0")
    use_language("zh")
    assert str(error) == "设置项 rate 不能取值 0\n  解决办法: 应为：数值或留空，大于 0"
    assert refusal("group=5").fix() == "它是一组设置；请设置其中的各项：group.rank, group.names"
    assert refusal("place.miles=3").problem() == "place.kind 为 near 时没有 place.miles 这一项"
    assert refusal("mode=no").fix() == "应为：以下之一：auto, on, off"
    assert refusal("group.names=1").fix() == "应为：带引号的文本或列表，每项为带引号的文本"
    assert str(refusal("sede=1")).startswith("没有名为 'sede' 的设置项\n  解决办法: 您是不是想写 'seed'？")


# --- looking -------------------------------------------------------------------------------------


def test_entries_are_every_setting_with_its_default_and_its_choices() -> None:
    found = [(entry.key, entry.default, entry.choices) for entry in entries(Trip)]
    near, far = ("place", "near"), ("place", "far")
    small, large = ("place.size", "small"), ("place.size", "large")
    assert found[5:] == [
        ("tags", (), ()),
        ("labels", {}, ()),
        ("place.kind", "near", ()),
        ("place.size.kind", "small", (near,)),
        ("place.size.width", 8, (near, small)),
        ("place.size.width", 500, (near, large)),
        ("place.size.depth", 3, (near, large)),
        ("place.size.kind", "large", (far,)),
        ("place.size.width", 8, (far, small)),
        ("place.size.width", 500, (far, large)),
        ("place.size.depth", 3, (far, large)),
        ("place.miles", 7.5, (far,)),
        ("group.rank", 16, ()),
        ("group.names", "all", ()),
    ]
    assert [entry.default for entry in entries(Needy)][:2] == [PydanticUndefined, PydanticUndefined]
    assert {entry.choice for entry in entries(Trip)} == {None, "near", "far", "small", "large"}


def test_every_stages_settings_are_described_in_both_languages() -> None:
    """No name of Python's is shown where a person reads what a value may be."""
    from langwright.stages import STAGES

    for stage in STAGES.values():
        for entry in entries(stage.settings):
            english, chinese = entry.allowed("en"), entry.allowed("zh")
            assert not any(word in english for word in ("typing", "<class", "Union", "|", "[", "None")), (
                entry.key,
                english,
            )
            assert english != chinese, entry.key


# --- writing -------------------------------------------------------------------------------------

TOML_WORDS = ("true", "false", "inf", "nan")
texts = st.text(max_size=12)
sizes = st.one_of(
    st.builds(Small, width=st.integers(1, 64)), st.builds(Large, width=st.integers(100), depth=st.integers())
)
trips = st.builds(
    Trip,
    seed=st.integers(min_value=0),
    rate=st.none() | st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    title=texts.filter(lambda text: text != "rude"),
    quick=st.booleans(),
    mode=st.sampled_from(["auto", "on", "off"]),
    tags=st.lists(texts, max_size=3).map(tuple),
    labels=st.dictionaries(texts, texts, max_size=3),
    place=st.one_of(
        st.builds(Near, size=sizes),
        st.builds(Far, size=sizes, miles=st.floats(0, 1000, exclude_min=True, exclude_max=True)),
    ),
    group=st.builds(Group, rank=st.integers(), names=st.one_of(texts, st.lists(texts, max_size=2).map(tuple))),
)


@given(trips)
def test_settings_survive_toml(trip: Trip) -> None:
    assert read_settings(Trip, recipe=to_toml(trip)) == trip


@given(
    st.recursive(
        st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=6,
    )
)
def test_any_value_survives_toml(value: Any) -> None:
    read = parse_value(toml_value(value))
    assert read == value
    assert type(read) is type(value)


@given(st.from_regex(r"[A-Za-z_/][A-Za-z0-9_./ -]*", fullmatch=True).filter(lambda t: t.strip() not in TOML_WORDS))
def test_a_word_that_is_no_toml_is_itself(text: str) -> None:
    assert parse_value(text) == text


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_recipe_is_the_defaults_and_names_every_setting(lang: Literal["en", "zh"]) -> None:
    text = recipe(Trip, lang)
    assert validate(Trip, parse_toml(text)) == Trip()
    for entry in entries(Trip):
        assert f"\n{entry.key} =" in "\n" + text.replace("# ", ""), entry.key


def test_a_recipe_says_what_each_setting_is_for() -> None:
    text = recipe(Trip, "en")
    assert "# Seed of everything that is drawn (a whole number, at least 0)\nseed = 42\n" in text
    assert "# The optimizer (a number or nothing (leave it out), more than 0)\n# rate =\n" in text
    assert (
        '# Seed of everything that is drawn (a number, more than 0, less than 1000), where place.kind = "far"\n'
        "# place.miles = 7.5\n"
    ) in text
    chinese = recipe(Trip, "zh")
    assert "# 一切随机抽取所用的种子（整数，不小于 0）\nseed = 42\n" in chinese
    assert '（数值，大于 0，小于 1000），用于 place.kind = "far"\n# place.miles = 7.5\n' in chinese


def test_another_kind_is_chosen_by_uncommenting_its_lines() -> None:
    lines = recipe(Trip, "en").splitlines()
    wanted = []
    for about, line in itertools.pairwise(lines):
        if line.startswith(("place", "# place")):
            if "where" in about and 'place.kind = "far"' in about and "small" not in about:
                wanted.append(line.removeprefix("# "))
            continue
        wanted.append(line)
    settings = validate(Trip, parse_toml("\n".join(['place.kind = "far"', *wanted])))
    assert settings == Trip(place=Far())


def test_what_must_be_given_is_a_comment_in_the_recipe() -> None:
    assert "# must =\n" in recipe(Needy, "en")


# --- comparing -----------------------------------------------------------------------------------


def test_differences_name_each_key_with_both_values() -> None:
    before, after = Trip(), Trip(seed=7, place=Far(miles=2), labels={"a": "b"})
    changes = differences(before.model_dump(mode="json"), after.model_dump(mode="json"))
    assert [str(change) for change in changes] == [
        "seed: 42 -> 7",
        "labels: {} -> None",
        "place.kind: 'near' -> 'far'",
        "place.size.kind: 'small' -> 'large'",
        "place.size.width: 8 -> 500",
        "labels.a: None -> 'b'",
        "place.size.depth: None -> 3",
        "place.miles: None -> 2.0",
    ]


@given(trips)
def test_nothing_differs_from_itself(trip: Trip) -> None:
    table = trip.model_dump(mode="json")
    assert differences(table, table) == []
    assert {key.partition(".")[0] for key in flat(table)} == set(Trip.model_fields)


def test_plain_values_are_what_toml_can_hold() -> None:
    assert plain(Small()) == {"kind": "small", "width": 8}
    assert plain(3) == 3


def test_the_name_of_a_choice_stands_for_it() -> None:
    assert read_settings(Trip, sets=["place=far"]).place == Far()
    assert read_settings(Trip, recipe='place = "here"').place == Here()
