/** The one thing to do next, from what is there. */

import type { Run } from "../../api/client";
import { to } from "../../route";
import { type Key, useWords } from "../../words";

interface Step {
  say: Key;
  go: Key;
  href: string;
}

/** What someone who has these runs would do next. */
export function nextStep(runs: Run[]): Step {
  const has = (kind: string) => runs.some((run) => run.kind === kind);
  if (!has("dataset")) return { say: "next.data", go: "next.data.go", href: to("data") };
  if (!has("tokenizer") && !has("model")) return begin("tokenizer-train", "next.tokenizer", "next.tokenizer.go");
  if (!has("model")) return begin("pretrain", "next.model", "next.model.go");
  if (!runs.some((run) => run.stage === "finetune")) return begin("finetune", "next.teach", "next.teach.go");
  return { say: "next.compare", go: "next.compare.go", href: to("models") };
}

const begin = (stage: string, say: Key, go: Key): Step => ({ say, go, href: to("train", "", { stage }) });

export function Next({ runs }: { runs: Run[] }) {
  const words = useWords();
  const step = nextStep(runs);
  return (
    <section className="next">
      <h2>{words.say("home.next")}</h2>
      <p>
        {words.say(step.say)} <a href={step.href}>{words.say(step.go)}</a>
      </p>
    </section>
  );
}
