/** From a text to a model that answers, in four jobs. Closing the page stops nothing; opening it goes on. */

import { useEffect, useState } from "react";
import { answered, client, type Job } from "../../api/client";
import { useAct } from "../../api/useAct";
import { Trouble } from "../../parts/Trouble";
import { useWords } from "../../words";
import { GuideStep } from "./GuideStep";
import { ANSWERS, nextOf, placed, SAMPLES } from "./steps";
import { Talk } from "./Talk";

const GOING = "langwright.guide"; // in this browser: the next step may begin by itself

interface Props {
  jobs: Job[];
  served: string[];
  again: () => void;
}

export function Guide({ jobs, served, again }: Props) {
  const words = useWords();
  const act = useAct();
  const [going, setGoing] = useState(localStorage.getItem(GOING) === "yes");
  const steps = placed(jobs);
  const next = nextOf(steps);
  const begun = steps.some(({ job }) => job);
  const done = steps.every(({ job }) => job?.status === "finished");

  const keep = (value: boolean) => {
    localStorage.setItem(GOING, value ? "yes" : "no");
    setGoing(value);
  };
  const start = async () => {
    if (!next) return;
    const well = await act.run(async () => {
      if (next.stage === "data-read") await takeSamples();
      await answered(client.POST("/v1/jobs", { body: { ...next, restart: false } }));
    });
    keep(well);
    again();
  };
  const load = () =>
    act.run(() => answered(client.POST("/v1/served", { body: { name: ANSWERS, max_batch: 4 } }))).then(again);

  useEffect(() => {
    if (going && begun && next && !act.busy && !act.fault) void start();
  }, [going, begun, next?.name]);

  return (
    <section className="guide" aria-labelledby="guide">
      <h2 id="guide">{words.say("guide.title")}</h2>
      <p>{words.say("guide.lead")}</p>
      <ol>
        {steps.map(({ step, job }) => (
          <GuideStep key={step.name} stage={step.stage} job={job} again={again} />
        ))}
      </ol>
      <Trouble fault={act.fault} />
      {next && (
        <button className="main" disabled={act.busy} onClick={() => void start()}>
          {words.say(begun ? "guide.on" : "guide.start")}
        </button>
      )}
      {done && !served.includes(ANSWERS) && (
        <button className="main" disabled={act.busy} onClick={() => void load()}>
          {words.say(act.busy ? "guide.loading" : "guide.load")}
        </button>
      )}
      {served.includes(ANSWERS) && <Talk model={ANSWERS} />}
    </section>
  );
}

async function takeSamples(): Promise<void> {
  for (const name of SAMPLES) await answered(client.POST("/v1/samples/{name}", { params: { path: { name } } }));
}
