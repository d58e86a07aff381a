/** What a stage takes, each chosen from what there is of its kind. */

import { answered, client, type Run, type Shown } from "../../api/client";
import { useAsked } from "../../api/useAsked";
import { useWords } from "../../words";

interface Props {
  stage: Shown<"StageDetails">;
  runs: Run[];
  chosen: Record<string, string[]>;
  choose: (chosen: Record<string, string[]>) => void;
}

export function Inputs({ stage, runs, chosen, choose }: Props) {
  const words = useWords();
  const sets = useAsked((signal) => answered(client.GET("/v1/datasets", { signal })), "datasets");
  const files = sets.data?.data.filter((one) => one.kind === "file").map((one) => one.name) ?? [];
  return (
    <fieldset className="inputs">
      <legend>{words.say("train.inputs")}</legend>
      {stage.inputs.map((input) => {
        const there = input.kind === "source" ? files : runs.filter((run) => run.kind === input.kind).map((run) => run.name);
        const now = chosen[input.role] ?? [];
        return (
          <label key={input.role} className="pick">
            <span>
              {input.help} {input.optional && <small className="soft">{words.say("train.optional")}</small>}
            </span>
            {there.length === 0 ? (
              <em className="soft">{words.say("train.none.of")}</em>
            ) : (
              <select
                multiple={input.many}
                size={input.many ? Math.min(5, there.length) : undefined}
                value={input.many ? now : (now[0] ?? "")}
                onChange={(event) => {
                  const names = [...event.target.selectedOptions].map((option) => option.value).filter(Boolean);
                  choose({ ...chosen, [input.role]: names });
                }}
              >
                {!input.many && <option value="">–</option>}
                {there.map((name) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            )}
          </label>
        );
      })}
    </fieldset>
  );
}
