/** One thing that was made: what it is, from what, what was measured, and its report's page. */

import { answered, client, type Shown } from "../../api/client";
import { useAsked } from "../../api/useAsked";
import { Trouble } from "../../parts/Trouble";
import { to } from "../../route";
import { type Key, useWords } from "../../words";
import { Lineage } from "./Lineage";
import { LoadButton } from "./LoadButton";
import { Results } from "./Results";

interface Props {
  name: string;
  served?: Shown<"ServedShown">;
  again: () => void;
}

export function OneModel({ name, served, again }: Props) {
  const words = useWords();
  const run = useAsked((signal) => answered(client.GET("/v1/runs/{name}", { params: { path: { name } }, signal })), name);
  const found = run.data;
  return (
    <>
      <p className="way">
        <a href={to("models")}>{words.say("screen.models")}</a> /
      </p>
      <h1>{name}</h1>
      <Trouble fault={run.fault} again={run.again} />
      {found && (
        <>
          <div className="line head">
            {found.kind === "model" && <LoadButton name={name} loaded={served !== undefined} again={again} />}
            <a href={to("train", name)}>{words.say("run.curves")}</a>
            {found.kind === "model" && <a href={to("train", "", { stage: "finetune", model: name })}>{words.say("next.teach.go")}</a>}
          </div>
          <section>
            <h2>{words.say("models.lineage")}</h2>
            <Lineage run={found} />
          </section>
          <section>
            <h2>{words.say("models.card")}</h2>
            <Facts run={found} served={served} />
          </section>
          <Results results={found.results ?? []} />
          <section>
            <h2>{words.say("run.command")}</h2>
            <pre>{(found.command ?? []).join(" ")}</pre>
          </section>
        </>
      )}
    </>
  );
}

function Facts({ run, served }: { run: Shown<"RunDetails">; served?: Shown<"ServedShown"> }) {
  const words = useWords();
  const tier = served?.tier && (words.maybe(`tier.${served.tier}`) ?? served.tier);
  const facts: [Key, string | undefined | false | null][] = [
    ["models.architecture", run.model?.architecture],
    ["models.parameters", run.model && words.number(run.model.parameters)],
    ["models.context", run.model && words.say("tokens.count", { count: run.model.context })],
    ["models.vocabulary", (run.model ?? run.tokenizer) && words.number((run.model ?? run.tokenizer)!.vocab_size)],
    ["models.algorithm", run.tokenizer?.algorithm],
    ["models.does", (run.abilities ?? []).map((one) => one.task).join(", ")],
    ["models.tier", tier && `${tier}${served?.why ? ` (${served.why})` : ""}`],
    ["models.size", words.bytes(run.bytes ?? 0)],
    ["models.made", run.made && words.time(run.made)],
    ["models.took", words.duration(run.seconds ?? 0)],
    ["models.digest", run.digest],
  ];
  return (
    <dl className="facts">
      {facts.map(
        ([key, value]) =>
          value && (
            <div key={key}>
              <dt>{words.say(key)}</dt>
              <dd className={key === "models.digest" ? "code" : undefined}>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}
