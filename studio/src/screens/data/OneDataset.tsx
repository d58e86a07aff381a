/** One file or data set: its first rows, what cleaning dropped, how it looks as tokens; and what to make of it. */

import { useState } from "react";
import { answered, client } from "../../api/client";
import { useAsked } from "../../api/useAsked";
import { Delete } from "../../parts/Delete";
import { Trouble } from "../../parts/Trouble";
import { go, to } from "../../route";
import { useWords } from "../../words";
import { Drops } from "./Drops";
import { Rows } from "./Rows";

export function OneDataset({ name, again }: { name: string; again: () => void }) {
  const words = useWords();
  const [asked, setAsked] = useState<{ schema_name?: string; split?: string }>({});
  const path = { name };
  const set = useAsked(
    (signal) => answered(client.GET("/v1/datasets/{name}", { params: { path }, signal })),
    name,
  );
  const preview = useAsked(
    (signal) => answered(client.GET("/v1/datasets/{name}/preview", { params: { path, query: { rows: 20, ...asked } }, signal })),
    JSON.stringify([name, asked]),
  );
  const isFile = set.data?.kind === "file";
  const remove = async () => {
    await answered(client.DELETE("/v1/datasets/{name}", { params: { path, query: { confirm: name } } }));
    again();
    go(to("data"));
  };
  return (
    <>
      <p className="way">
        <a href={to("data")}>{words.say("screen.data")}</a> /
      </p>
      <h1>{name}</h1>
      <Trouble fault={set.fault} again={set.again} />
      {set.data && (
        <p className="line">
          <span className="soft">
            {isFile ? words.say("data.file") : set.data.schema_name} · {words.bytes(set.data.bytes)}
            {Object.entries(set.data.splits ?? {}).map(([split, count]) => ` · ${split} ${words.number(count)}`)}
          </span>
          {isFile ? (
            <a href={to("train", "", { stage: "data-read", source: name })}>{words.say("data.read")}</a>
          ) : (
            <>
              <a href={to("train", "", { stage: "data-clean", dataset: name })}>{words.say("data.clean")}</a>
              <a href={to("train", "", { stage: "tokenizer-train", dataset: name })}>{words.say("next.tokenizer.go")}</a>
              <a href={to("train", "", { stage: "pretrain", dataset: name })}>{words.say("next.model.go")}</a>
            </>
          )}
        </p>
      )}
      {!isFile && set.data && <Drops name={name} />}
      <section>
        <div className="line head">
          <h2>{words.say("data.rows")}</h2>
          {preview.data && isFile && (
            <Choice
              label={words.say("data.as")}
              options={preview.data.fits}
              value={preview.data.schema_name}
              choose={(schema_name) => setAsked({ schema_name })}
            />
          )}
          {preview.data && Object.keys(preview.data.splits).length > 1 && (
            <Choice
              label={words.say("data.split")}
              options={Object.keys(preview.data.splits)}
              value={asked.split ?? Object.keys(preview.data.splits)[0] ?? ""}
              choose={(split) => setAsked({ split })}
            />
          )}
        </div>
        <Trouble fault={preview.fault} again={preview.again} />
        {preview.data && <Rows rows={preview.data.rows} cut={preview.data.cut} />}
      </section>
      {set.data && <Delete name={name} remove={remove} />}
    </>
  );
}

interface ChoiceProps {
  label: string;
  options: string[];
  value: string;
  choose: (value: string) => void;
}

function Choice({ label, options, value, choose }: ChoiceProps) {
  return (
    <label className="pick">
      {label}
      <select value={value} onChange={(event) => choose(event.target.value)}>
        {options.map((option) => (
          <option key={option}>{option}</option>
        ))}
      </select>
    </label>
  );
}
