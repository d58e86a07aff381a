/** Something that is done when a person asks for it: whether it is under way, and why it failed. */

import { useState } from "react";
import { Fault } from "./fault";

export interface Act {
  busy: boolean;
  fault?: Fault;
  run: (work: () => Promise<unknown>) => Promise<boolean>;
  clear: () => void;
}

export function useAct(): Act {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<Fault>();
  const run = async (work: () => Promise<unknown>): Promise<boolean> => {
    setBusy(true);
    setFault(undefined);
    try {
      await work();
      return true;
    } catch (reason) {
      if (!(reason instanceof Fault)) throw reason;
      setFault(reason);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, fault, run, clear: () => setFault(undefined) };
}
