import { expect, test, vi } from "vitest";
import { faultOf } from "../../src/api/fault";
import { joined } from "../../src/parts/Chart";
import { sends } from "../../src/parts/entering";
import { parse, to } from "../../src/route";
import { nameFor } from "../../src/screens/data/Upload";
import { nextOf, placed } from "../../src/screens/home/steps";
import { drawn } from "../../src/screens/models/lineage";
import { flat } from "../../src/screens/train/Compare";
import { asked, counts, fieldOf, nested, parsed } from "../../src/screens/train/fields";
import { speech } from "../../src/words";

vi.mock("uplot", () => ({ default: class {} })); // it asks for a screen when it is loaded

test("addresses are taken apart as they were put together", () => {
  const address = to("train", "poems/第 1 次", { with: "a b", stage: "x" });
  const route = parse(address);
  expect([route.screen, route.part, route.query.get("with")]).toEqual(["train", "poems/第 1 次", "a b"]);
  expect(parse("").screen).toBe("home");
  expect(parse("#/data/%E0%A4%A").part).toBe("%E0%A4%A");
});

test("a word is said in one form for one, and another for more; Chinese has one", () => {
  const en = speech("en");
  expect(en.say("tray.live", { count: 1 })).toBe("one job at work");
  expect(en.say("tray.live", { count: 2000 })).toBe("2,000 jobs at work");
  expect(speech("zh").say("tray.live", { count: 1 })).toBe("1 个任务进行中");
  expect(en.bytes(70883)).toBe("70.9 kB");
  expect(en.bytes(0)).toBe("0 B");
  expect(en.duration(3725)).toBe("1 h 2 min");
});

test("a fault is said by its code in either language, else as the server said it", () => {
  const known = faultOf({ error: { code: "this-server-asks-for-an-api-key", params: {}, problem: "p", fix: "f" } }, 401);
  expect(known.said(speech("zh")).problem).toContain("密钥");
  expect(known.said(speech("en")).problem).toContain("key");
  const other = faultOf({ error: { code: "no-run-called", params: { name: "x" }, problem: "no run", fix: "see" } }, 404);
  expect(other.said(speech("en"))).toEqual({ problem: "no run", fix: "see" });
  expect(faultOf("<html>", 502).detail.code).toBe("strange-answer");
});

test("Enter sends, but not within a word that is being composed", () => {
  const key = (over: object, native: object = {}) =>
    sends({ key: "Enter", shiftKey: false, nativeEvent: { isComposing: false, keyCode: 13, ...native }, ...over } as never);
  expect(key({})).toBe(true);
  expect(key({ shiftKey: true })).toBe(false);
  expect(key({}, { isComposing: true })).toBe(false);
  expect(key({}, { keyCode: 229 })).toBe(false);
});

test("a file gets a name that the server takes and does not have", () => {
  expect(nameFor("我的 文件 (1).txt", [])).toBe("我的-文件-1-.txt");
  expect(nameFor("a.jsonl", ["a.jsonl", "a-2.jsonl"])).toBe("a-3.jsonl");
  expect(nameFor("../.hidden.csv", [])).toBe("hidden.csv");
});

test("the guided run begins a step only when all before it are finished", () => {
  const job = (name: string, status: string) => ({ name, status }) as never;
  expect(nextOf(placed([]))?.name).toBe("guide-talks");
  expect(nextOf(placed([job("guide-talks", "running")]))).toBeUndefined();
  expect(nextOf(placed([job("guide-talks", "finished")]))?.name).toBe("guide-tokens");
  expect(nextOf(placed([job("guide-talks", "failed"), job("guide-tokens", "finished")]))).toBeUndefined();
});

const SCHEMA = {
  $defs: { Cosine: { properties: { kind: { const: "cosine", type: "string" }, least: { type: "number" } } }, Flat: { properties: { kind: { const: "flat", type: "string" } } } },
  properties: {
    steps: { anyOf: [{ type: "integer" }, { type: "null" }] },
    compile: { enum: ["on", "off"], type: "string" },
    mask: { type: "boolean" },
    schedule: { oneOf: [{ $ref: "#/$defs/Cosine" }, { $ref: "#/$defs/Flat" }] },
    names: { type: "array" },
  },
};

test("a setting's field is that of its schema", () => {
  expect(fieldOf(SCHEMA, "steps")).toMatchObject({ kind: "number", whole: true });
  expect(fieldOf(SCHEMA, "compile")).toMatchObject({ kind: "choice", options: ["on", "off"] });
  expect(fieldOf(SCHEMA, "mask").kind).toBe("yes-no");
  expect(fieldOf(SCHEMA, "schedule.kind")).toMatchObject({ kind: "choice", options: ["cosine", "flat"] });
  expect(fieldOf(SCHEMA, "schedule.least").kind).toBe("number");
  expect(fieldOf(SCHEMA, "names").kind).toBe("text");
});

test("what is typed is sent as JSON of its kind, and what is left empty is not sent", () => {
  const sent = nested({ steps: "4", "schedule.kind": "cosine", "schedule.least": "1e-4", mask: "true", names: '["a"]', compile: "" }, (key) => fieldOf(SCHEMA, key));
  expect(sent).toEqual({ steps: 4, schedule: { kind: "cosine", least: 0.0001 }, mask: true, names: ["a"] });
  expect(parsed("many", fieldOf(SCHEMA, "steps"))).toBe("many"); // the server says what it should be
});

test("a setting inside a choice counts when that is chosen", () => {
  const kind = { key: "schedule.kind", default: "flat", choices: [] };
  const least = { key: "schedule.least", default: 0, choices: [["schedule", "cosine"]] as [string, string][] };
  expect(counts(least, [kind, least], {})).toBe(false);
  expect(counts(least, [kind, least], { "schedule.kind": "cosine" })).toBe(true);
  const sent = (values: Record<string, string>) => asked([kind, least], values, (key) => fieldOf(SCHEMA, key));
  expect(sent({ "schedule.least": "1" })).toEqual({});
  expect(sent({ "schedule.least": "1", "schedule.kind": "cosine" })).toEqual({ schedule: { kind: "cosine", least: 1 } });
  expect(asked([{ ...kind, default: "cosine" }, least], { "schedule.least": "1" }, (key) => fieldOf(SCHEMA, key))).toEqual({ schedule: { kind: "cosine", least: 1 } });
});

test("several curves lie over one axis", () => {
  const data = joined([
    { name: "a", steps: [1, 3], values: [5, null] },
    { name: "b", steps: [2, 3], values: [6, 7] },
  ]);
  expect(data).toEqual([[1, 2, 3], [5, undefined, null], [undefined, 6, 7]]);
});

test("a lineage runs from left to right, and what was used twice is drawn once", () => {
  const text = { role: "dataset", path: "runs/text", kind: "dataset", digest: "t", stage: "data-read", inputs: [] };
  const tokens = { role: "tokenizer", path: "runs/tokens", kind: "tokenizer", digest: "k", stage: "tokenizer-train", inputs: [text] };
  const found = drawn("base", "model", "pretrain", [text, tokens]);
  expect(found.nodes.map((node) => [node.name, node.column])).toEqual([["base", 2], ["text", 0], ["tokens", 1]]);
  expect(found.edges).toHaveLength(3);
});

test("settings are told apart by their dotted key", () => {
  expect(flat({ a: 1, b: { kind: "x", c: [1] } })).toEqual({ a: "1", "b.kind": "x", "b.c": "[1]" });
});
