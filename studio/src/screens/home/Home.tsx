/** What there is, what to do next, and a first run for someone who begins. */

import { answered, client } from "../../api/client";
import { useJobs } from "../../api/jobs";
import { useAsked } from "../../api/useAsked";
import { Trouble } from "../../parts/Trouble";
import { useWords } from "../../words";
import { Counts } from "./Counts";
import { Guide } from "./Guide";
import { Next } from "./Next";

const EVERY_MS = 6000;

export function Home() {
  const words = useWords();
  const jobs = useJobs();
  const runs = useAsked((signal) => answered(client.GET("/v1/runs", { signal })), "runs", () => EVERY_MS);
  const served = useAsked((signal) => answered(client.GET("/v1/served", { signal })), "served", () => EVERY_MS);
  return (
    <>
      <h1>{words.say("home.title")}</h1>
      <p className="lead">{words.say("home.lead")}</p>
      {!jobs.fault && <Trouble fault={runs.fault} again={runs.again} />}
      {runs.data && <Counts runs={runs.data.data} served={served.data?.data.length ?? 0} />}
      {runs.data && <Next runs={runs.data.data} />}
      {jobs.data && (
        <Guide
          jobs={jobs.data.data}
          served={served.data?.data.map((model) => model.name) ?? []}
          again={() => {
            jobs.again();
            runs.again();
            served.again();
          }}
        />
      )}
    </>
  );
}
