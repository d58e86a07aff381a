/** How far a job is; where that is not known, only that it is under way. */

import type { Job } from "../api/client";
import { shareOf } from "../api/jobs";
import { useWords } from "../words";

export function Progress({ job }: { job: Job }) {
  const words = useWords();
  const share = shareOf(job);
  const left = leftOf(job, share);
  return (
    <span className="progress">
      <progress value={share} max={1} aria-label={words.say("job.progress", { name: job.name })} />
      <small>
        {share !== undefined && words.share(share)}
        {left !== undefined && ` · ${words.say("job.left", { time: words.duration(left) })}`}
      </small>
    </span>
  );
}

/** Seconds that are left, at the pace so far. */
function leftOf(job: Job, share: number | undefined): number | undefined {
  if (!share || share < 0.02 || job.status !== "running" || !job.began || !job.heard) return undefined;
  return ((job.heard - job.began) * (1 - share)) / share;
}
