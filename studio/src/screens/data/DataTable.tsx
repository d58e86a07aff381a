/** Everything that is there to learn from. */

import type { Shown } from "../../api/client";
import { to } from "../../route";
import { useWords } from "../../words";

export function DataTable({ sets }: { sets: Shown<"DatasetShown">[] }) {
  const words = useWords();
  if (sets.length === 0) return <p className="empty">{words.say("data.empty")}</p>;
  return (
    <section className="scroll" tabIndex={0} aria-label={words.say("data.there")}>
      <table>
        <thead>
          <tr>
            <th>{words.say("column.name")}</th>
            <th>{words.say("column.kind")}</th>
            <th className="number">{words.say("column.rows")}</th>
            <th className="number">{words.say("column.size")}</th>
            <th>{words.say("column.made")}</th>
          </tr>
        </thead>
        <tbody>
          {sets.map((one) => (
            <tr key={`${one.kind} ${one.name}`}>
              <td>
                <a href={to("data", one.name)}>{one.name}</a>
              </td>
              <td className="soft">{one.kind === "file" ? words.say("data.file") : (one.schema_name ?? "–")}</td>
              <td className="number">{one.kind === "file" ? "–" : words.number(rowsOf(one))}</td>
              <td className="number">{words.bytes(one.bytes)}</td>
              <td className="soft">{words.time(one.made)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const rowsOf = (one: Shown<"DatasetShown">): number =>
  Object.values(one.splits ?? {}).reduce((sum, count) => sum + count, 0);
