/** The numbers of a run over its steps, as they come. */

import { answered, client } from "../../api/client";
import { useAsked } from "../../api/useAsked";
import { Chart } from "../../parts/Chart";
import { useWords } from "../../words";

const POINTS = 1000; // the server thins longer curves, highs and lows kept
const EVERY_MS = 2000;

export function Curves({ name, live }: { name: string; live: boolean }) {
  const words = useWords();
  const curves = useAsked(
    (signal) =>
      answered(client.GET("/v1/jobs/{name}/curves", { params: { path: { name }, query: { points: POINTS } }, signal })),
    `${name} ${live}`,
    () => (live ? EVERY_MS : 0),
  );
  if (!curves.data || (curves.data.data.length === 0 && !live)) return null;
  return (
    <section>
      <h2>{words.say("run.curves")}</h2>
      {curves.data.data.length === 0 && <p className="soft">{words.say("run.no.curves")}</p>}
      <div className="charts">
        {curves.data.data
          .filter((curve) => curve.steps.length > 1)
          .map((curve) => {
            const title = words.maybe(`curve.${curve.name}`) ?? curve.name;
            return <Chart key={curve.name} title={title} series={[{ ...curve, name: title }]} group={name} />;
          })}
      </div>
    </section>
  );
}
