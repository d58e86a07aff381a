/** What a run told: samples through time, and what it decided or warned of. */

import { answered, client, type Shown } from "../../api/client";
import { useAsked } from "../../api/useAsked";
import { useWords } from "../../words";

const MOST = 5000; // lines at once
const EVERY_MS = 3000;
type Line = Shown<"Line">;

/** Every line of a run's log that is not a number of a curve. */
async function told(name: string, signal: AbortSignal): Promise<Line[]> {
  const found: Line[] = [];
  for (let after = 0; ; ) {
    const query = { after, limit: MOST };
    const page = await answered(client.GET("/v1/jobs/{name}/events", { params: { path: { name }, query }, signal }));
    found.push(...page.data.filter((line) => line.event.event !== "stepped"));
    if (page.last === after || page.last - after < MOST) return found;
    after = page.last;
  }
}

export function Said({ name, live }: { name: string; live: boolean }) {
  const words = useWords();
  const lines = useAsked((signal) => told(name, signal), `${name} ${live}`, () => (live ? EVERY_MS : 0)).data ?? [];
  const samples = lines.filter((line) => line.event.event === "sampled").reverse();
  const sayings = lines.filter((line) => line.said && ["chosen", "warned"].includes(String(line.event.event)));
  return (
    <>
      {samples.length > 0 && (
        <section>
          <h2>{words.say("run.samples")}</h2>
          <ol className="samples">
            {samples.map((line) => (
              <li key={line.line}>
                <small className="soft">{words.say("run.at", { step: Number(line.event.step) })}</small>
                <p dir="auto">
                  <span className="soft">{String(line.event.prompt)}</span> {String(line.event.text)}
                </p>
              </li>
            ))}
          </ol>
        </section>
      )}
      {sayings.length > 0 && (
        <section>
          <h2>{words.say("run.log")}</h2>
          <ul>
            {sayings.map((line) => (
              <li key={line.line} className={line.event.event === "warned" ? "warn" : ""}>
                {line.said}
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
