/** The steps of the guided run: real jobs, by names of their own, so that the server alone knows how far it is. */

import type { Job, Shown } from "../../api/client";

type Asked = Pick<Shown<"JobRequest">, "stage" | "name" | "inputs" | "settings">;

export const SAMPLES = ["conversations.en.jsonl", "conversations.zh.jsonl"];
export const ANSWERS = "guide-chat"; // the model that answers at the end

export const STEPS: Asked[] = [
  {
    stage: "data-read",
    name: "guide-talks",
    inputs: { source: SAMPLES },
    settings: { schema_name: "chat", split: { validation: 0 } },
  },
  {
    stage: "tokenizer-train",
    name: "guide-tokens",
    inputs: { dataset: ["guide-talks"] },
    settings: { vocab_size: 2000 },
  },
  {
    stage: "pretrain",
    name: "guide-base",
    inputs: { dataset: ["guide-talks"], tokenizer: ["guide-tokens"] },
    settings: { preset: "tiny", minutes: 0.4, compile: "off" },
  },
  {
    stage: "finetune",
    name: ANSWERS,
    inputs: { model: ["guide-base"], dataset: ["guide-talks"] },
    settings: { task: "chat", epochs: 20, learning_rate: 0.002, batch_rows: 2, compile: "off" },
  },
];

export interface Placed {
  step: Asked;
  job?: Job;
}

/** Each step with its job, as far as there is one. */
export const placed = (jobs: Job[]): Placed[] =>
  STEPS.map((step) => ({ step, job: jobs.find((job) => job.name === step.name) }));

/** The step to begin now: the first one that has no job, when all before it are finished. */
export function nextOf(steps: Placed[]): Asked | undefined {
  const at = steps.findIndex(({ job }) => job?.status !== "finished");
  return at >= 0 && !steps[at]?.job ? steps[at]?.step : undefined;
}
