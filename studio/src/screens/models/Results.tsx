/** What was measured, with its interval. */

import type { Shown } from "../../api/client";
import { useWords } from "../../words";

export function Results({ results }: { results: Shown<"Measure">[] }) {
  const words = useWords();
  if (results.length === 0) return null;
  return (
    <section>
      <h2>{words.say("models.results")}</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label={words.say("models.results")}>
        <table>
          <tbody>
            {results.map((one, number) => (
              <tr key={number}>
                <th scope="row">
                  {one.name} {one.data && <small>{one.data}</small>}
                </th>
                <td className="number">{words.number(one.value)}</td>
                <td className="soft number">
                  {one.low != null && one.high != null && `${words.number(one.low)} – ${words.number(one.high)}`}
                </td>
                <td className="soft">{one.unit}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
