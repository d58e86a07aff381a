/** The state of a job in a word, which colour only repeats. */

import type { Job } from "../api/client";
import { useWords } from "../words";

export function Status({ status }: { status: Job["status"] }) {
  const words = useWords();
  return <span className={`status ${status}`}>{words.maybe(`status.${status}`) ?? status}</span>;
}
