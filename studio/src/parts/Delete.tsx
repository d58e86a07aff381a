/** Deletes something after its name was typed once more. */

import { useId, useState } from "react";
import { useAct } from "../api/useAct";
import { useWords } from "../words";
import { Trouble } from "./Trouble";

export function Delete({ name, remove }: { name: string; remove: () => Promise<unknown> }) {
  const words = useWords();
  const act = useAct();
  const [typed, setTyped] = useState("");
  const id = useId();
  return (
    <details className="delete">
      <summary>{words.say("delete.title")}</summary>
      <form
        className="line"
        onSubmit={(event) => {
          event.preventDefault();
          if (typed === name) void act.run(remove);
        }}
      >
        <label htmlFor={id}>{words.say("delete.type", { name })}</label>
        <input id={id} autoComplete="off" spellCheck={false} value={typed} onChange={(event) => setTyped(event.target.value)} />
        <button disabled={typed !== name || act.busy}>{words.say("delete.do")}</button>
      </form>
      <Trouble fault={act.fault} />
    </details>
  );
}
