/** A new job: which stage, from what, with which settings; looked at first when asked. */

import { useEffect, useRef, useState } from "react";
import { answered, client, type Shown } from "../../api/client";
import { useAsked } from "../../api/useAsked";
import { Trouble } from "../../parts/Trouble";
import { useWords } from "../../words";
import { JobForm } from "./JobForm";

const FIRST = ["data-read", "data-clean", "tokenizer-train", "pretrain", "finetune", "evaluate"]; // what most begin with

export function NewJob({ given, begun }: { given: URLSearchParams; begun: () => void }) {
  const words = useWords();
  const [stage, setStage] = useState(given.get("stage") ?? "pretrain");
  const stages = useAsked((signal) => answered(client.GET("/v1/stages", { signal })), "stages");
  const details = useAsked(
    (signal) => answered(client.GET("/v1/stages/{name}", { params: { path: { name: stage } }, signal })),
    stage,
  );
  const place = useRef<HTMLElement>(null);
  useEffect(() => {
    if (given.has("stage")) place.current?.scrollIntoView(); // it was asked for elsewhere
  }, []);
  const known = stages.data?.data ?? [];
  const ordered = [...FIRST.flatMap((name) => known.filter((one) => one.name === name)), ...known.filter((one) => !FIRST.includes(one.name))];
  return (
    <section className="new" ref={place}>
      <h2>{words.say("train.new")}</h2>
      <label className="pick wide">
        {words.say("train.stage")}
        <select value={stage} onChange={(event) => setStage(event.target.value)}>
          {ordered.map((one) => (
            <option key={one.name} value={one.name}>
              {one.name} · {one.summary}
            </option>
          ))}
        </select>
      </label>
      <Trouble fault={stages.fault ?? details.fault} again={details.again} />
      {details.data && <JobForm key={stage} stage={details.data as Shown<"StageDetails">} given={given} begun={begun} />}
    </section>
  );
}
