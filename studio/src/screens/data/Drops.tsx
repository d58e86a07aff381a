/** What cleaning dropped, by rule, with examples; nothing for a data set that was not cleaned. */

import { answered, client } from "../../api/client";
import { useAsked } from "../../api/useAsked";
import { useWords } from "../../words";

export function Drops({ name }: { name: string }) {
  const words = useWords();
  const drops = useAsked(
    (signal) => answered(client.GET("/v1/runs/{name}/drops", { params: { path: { name } }, signal })),
    name,
  );
  if (!drops.data) return null; // it was not made by cleaning
  const { rows, kept, counts, examples } = drops.data;
  return (
    <section>
      <h2>{words.say("drops.title")}</h2>
      <p>{words.say("drops.said", { rows, kept, share: words.share(rows ? 1 - kept / rows : 0) })}</p>
      {Object.entries(counts)
        .sort(([, one], [, other]) => other - one)
        .map(([rule, count]) => (
          <details key={rule}>
            <summary>
              {words.maybe(`rule.${rule}`) ?? rule} <span className="soft">{words.number(count)}</span>
            </summary>
            <ul className="texts">
              {(examples[rule] ?? []).map((one, number) => (
                <li key={number}>
                  <small className="soft">
                    {one.source} {one.value}
                  </small>
                  <p dir="auto">{one.text}</p>
                </li>
              ))}
            </ul>
          </details>
        ))}
    </section>
  );
}
