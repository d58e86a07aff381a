/** Every run; two or more that are marked can be compared. */

import { useState } from "react";
import type { Job } from "../../api/client";
import { isLive } from "../../api/jobs";
import { Progress } from "../../parts/Progress";
import { Status } from "../../parts/Status";
import { to } from "../../route";
import { useWords } from "../../words";

const AT_ONCE = 100; // rows; the browser stays quick

export function RunTable({ jobs }: { jobs: Job[] }) {
  const words = useWords();
  const [marked, setMarked] = useState<string[]>([]);
  const [most, setMost] = useState(AT_ONCE);
  if (jobs.length === 0) return <p className="empty">{words.say("train.none")}</p>;
  const mark = (name: string) =>
    setMarked((before) => (before.includes(name) ? before.filter((one) => one !== name) : [...before, name]));
  const together = `${to("train")}?${marked.map((name) => `with=${encodeURIComponent(name)}`).join("&")}`;
  return (
    <section>
      <div className="line head">
        <h2>{words.say("train.runs")}</h2>
        {marked.length > 1 && <a href={together}>{words.say("train.compare")}</a>}
      </div>
      <div className="scroll" tabIndex={0} role="group" aria-label={words.say("train.runs")}>
        <table>
          <thead>
            <tr>
              <th />
              <th>{words.say("column.name")}</th>
              <th>{words.say("column.stage")}</th>
              <th>{words.say("column.state")}</th>
              <th className="number">{words.say("column.step")}</th>
              <th className="number">{words.say("column.loss")}</th>
            </tr>
          </thead>
          <tbody>
            {jobs.slice(0, most).map((job) => (
              <tr key={job.name}>
                <td className="mark">
                  <input
                    type="checkbox"
                    aria-label={words.say("train.mark", { name: job.name })}
                    checked={marked.includes(job.name)}
                    onChange={() => mark(job.name)}
                  />
                </td>
                <td>
                  <a href={to("train", job.name)}>{job.name}</a>
                </td>
                <td className="soft">{job.stage}</td>
                <td>
                  <Status status={job.status} /> {isLive(job) && <Progress job={job} />}
                </td>
                <td className="number">{job.step != null ? words.number(job.step) : "–"}</td>
                <td className="number">{job.metrics?.loss != null ? words.number(job.metrics.loss) : "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {jobs.length > most && <button onClick={() => setMost(most + AT_ONCE)}>+{words.number(Math.min(AT_ONCE, jobs.length - most))}</button>}
    </section>
  );
}
