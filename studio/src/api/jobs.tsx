/** The jobs of the server, asked once for the whole page: often while one is at work, seldom otherwise. */

import { createContext, type ReactNode, useContext } from "react";
import { answered, client, type Job, type Shown } from "./client";
import { type Asked, useAsked } from "./useAsked";

const AT_WORK_MS = 1500;
const AT_REST_MS = 6000;
const Context = createContext<Asked<Shown<"JobList">>>({ again: () => undefined });

export const isLive = (job: Pick<Job, "status">): boolean => ["queued", "running", "stopping"].includes(job.status);

/** How far a job is, from 0 to 1; undefined where that is not known. */
export function shareOf(job: Job): number | undefined {
  if (job.status === "finished") return 1;
  if (job.steps && job.step !== null && job.step !== undefined) return Math.min(1, job.step / job.steps);
  return job.progress?.total ? Math.min(1, job.progress.done / job.progress.total) : undefined;
}

export function JobsProvider({ children }: { children: ReactNode }) {
  const asked = useAsked(
    (signal) => answered(client.GET("/v1/jobs", { signal })),
    "jobs",
    (found) => (found?.data.some(isLive) ? AT_WORK_MS : AT_REST_MS),
  );
  return <Context value={asked}>{children}</Context>;
}

export const useJobs = (): Asked<Shown<"JobList">> => useContext(Context);
