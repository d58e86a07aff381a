/** Something that went wrong, and what to do about it. */

import type { Fault } from "../api/fault";
import { useWords } from "../words";

export function Trouble({ fault, again }: { fault?: Fault; again?: () => void }) {
  const words = useWords();
  if (!fault) return null;
  const { problem, fix } = fault.said(words);
  return (
    <div className="trouble" role="alert">
      <p>
        <strong>{problem}</strong>
        {fix && <span> {fix}</span>}
      </p>
      {again && <button onClick={again}>{words.say("frame.again")}</button>}
    </div>
  );
}
