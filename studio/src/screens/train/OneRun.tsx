/** One run: how far it is, its curves, what it writes as it learns, what it said, how it was asked for. */

import { answered, client, type Job } from "../../api/client";
import { isLive, useJobs } from "../../api/jobs";
import { useAct } from "../../api/useAct";
import { useAsked } from "../../api/useAsked";
import { Delete } from "../../parts/Delete";
import { Progress } from "../../parts/Progress";
import { Status } from "../../parts/Status";
import { Trouble } from "../../parts/Trouble";
import { go, to } from "../../route";
import { useWords } from "../../words";
import { Curves } from "./Curves";
import { Said } from "./Said";

const EVERY_MS = 1500;

export function OneRun({ name }: { name: string }) {
  const words = useWords();
  const jobs = useJobs();
  const params = { path: { name } };
  const asked = useAsked(
    (signal) => answered(client.GET("/v1/jobs/{name}", { params, signal })),
    name,
    (job) => (job && isLive(job) ? EVERY_MS : 0),
  );
  const job = asked.data;
  const remove = async () => {
    await answered(client.DELETE("/v1/jobs/{name}", { params: { ...params, query: { confirm: name } } }));
    jobs.again();
    go(to("train"));
  };
  return (
    <>
      <p className="way">
        <a href={to("train")}>{words.say("screen.train")}</a> /
      </p>
      <h1>{name}</h1>
      <Trouble fault={asked.fault} again={asked.again} />
      {job && (
        <>
          <Head job={job} again={() => [asked.again(), jobs.again()]} />
          <Curves name={name} live={isLive(job)} />
          <Said name={name} live={isLive(job)} />
          {job.command && (
            <section>
              <h2>{words.say("run.command")}</h2>
              <pre>{job.command}</pre>
            </section>
          )}
          {job.output && (
            <details>
              <summary>{words.say("run.output")}</summary>
              <pre>{job.output}</pre>
            </details>
          )}
          {!isLive(job) && <Delete name={name} remove={remove} />}
        </>
      )}
    </>
  );
}

function Head({ job, again }: { job: Job; again: () => void }) {
  const words = useWords();
  const act = useAct();
  const params = { path: { name: job.name } };
  const cancel = () => act.run(() => answered(client.POST("/v1/jobs/{name}/cancel", { params }))).then(again);
  const resume = () => act.run(() => answered(client.POST("/v1/jobs/{name}/resume", { params, body: {} }))).then(again);
  return (
    <section className="head">
      <p className="line">
        <Status status={job.status} />
        <span className="soft">{job.stage}</span>
        {job.step != null && job.steps != null && <span>{words.say("run.step", { step: job.step, steps: job.steps })}</span>}
        {isLive(job) && <Progress job={job} />}
        {isLive(job) && (
          <button disabled={act.busy || job.status === "stopping"} onClick={() => void cancel()}>
            {words.say("job.cancel")}
          </button>
        )}
        {(job.status === "stopped" || job.status === "failed") && (
          <button className="main" disabled={act.busy} onClick={() => void resume()}>
            {words.say("job.resume")}
          </button>
        )}
        {job.status === "finished" && <a href={to("models", job.name)}>{words.say("run.model")}</a>}
      </p>
      {job.why && (
        <p className="bad">
          <strong>{job.why.problem}</strong> {job.why.fix}
        </p>
      )}
      <Trouble fault={act.fault} />
    </section>
  );
}
