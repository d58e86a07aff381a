/** Runs beside each other: the same number in one chart, under one cursor; and the settings in which they differ. */

import { answered, client, type Shown } from "../../api/client";
import { useAsked } from "../../api/useAsked";
import { Chart } from "../../parts/Chart";
import { Trouble } from "../../parts/Trouble";
import { to } from "../../route";
import { useWords } from "../../words";

const POINTS = 1000;
type Curve = Shown<"Curve">;

export function Compare({ names }: { names: string[] }) {
  const words = useWords();
  const curves = useAsked(
    (signal) =>
      Promise.all(
        names.map((name) =>
          answered(client.GET("/v1/jobs/{name}/curves", { params: { path: { name }, query: { points: POINTS } }, signal })),
        ),
      ),
    names.join("\n"),
    () => 4000,
  );
  return (
    <>
      <p className="way">
        <a href={to("train")}>{words.say("compare.back")}</a> /
      </p>
      <h1>{words.say("compare.title")}</h1>
      <p className="soft">{names.join(" · ")}</p>
      <Trouble fault={curves.fault} again={curves.again} />
      <div className="charts">
        {numbersOf(curves.data?.map((one) => one.data) ?? []).map((number) => {
          const title = words.maybe(`curve.${number}`) ?? number;
          const series = names.flatMap((name, at) => {
            const found = curves.data?.[at]?.data.find((curve) => curve.name === number);
            return found ? [{ ...found, name }] : [];
          });
          return <Chart key={number} title={title} series={series} group="compare" />;
        })}
      </div>
      <Differences names={names} />
    </>
  );
}

/** Numbers that any run has more than one value of. */
const numbersOf = (runs: Curve[][]): string[] => [
  ...new Set(runs.flat().filter((curve) => curve.steps.length > 1).map((curve) => curve.name)),
];

function Differences({ names }: { names: string[] }) {
  const words = useWords();
  const runs = useAsked(
    (signal) => Promise.all(names.map((name) => answered(client.GET("/v1/runs/{name}", { params: { path: { name } }, signal })))),
    names.join("\n"),
  );
  if (!runs.data) return <Trouble fault={runs.fault} again={runs.again} />;
  const settings = runs.data.map((run) => flat(run.settings ?? {}));
  const keys = [...new Set(settings.flatMap((one) => Object.keys(one)))];
  const differing = keys.filter((key) => new Set(settings.map((one) => one[key])).size > 1);
  return (
    <section>
      <h2>{words.say("compare.settings")}</h2>
      {differing.length === 0 ? (
        <p className="soft">{words.say("compare.same")}</p>
      ) : (
        <div className="scroll" tabIndex={0} role="group" aria-label={words.say("compare.settings")}>
          <table>
            <thead>
              <tr>
                <th>{words.say("column.setting")}</th>
                {names.map((name) => (
                  <th key={name}>{name}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {differing.map((key) => (
                <tr key={key}>
                  <td>
                    <code>{key}</code>
                  </td>
                  {settings.map((one, at) => (
                    <td key={names[at]}>{one[key] ?? "–"}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

/** Settings by dotted key, each as it is written. */
export function flat(settings: Record<string, unknown>, before = ""): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([key, value]) =>
      value !== null && typeof value === "object" && !Array.isArray(value)
        ? Object.entries(flat(value as Record<string, unknown>, `${before}${key}.`))
        : [[`${before}${key}`, typeof value === "string" ? value : JSON.stringify(value)]],
    ),
  );
}
