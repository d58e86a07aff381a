/** One step of the guided run: what it does, and how far it is. */

import { answered, client, type Job } from "../../api/client";
import { isLive } from "../../api/jobs";
import { useAct } from "../../api/useAct";
import { Progress } from "../../parts/Progress";
import { Status } from "../../parts/Status";
import { Trouble } from "../../parts/Trouble";
import { to } from "../../route";
import { useWords } from "../../words";

export function GuideStep({ stage, job, again }: { stage: string; job?: Job; again: () => void }) {
  const words = useWords();
  const act = useAct();
  const resume = async (name: string) => {
    const params = { path: { name } };
    await act.run(() => answered(client.POST("/v1/jobs/{name}/resume", { params, body: {} })));
    again();
  };
  return (
    <li className={job?.status ?? "ahead"}>
      <span>
        <b>{words.maybe(`guide.${stage}`)}</b> <span className="soft">{words.maybe(`guide.${stage}.why`)}</span>
      </span>
      {job && (
        <span className="state">
          <Status status={job.status} />
          {isLive(job) && <Progress job={job} />}
          <a href={to("train", job.name)}>{words.say("guide.look")}</a>
          {(job.status === "stopped" || job.status === "failed") && (
            <button disabled={act.busy} onClick={() => void resume(job.name)}>
              {words.say("job.resume")}
            </button>
          )}
        </span>
      )}
      {job?.why && (
        <p className="bad">
          {job.why.problem} {job.why.fix}
        </p>
      )}
      <Trouble fault={act.fault} />
    </li>
  );
}
