/** Small files that came with the program, for someone who has none. */

import { answered, client } from "../../api/client";
import { useAct } from "../../api/useAct";
import { useAsked } from "../../api/useAsked";
import { Trouble } from "../../parts/Trouble";
import { useWords } from "../../words";

export function Samples({ taken }: { taken: () => void }) {
  const words = useWords();
  const samples = useAsked((signal) => answered(client.GET("/v1/samples", { signal })), "samples");
  const act = useAct();
  const take = async (name: string) => {
    await act.run(() => answered(client.POST("/v1/samples/{name}", { params: { path: { name } } })));
    samples.again();
    taken();
  };
  return (
    <section>
      <h2>{words.say("samples.title")}</h2>
      <p className="soft">{words.say("samples.lead")}</p>
      <ul className="list">
        {samples.data?.data.map((one) => (
          <li key={one.name}>
            <span>{one.name}</span>
            <small className="soft">
              {words.say("samples.rows", { count: one.rows })} · {words.bytes(one.bytes)} · {one.licence}
            </small>
            <button disabled={one.taken || act.busy} onClick={() => void take(one.name)}>
              {words.say(one.taken ? "samples.taken" : "samples.take")}
            </button>
          </li>
        ))}
      </ul>
      <Trouble fault={act.fault ?? samples.fault} />
    </section>
  );
}
