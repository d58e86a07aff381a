/** Rows as a person reads them: talks as turns, texts as texts, the rest by field; each as tokens when asked. */

import { useState } from "react";
import { answered, client } from "../../api/client";
import { useAsked } from "../../api/useAsked";
import { useWords } from "../../words";
import { Tokens } from "./Tokens";

type Row = Record<string, unknown>;
const ABOUT = ["id", "source", "licence", "language"]; // what every row has

export function Rows({ rows, cut }: { rows: Row[]; cut: boolean }) {
  const words = useWords();
  const [tokenizer, setTokenizer] = useState("");
  const runs = useAsked((signal) => answered(client.GET("/v1/runs", { signal })), "runs");
  const cutters = runs.data?.data.filter((run) => run.kind === "tokenizer" || run.kind === "model") ?? [];
  return (
    <>
      {cutters.length > 0 && (
        <label className="pick">
          {words.say("tokens.by")}
          <select value={tokenizer} onChange={(event) => setTokenizer(event.target.value)}>
            <option value="">{words.say("tokens.none")}</option>
            {cutters.map((run) => (
              <option key={run.name}>{run.name}</option>
            ))}
          </select>
        </label>
      )}
      {cut && <p className="soft">{words.say("data.cut")}</p>}
      <ol className="texts">
        {rows.map((row, number) => (
          <li key={number}>
            {tokenizer ? <Tokens by={tokenizer} text={textOf(row)} /> : <Fields row={row} />}
          </li>
        ))}
      </ol>
    </>
  );
}

function Fields({ row }: { row: Row }) {
  if (Array.isArray(row.messages)) return <Turns messages={row.messages as Row[]} />;
  const fields = Object.entries(row).filter(([name, value]) => !ABOUT.includes(name) && filled(value));
  const [only] = fields;
  if (fields.length === 1 && only) return <p dir="auto">{shown(only[1])}</p>;
  return (
    <dl>
      {fields.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd dir="auto">{shown(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

function Turns({ messages }: { messages: Row[] }) {
  return (
    <dl>
      {messages.map((message, number) => (
        <div key={number}>
          <dt>{String(message.role)}</dt>
          <dd dir="auto">{shown(message.content)}</dd>
        </div>
      ))}
    </dl>
  );
}

const shown = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
const filled = (value: unknown): boolean =>
  value !== null && value !== "" && !(Array.isArray(value) && value.length === 0);

/** All text of a row, as it would be learned from. */
export function textOf(row: Row): string {
  if (Array.isArray(row.messages)) return (row.messages as Row[]).map((message) => shown(message.content)).join("\n");
  const texts = Object.entries(row).filter(([name, value]) => !ABOUT.includes(name) && typeof value === "string");
  return texts.map(([, value]) => value).join("\n");
}
