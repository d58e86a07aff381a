/** Curves over the steps, of one number in one or more runs; charts of the same group share their cursor. */

import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { usePreferences } from "../preferences";
import { useWords } from "../words";

export interface Series {
  name: string;
  steps: number[];
  values: (number | null)[];
}

interface Props {
  title: string;
  series: Series[];
  group: string;
  height?: number;
}

/** Colours that stay apart for those who see few of them, in light and dark alike (after Okabe and Ito, 2008). */
const LIGHT = ["#17575f", "#b04a00", "#6a4c9c", "#8a6d00", "#1e6fb8", "#a3306e"];
const DARK = ["#7fc6c9", "#f0a35e", "#b8a1e6", "#e3cf57", "#7db8ee", "#ee92c0"];

export function Chart({ title, series, group, height = 220 }: Props) {
  const words = useWords();
  const { theme, language } = usePreferences();
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(null);
  const data = joined(series);
  const latest = useRef(data);
  latest.current = data;
  const names = series.map((one) => one.name).join("\n");

  useEffect(() => {
    if (!place.current) return;
    const dark = getComputedStyle(place.current).colorScheme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
    const ink = getComputedStyle(document.documentElement);
    const axis: uPlot.Axis = {
      stroke: ink.getPropertyValue("--soft"),
      grid: { stroke: ink.getPropertyValue("--line"), width: 1 },
      ticks: { stroke: ink.getPropertyValue("--line"), width: 1 },
      values: (_, ticks) => ticks.map((tick) => words.number(tick)),
    };
    const options: uPlot.Options = {
      width: place.current.clientWidth || 400,
      height,
      scales: { x: { time: false } },
      axes: [axis, { ...axis, size: 64 }],
      cursor: { sync: { key: group } },
      legend: { live: true },
      series: [
        { label: words.say("column.step") },
        ...names.split("\n").map((name, at) => ({
          label: name,
          stroke: (dark ? DARK : LIGHT)[at % LIGHT.length],
          width: 1.5,
          spanGaps: false,
          points: { show: false },
          dash: at >= LIGHT.length ? [6, 4] : undefined,
          value: (_: uPlot, value: number | null) => (value === null ? "–" : words.number(value)),
        })),
      ],
    };
    const made = new uPlot(options, latest.current, place.current);
    chart.current = made;
    const watcher = new ResizeObserver(([entry]) => {
      if (entry) made.setSize({ width: entry.contentRect.width, height });
    });
    watcher.observe(place.current);
    return () => {
      watcher.disconnect();
      made.destroy();
      chart.current = null;
    };
  }, [names, group, height, theme, language]);

  useEffect(() => chart.current?.setData(latest.current), [series]);

  const last = series.map((one) => `${one.name} ${lastOf(one.values) ?? "–"}`).join(", ");
  return (
    <figure className="chart">
      <figcaption>{title}</figcaption>
      <div ref={place} role="img" aria-label={`${title}: ${last}`} />
    </figure>
  );
}

const lastOf = (values: (number | null)[]): number | null | undefined => values.findLast((value) => value !== null);

/** Several runs over one axis: every step that any of them has; a run without a value there is left out there. */
export function joined(series: Series[]): uPlot.AlignedData {
  if (series.length === 1 && series[0]) return [series[0].steps, series[0].values];
  const steps = [...new Set(series.flatMap((one) => one.steps))].sort((one, other) => one - other);
  const columns = series.map((one) => {
    const known = new Map(one.steps.map((step, at) => [step, one.values[at]]));
    return steps.map((step) => known.get(step)); // undefined is no gap to uPlot, null is one
  });
  return [steps, ...columns] as uPlot.AlignedData;
}
