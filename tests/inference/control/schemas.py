"""JSON schemas: made by hand after what people send to model servers, and generated."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAME = {"type": "string", "maxLength": 12}
HAND_MADE: list[Any] = [
    {"type": "object", "properties": {"name": NAME, "age": {"type": "integer", "minimum": 0, "maximum": 150}}, "required": ["name", "age"], "additionalProperties": False},
    {"type": "object", "properties": {"姓名": {"enum": ["张三", "李四"]}, "城市": {"const": "北京"}}, "required": ["姓名", "城市"], "additionalProperties": False},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 4},
    {"enum": ["positive", "negative", "中性", None, 3]},
    {"type": "object", "properties": {"label": {"enum": ["体育", "财经"]}, "score": {"type": "number", "minimum": 0, "maximum": 1}}, "required": ["label"], "additionalProperties": False},
    {"type": "string", "pattern": "^[A-Z]{2}[0-9]{4}$"},
    {"type": "string", "format": "date"},
    {"type": "integer", "minimum": -5, "maximum": 5},
    {"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 3}]},
    {"type": "array", "prefixItems": [{"type": "integer", "maximum": 99, "minimum": 0}, {"type": "boolean"}], "items": False, "minItems": 2},
    {"type": "object", "properties": {"point": {"type": "object", "properties": {"x": {"type": "integer", "minimum": 0, "maximum": 9}, "y": {"type": "integer", "minimum": 0, "maximum": 9}}, "required": ["x", "y"], "additionalProperties": False}}, "required": ["point"], "additionalProperties": False},
    {"$defs": {"node": {"type": "object", "properties": {"value": {"type": "boolean"}, "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]}}, "required": ["value", "next"], "additionalProperties": False}}, "$ref": "#/$defs/node"},
    {"type": "string", "minLength": 2, "maxLength": 6},
    {"type": "number", "multipleOf": 5, "minimum": 0, "maximum": 100},
    {"type": "object", "additionalProperties": {"type": "boolean"}},
    {"type": "object", "patternProperties": {"^n[0-9]$": {"type": "null"}}, "additionalProperties": False},
    {"allOf": [{"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}, {"type": "object", "properties": {"b": {"type": "null"}}, "required": ["b"]}], "type": "object"},
    {"type": ["string", "null"], "maxLength": 2},
    {"type": "string", "format": "uuid"},
    {"type": "string", "format": "ipv4"},
    True,
    {},
    {"type": "object"},
    {"type": "array", "items": {"type": "object", "properties": {"角色": {"enum": ["用户", "助手"]}, "内容": {"type": "string", "maxLength": 5}}, "required": ["角色", "内容"], "additionalProperties": False}, "maxItems": 2},
    {"oneOf": [{"const": 1}, {"const": "一"}]},
]  # fmt: skip


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects of named values, some of them required."""
    names = st.lists(
        st.sampled_from(["a", "b", "名", "value", "x y", 'q"', "值 "]), min_size=1, max_size=3, unique=True
    )

    def made(parts: tuple[list[str], list[Any], list[bool]]) -> Any:
        keys, values, wanted = parts
        properties = dict(zip(keys, values, strict=False))
        required = [key for key, want in zip(properties, wanted, strict=False) if want]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    return st.tuples(names, st.lists(inner, min_size=3, max_size=3), st.lists(st.booleans(), min_size=3, max_size=3)).map(made)  # fmt: skip


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists of bounded length."""
    sizes = st.tuples(st.integers(0, 2), st.integers(0, 2))
    return st.tuples(inner, sizes).map(
        lambda both: {"type": "array", "items": both[0], "minItems": both[1][0], "maxItems": sum(both[1])}
    )


scalars = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.tuples(st.integers(-1000, 1000), st.integers(0, 1000)).map(lambda n: {"type": "integer", "minimum": n[0], "maximum": n[0] + n[1]}),
    st.tuples(st.integers(0, 3), st.integers(0, 8)).map(lambda n: {"type": "string", "minLength": n[0], "maxLength": sum(n)}),
    st.lists(st.one_of(st.text(st.sampled_from("ab中文 é\"\\\n"), max_size=4), st.integers(-9, 9), st.booleans(), st.none()), min_size=1, max_size=4).map(lambda values: {"enum": values}),
    st.sampled_from(["^[a-c]{1,3}$", "^是|否$", "^\\d{2}:\\d{2}$"]).map(lambda pattern: {"type": "string", "pattern": pattern, "maxLength": 8}),
    st.integers(-80, 80).map(lambda low: {"type": "number", "minimum": low / 8}),
)  # fmt: skip
schemas = st.recursive(scalars, lambda inner: st.one_of(objects(inner), arrays(inner), st.lists(inner, min_size=1, max_size=3).map(lambda some: {"anyOf": some})), max_leaves=5)  # fmt: skip
