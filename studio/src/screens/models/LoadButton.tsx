/** Has a model answer, or answer no more. */

import { answered, client } from "../../api/client";
import { useAct } from "../../api/useAct";
import { Trouble } from "../../parts/Trouble";
import { useWords } from "../../words";

const MAX_BATCH = 8;
const WAIT_S = 10;

export function LoadButton({ name, loaded, again }: { name: string; loaded: boolean; again: () => void }) {
  const words = useWords();
  const act = useAct();
  const load = () => answered(client.POST("/v1/served", { body: { name, max_batch: MAX_BATCH } }));
  const unload = () =>
    answered(client.POST("/v1/served/{name}/unload", { params: { path: { name } }, body: { wait_s: WAIT_S } }));
  return (
    <span className="line">
      {loaded && <span className="good">{words.say("models.loaded")}</span>}
      <button disabled={act.busy} onClick={() => void act.run(loaded ? unload : load).then(again)}>
        {words.say(act.busy ? "models.loading" : loaded ? "models.unload" : "models.load")}
      </button>
      <Trouble fault={act.fault} />
    </span>
  );
}
