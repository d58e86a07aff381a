/** Runs: all of them, one of them, some beside each other; and a new one. */

import { useJobs } from "../../api/jobs";
import { useWords } from "../../words";
import type { Shows } from "..";
import { Compare } from "./Compare";
import { NewJob } from "./NewJob";
import { OneRun } from "./OneRun";
import { RunTable } from "./RunTable";

export function Train({ route }: Shows) {
  const words = useWords();
  const jobs = useJobs();
  const compared = route.query.getAll("with");
  if (compared.length > 1) return <Compare names={compared} />;
  if (route.part) return <OneRun key={route.part} name={route.part} />;
  return (
    <>
      <h1>{words.say("screen.train")}</h1>
      <p className="lead">{words.say("train.lead")}</p>
      {jobs.data && <RunTable jobs={jobs.data.data} />}
      <NewJob key={route.query.toString()} given={route.query} begun={jobs.again} />
    </>
  );
}
