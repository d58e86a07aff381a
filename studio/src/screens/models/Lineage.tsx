/** From raw text to this, as a drawing; the same as a list for those who hear it. */

import type { Shown } from "../../api/client";
import { useWords } from "../../words";
import { drawn, type Node } from "./lineage";

const WIDE = 150;
const TALL = 44;
const ACROSS = 200;
const DOWN = 60;
const BELOW = 52;
const LONGEST = 19; // characters of a name that fit

export function Lineage({ run }: { run: Shown<"RunDetails"> }) {
  const words = useWords();
  const drawing = drawn(run.name, run.kind ?? "", run.stage, run.inputs ?? []);
  const at = (node: Node) => ({ x: node.column * ACROSS + 1, y: (node.row + (drawing.rows - inColumn(node.column)) / 2) * DOWN + 1 });
  const inColumn = (column: number) => drawing.nodes.filter((node) => node.column === column).length;
  const find = (id: string) => drawing.nodes.find((node) => node.id === id)!;
  const width = (drawing.columns - 1) * ACROSS + WIDE + 2;
  const height = drawing.rows * DOWN - (DOWN - TALL) + BELOW / 2;
  return (
    <>
      <div className="scroll" tabIndex={0} role="group" aria-label={words.say("models.lineage")}>
        <svg className="lineage" width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
          {drawing.edges.map(([from, into]) => {
            const start = at(find(from));
            const end = at(find(into));
            const [x, y, toX, toY] = [start.x + WIDE, start.y + TALL / 2, end.x, end.y + TALL / 2];
            const dip = find(into).column - find(from).column > 1 ? BELOW : 0; // below what lies between them
            return <path key={`${from} ${into}`} d={`M${x} ${y}C${x + 40} ${y + dip} ${toX - 40} ${toY + dip} ${toX} ${toY}`} />;
          })}
          {drawing.nodes.map((node) => (
            <g key={node.id} transform={`translate(${at(node).x} ${at(node).y})`} className={node.kind}>
              <rect width={WIDE} height={TALL} rx="6" />
              <text x="10" y="19">
                {node.name.length > LONGEST ? `${node.name.slice(0, LONGEST - 1)}…` : node.name}
              </text>
              <text x="10" y="35" className="small">
                {node.stage || words.say("data.file")}
              </text>
            </g>
          ))}
        </svg>
      </div>
      <ul className="hidden">
        {drawing.nodes
          .filter((node) => node.stage)
          .map((node) => {
            const inputs = drawing.edges.filter(([, into]) => into === node.id).map(([from]) => find(from).name);
            const values = { name: node.name, stage: node.stage, inputs: inputs.join(", ") };
            return <li key={node.id}>{words.say("models.lineage.said", values)}</li>;
          })}
      </ul>
    </>
  );
}
