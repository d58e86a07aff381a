/** What waits and runs, at the foot of every screen. */

import { useState } from "react";
import { answered, client, type Job } from "../api/client";
import { isLive } from "../api/jobs";
import { useAct } from "../api/useAct";
import { to } from "../route";
import { useWords } from "../words";
import { Progress } from "./Progress";
import { Status } from "./Status";
import { Trouble } from "./Trouble";

export function Tray({ jobs, again }: { jobs: Job[]; again: () => void }) {
  const words = useWords();
  const [open, setOpen] = useState(false);
  const live = jobs.filter(isLive);
  const first = live.find((job) => job.status !== "queued") ?? live[0];
  return (
    <aside className="tray" aria-label={words.say("tray.title")}>
      <button className="bar" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span>{live.length ? words.say("tray.live", { count: live.length }) : words.say("tray.none")}</span>
        {first && (
          <>
            <strong>{first.name}</strong>
            <Progress job={first} />
          </>
        )}
      </button>
      {open && (
        <ul>
          {live.map((job) => (
            <TrayJob key={job.name} job={job} again={again} />
          ))}
          {live.length === 0 && <li className="soft">{words.say("tray.empty")}</li>}
        </ul>
      )}
    </aside>
  );
}

function TrayJob({ job, again }: { job: Job; again: () => void }) {
  const words = useWords();
  const act = useAct();
  const cancel = async () => {
    await act.run(() => answered(client.POST("/v1/jobs/{name}/cancel", { params: { path: { name: job.name } } })));
    again();
  };
  return (
    <li>
      <a href={to("train", job.name)}>{job.name}</a>
      <small className="soft">{job.stage}</small>
      <Status status={job.status} />
      <Progress job={job} />
      <button disabled={act.busy || job.status === "stopping"} onClick={() => void cancel()}>
        {words.say("job.cancel")}
      </button>
      <Trouble fault={act.fault} />
    </li>
  );
}
