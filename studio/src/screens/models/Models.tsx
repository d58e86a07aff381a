/** What was made: models first, then tokenizers and reports; which of them answer; and one of them. */

import { answered, client } from "../../api/client";
import { useAsked } from "../../api/useAsked";
import { Trouble } from "../../parts/Trouble";
import { to } from "../../route";
import { useWords } from "../../words";
import type { Shows } from "..";
import { LoadButton } from "./LoadButton";
import { OneModel } from "./OneModel";

const KINDS = ["model", "tokenizer", "index", "report"];

export function Models({ route }: Shows) {
  const words = useWords();
  const runs = useAsked((signal) => answered(client.GET("/v1/runs", { signal })), "runs", () => 6000);
  const served = useAsked((signal) => answered(client.GET("/v1/served", { signal })), "served", () => 6000);
  const answers = served.data?.data.map((one) => one.name) ?? [];
  if (route.part)
    return <OneModel key={route.part} name={route.part} served={served.data?.data.find((one) => one.name === route.part)} again={served.again} />;
  const made = (runs.data?.data ?? [])
    .filter((run) => run.kind && KINDS.includes(run.kind))
    .sort((one, other) => KINDS.indexOf(one.kind ?? "") - KINDS.indexOf(other.kind ?? ""));
  return (
    <>
      <h1>{words.say("screen.models")}</h1>
      <p className="lead">{words.say("models.lead")}</p>
      <Trouble fault={runs.fault ?? served.fault} again={runs.again} />
      {served.data && (
        <p className="soft">
          {words.say("models.memory", { used: words.bytes(served.data.memory), free: words.bytes(served.data.free) })}
        </p>
      )}
      {runs.data && made.length === 0 && <p className="empty">{words.say("models.none")}</p>}
      {made.length > 0 && (
        <div className="scroll" tabIndex={0} role="group" aria-label={words.say("screen.models")}>
          <table>
            <thead>
              <tr>
                <th>{words.say("column.name")}</th>
                <th>{words.say("column.kind")}</th>
                <th>{words.say("column.stage")}</th>
                <th>{words.say("column.made")}</th>
                <th>{words.say("column.state")}</th>
              </tr>
            </thead>
            <tbody>
              {made.map((run) => (
                <tr key={run.name}>
                  <td>
                    <a href={to("models", run.name)}>{run.name}</a>
                  </td>
                  <td className="soft">{words.maybe(`one.${run.kind}`) ?? run.kind}</td>
                  <td className="soft">{run.stage}</td>
                  <td className="soft">{run.heard ? words.time(run.heard) : "–"}</td>
                  <td>
                    {run.kind === "model" && (
                      <LoadButton name={run.name} loaded={answers.includes(run.name)} again={served.again} />
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
