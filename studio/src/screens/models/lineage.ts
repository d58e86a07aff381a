/** Where each thing of a lineage is drawn: what was made lies right of what it was made from. */

import type { Shown } from "../../api/client";

type Origin = Shown<"Origin">;

export interface Node {
  id: string;
  name: string;
  kind: string;
  stage: string;
  column: number;
  row: number;
}

export interface Drawing {
  nodes: Node[];
  edges: [string, string][]; // from what, to what
  columns: number;
  rows: number;
}

/** The short name of a path. */
export const shortName = (path: string): string => path.replace(/\/+$/, "").replace(/^(runs|uploads)\//, "").split("/").pop() ?? path;

/** Lays out a run and everything it was made from; what was used twice is drawn once. */
export function drawn(name: string, kind: string, stage: string, inputs: readonly Origin[]): Drawing {
  const depth = new Map<string, number>();
  const about = new Map<string, Omit<Node, "column" | "row" | "id">>();
  const edges = new Map<string, [string, string]>();
  const visit = (id: string, what: Omit<Node, "column" | "row" | "id">, from: readonly Origin[], level: number) => {
    about.set(id, what);
    depth.set(id, Math.max(depth.get(id) ?? 0, level));
    for (const one of from) {
      const inner = one.digest || one.path;
      edges.set(`${inner} ${id}`, [inner, id]);
      visit(inner, { name: shortName(one.path), kind: one.kind, stage: one.stage ?? "" }, one.inputs ?? [], level + 1);
    }
  };
  visit("", { name, kind, stage }, inputs, 0);
  const columns = Math.max(...depth.values()) + 1;
  const filled = new Array<number>(columns).fill(0);
  const nodes = [...about].map(([id, what]): Node => {
    const column = columns - 1 - (depth.get(id) ?? 0);
    const row = filled[column]!++;
    return { id, ...what, column, row };
  });
  return { nodes, edges: [...edges.values()], columns, rows: Math.max(...filled) };
}
