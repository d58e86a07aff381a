/** The form of one stage. */

import { type FormEvent, useState } from "react";
import { answered, client, type Shown } from "../../api/client";
import { useAct } from "../../api/useAct";
import { useAsked } from "../../api/useAsked";
import { Trouble } from "../../parts/Trouble";
import { go, to } from "../../route";
import { useWords } from "../../words";
import { asked, fieldOf, plain } from "./fields";
import { Inputs } from "./Inputs";
import { Look } from "./Look";
import { SettingsForm } from "./SettingsForm";

interface Props {
  stage: Shown<"StageDetails">;
  given: URLSearchParams;
  begun: () => void;
}

export function JobForm({ stage, given, begun }: Props) {
  const words = useWords();
  const runs = useAsked((signal) => answered(client.GET("/v1/runs", { signal })), "runs");
  const [name, setName] = useState("");
  const [inputs, setInputs] = useState<Record<string, string[]>>(() => begin(stage, given));
  const [values, setValues] = useState<Record<string, string>>({});
  const [seen, setSeen] = useState<Shown<"Looked">>();
  const looking = useAct();
  const starting = useAct();

  const suggested = name || freeName(stage.makes, runs.data?.data.map((run) => run.name) ?? []);
  const body = () => ({
    stage: stage.name,
    name: suggested,
    inputs: Object.fromEntries(Object.entries(inputs).filter(([, names]) => names.length > 0)),
    settings: asked(plain(stage.settings), values, (key) => fieldOf(stage.settings_schema, key)),
    restart: false,
  });
  const look = () =>
    looking.run(async () => {
      setSeen(undefined);
      setSeen(await answered(client.POST("/v1/preflight", { body: body() })));
    });
  const start = async (event: FormEvent) => {
    event.preventDefault();
    const job = body();
    if (await starting.run(() => answered(client.POST("/v1/jobs", { body: job })))) {
      begun();
      go(to("train", job.name));
    }
  };
  const wrong = starting.fault ?? looking.fault;
  return (
    <form onSubmit={(event) => void start(event)}>
      <Inputs stage={stage} runs={runs.data?.data ?? []} chosen={inputs} choose={setInputs} />
      <label className="pick">
        {words.say("train.name")}
        <input value={name} placeholder={suggested} spellCheck={false} onChange={(event) => setName(event.target.value)} />
      </label>
      <SettingsForm stage={stage} values={values} change={setValues} wrong={wrong?.param?.replace(/^settings\./, "")} />
      <Trouble fault={wrong} />
      <p className="line">
        <button className="main" disabled={starting.busy}>
          {words.say("train.begin")}
        </button>
        <button type="button" disabled={looking.busy} onClick={() => void look()}>
          {words.say(looking.busy ? "train.looking" : "train.look")}
        </button>
      </p>
      {seen && <Look seen={seen} />}
    </form>
  );
}

/** Inputs that the way here named already. */
const begin = (stage: Shown<"StageDetails">, given: URLSearchParams): Record<string, string[]> =>
  Object.fromEntries(stage.inputs.map((input) => [input.role, given.getAll(input.role)]));

/** A name for what is made that nothing has yet. */
export function freeName(kind: string, taken: string[]): string {
  for (let number = 1; ; number++) if (!taken.includes(`${kind}-${number}`)) return `${kind}-${number}`;
}
