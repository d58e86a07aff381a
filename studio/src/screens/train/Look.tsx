/** What a job would read and learn: shares in numbers, and a row with what is learned in colour. */

import type { Shown } from "../../api/client";
import { type Key, useWords } from "../../words";

export function Look({ seen }: { seen: Shown<"Looked"> }) {
  const words = useWords();
  if (seen.refused)
    return (
      <div className="trouble" role="alert">
        <p>
          <strong>{seen.refused.problem}</strong> {seen.refused.fix}
        </p>
      </div>
    );
  return (
    <section aria-live="polite">
      <h3>{words.say("look.title")}</h3>
      <p className="good">{words.say("look.fine")}</p>
      {seen.found && <Found found={seen.found} />}
      <pre>{seen.command}</pre>
    </section>
  );
}

function Found({ found }: { found: Shown<"Preflight"> }) {
  const words = useWords();
  const seconds = found.seconds_per_update != null && found.steps != null ? found.seconds_per_update * found.steps : null;
  const facts: [Key, string | null][] = [
    ["look.documents", words.number(found.documents)],
    ["look.tokens", words.number(found.tokens)],
    ["look.rows", words.number(found.rows)],
    ["look.supervised", words.share(found.supervised)],
    ["look.padding", words.share(found.padding)],
    ["look.truncated", words.number(found.truncated)],
    ["look.unknown", words.share(found.unknown)],
    ["look.doubled", words.number(found.doubled)],
    ["look.leaked", words.number(found.leaked)],
    ["look.steps", found.steps != null ? words.number(found.steps) : null],
    ["look.time", seconds !== null ? words.duration(seconds) : null],
    ["look.memory", found.memory_bytes != null ? words.bytes(found.memory_bytes) : null],
  ];
  return (
    <>
      <dl className="facts">
        {facts.map(
          ([key, value]) =>
            value !== null && (
              <div key={key}>
                <dt>{words.say(key)}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      {(found.sample ?? []).length > 0 && (
        <>
          <p>{words.say("look.sample")}</p>
          <pre className="sample" dir="auto">
            {found.sample?.map((piece, number) =>
              piece.supervised ? <mark key={number}>{piece.text}</mark> : <span key={number}>{piece.text}</span>,
            )}
          </pre>
        </>
      )}
    </>
  );
}
