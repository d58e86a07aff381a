/** What hinders everything: the server is gone, or asks for a key. It leaves by itself. */

import type { Fault } from "../api/fault";
import { to } from "../route";
import { useWords } from "../words";

export function Banner({ fault, again }: { fault?: Fault; again: () => void }) {
  const words = useWords();
  if (!fault) return null;
  const { problem, fix } = fault.said(words);
  const asksKey = fault.status === 401 || fault.status === 403;
  return (
    <div className="banner" role="alert">
      <p>
        <strong>{problem}</strong> {fix}
      </p>
      {asksKey ? <a href={to("settings")}>{words.say("frame.key")}</a> : <button onClick={again}>{words.say("frame.again")}</button>}
    </div>
  );
}
