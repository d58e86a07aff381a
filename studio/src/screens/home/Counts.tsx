/** How many there are of each kind. */

import type { Run } from "../../api/client";
import { to } from "../../route";
import { useWords } from "../../words";

const KINDS = [
  ["dataset", "data"],
  ["tokenizer", "models"],
  ["model", "models"],
  ["report", "models"],
] as const;

export function Counts({ runs, served }: { runs: Run[]; served: number }) {
  const words = useWords();
  return (
    <ul className="counts">
      {KINDS.map(([kind, screen]) => {
        const count = runs.filter((run) => run.kind === kind).length;
        return (
          <li key={kind}>
            <a href={to(screen)}>
              <b>{words.number(count)}</b> {words.say(`kind.${kind}`, { count })}
            </a>
          </li>
        );
      })}
      <li>
        <a href={to("models")}>
          <b>{words.number(served)}</b> {words.say("home.served", { count: served })}
        </a>
      </li>
    </ul>
  );
}
