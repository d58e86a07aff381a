/** What the server says, asked again when something it depends on changes, the language too, or at intervals. */

import { useCallback, useEffect, useRef, useState } from "react";
import { usePreferences } from "../preferences";
import { Fault } from "./fault";

export interface Asked<T> {
  data?: T;
  fault?: Fault;
  again: () => void;
}

/**
 * ask    gives the answer; what an earlier question brought stays until the new answer is there
 * about  what the question is about: when it changes, nothing of the earlier answer is shown
 * every  milliseconds until it is asked again, from the answer; never when left out
 */
export function useAsked<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  about: string,
  every?: (data: T | undefined) => number,
): Asked<T> {
  const { language, key } = usePreferences();
  const [state, setState] = useState<{ about: string; data?: T; fault?: Fault }>({ about });
  const [turn, setTurn] = useState(0);
  const question = useRef({ ask, every });
  question.current = { ask, every };

  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const later = (data?: T) => {
      const wait = question.current.every?.(data);
      if (wait && !stop.signal.aborted) timer = setTimeout(go, wait);
    };
    const go = () => {
      question.current.ask(stop.signal).then(
        (data) => {
          if (stop.signal.aborted) return;
          setState({ about, data });
          later(data);
        },
        (reason: unknown) => {
          if (stop.signal.aborted) return;
          if (!(reason instanceof Fault)) throw reason;
          setState((before) => ({ about, fault: reason, data: before.about === about ? before.data : undefined }));
          later();
        },
      );
    };
    go();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [about, language, key, turn]);

  const again = useCallback(() => setTurn((before) => before + 1), []);
  return state.about === about ? { data: state.data, fault: state.fault, again } : { again };
}
