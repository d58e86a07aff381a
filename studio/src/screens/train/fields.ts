/** Settings as fields of a form: what each takes, from the stage's JSON schema; what was typed, back as JSON. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Schema = { [key: string]: unknown };

export interface Field {
  kind: "yes-no" | "number" | "choice" | "text";
  options: string[];
  whole: boolean;
}

/** What the setting of a dotted key takes. */
export function fieldOf(schema: Schema, key: string): Field {
  let places = alternatives(schema, schema);
  for (const name of key.split(".")) {
    places = places.flatMap((place) => {
      const inner = (place.properties as Record<string, Schema> | undefined)?.[name];
      return inner ? alternatives(inner, schema) : [];
    });
  }
  const options = [...new Set(places.flatMap((place) => (place.enum as Json[] | undefined) ?? ("const" in place ? [place.const as Json] : [])))];
  const types = new Set(places.map((place) => place.type).filter((type) => type !== "null"));
  const only = (...allowed: string[]) => types.size > 0 && [...types].every((type) => allowed.includes(String(type)));
  if (options.length > 0 && options.every((option) => typeof option === "string"))
    return { kind: only("string") || types.size === 0 ? "choice" : "text", options: options as string[], whole: false };
  if (only("boolean")) return { kind: "yes-no", options: [], whole: false };
  if (only("integer", "number")) return { kind: "number", options: [], whole: only("integer") };
  return { kind: "text", options: [], whole: false };
}

/** Every schema that a value may fit, references followed. */
function alternatives(schema: Schema, root: Schema): Schema[] {
  if (typeof schema.$ref === "string") {
    const found = schema.$ref.replace("#/", "").split("/").reduce<unknown>((place, name) => (place as Schema)?.[name], root);
    return alternatives(found as Schema, root);
  }
  const inside = (schema.anyOf ?? schema.oneOf) as Schema[] | undefined;
  return inside ? inside.flatMap((one) => alternatives(one, root)) : [schema];
}

/** What was typed, as JSON: lists and objects may be written as such, a number where one is taken. */
export function parsed(text: string, field: Field): Json {
  const plain = text.trim();
  if (field.kind === "yes-no") return plain === "true";
  if (field.kind === "choice") return plain;
  const number = Number(plain);
  if (field.kind === "number") return plain !== "" && Number.isFinite(number) ? number : plain;
  if (/^[[{"]/.test(plain)) {
    try {
      return JSON.parse(plain) as Json;
    } catch {
      return plain; // the server says what it should be
    }
  }
  return plain !== "" && Number.isFinite(number) ? number : plain;
}

/** A value as it is typed. */
export const typed = (value: Json): string => (typeof value === "string" ? value : value === null ? "" : JSON.stringify(value));

/** What was typed, as it is sent: only what counts, and with a part of a choice the choice itself. */
export function asked(settings: Setting[], values: Record<string, string>, field: (key: string) => Field): { [key: string]: Json } {
  const found: Record<string, string> = {};
  for (const setting of settings) {
    const text = values[setting.key];
    if (!text?.trim() || !counts(setting, settings, values)) continue;
    for (const [key, kind] of setting.choices) found[`${key}.kind`] ??= kind;
    found[setting.key] = text;
  }
  return nested(found, field);
}

/** Settings of a stage as the rules here read them. */
export const plain = (settings: readonly { key: string; default?: unknown; choices: readonly (readonly string[])[] }[]): Setting[] =>
  settings.map((one) => ({ key: one.key, default: (one.default ?? null) as Json, choices: one.choices as [string, string][] }));

/** Settings by dotted key as the nested ones that the server takes; what is empty is left out. */
export function nested(values: Record<string, string>, field: (key: string) => Field): { [key: string]: Json } {
  const found: { [key: string]: Json } = {};
  for (const [key, text] of Object.entries(values)) {
    if (text.trim() === "") continue;
    const names = key.split(".");
    const last = names.pop() ?? key;
    const place = names.reduce<{ [key: string]: Json }>((at, name) => {
      at[name] ??= {};
      return at[name] as { [key: string]: Json };
    }, found);
    place[last] = parsed(text, field(key));
  }
  return found;
}

export interface Setting {
  key: string;
  default: Json;
  choices: [string, string][];
}

/** Whether a setting counts: each choice that it is inside of is made so. */
export function counts(setting: Setting, settings: Setting[], values: Record<string, string>): boolean {
  if (setting.key.includes("[]")) return false; // written with its list, as JSON
  return setting.choices.every(([key, kind]) => {
    const chooser = settings.find((one) => one.key === `${key}.kind` || one.key === key);
    const chosen = chooser && (values[chooser.key] || typed(chooser.default));
    return chosen === kind;
  });
}
