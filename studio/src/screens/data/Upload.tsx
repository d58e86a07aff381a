/** Files from this computer, dropped or chosen, each with how far it is. */

import { type DragEvent, useRef, useState } from "react";
import { Fault } from "../../api/fault";
import { type Sending, send } from "../../api/upload";
import { Trouble } from "../../parts/Trouble";
import { useWords } from "../../words";

interface Coming {
  name: string;
  share: number;
  fault?: Fault;
}

export function Upload({ names, done }: { names: string[]; done: () => void }) {
  const words = useWords();
  const [coming, setComing] = useState<Coming[]>([]);
  const [over, setOver] = useState(false);
  const sendings = useRef(new Map<string, Sending>());
  const change = (name: string, with_: Partial<Coming>) =>
    setComing((before) => before.map((one) => (one.name === name ? { ...one, ...with_ } : one)));
  const leave = (name: string) => setComing((before) => before.filter((one) => one.name !== name));

  const take = async (file: File) => {
    const name = nameFor(file.name, [...names, ...sendings.current.keys()]);
    setComing((before) => [...before.filter((one) => one.name !== name), { name, share: 0 }]);
    const sending = send(file, name, (share) => change(name, { share }));
    sendings.current.set(name, sending);
    try {
      await sending.done;
      leave(name);
      done();
    } catch (reason) {
      if (!(reason instanceof Fault)) throw reason;
      change(name, { fault: reason });
    } finally {
      sendings.current.delete(name);
    }
  };
  const dropped = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    for (const file of event.dataTransfer.files) void take(file);
  };

  return (
    <section
      className={over ? "drop over" : "drop"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={dropped}
    >
      <label>
        <b>{words.say("upload.choose")}</b> <span className="soft">{words.say("upload.kinds")}</span>
        <input
          type="file"
          multiple
          onChange={(event) => {
            for (const file of event.target.files ?? []) void take(file);
            event.target.value = "";
          }}
        />
      </label>
      <ul>
        {coming.map((one) => (
          <li key={one.name}>
            <span>{one.name}</span>
            {one.fault ? (
              <Trouble fault={one.fault} />
            ) : (
              <progress value={one.share} max={1} aria-label={words.say("upload.progress", { name: one.name })} />
            )}
            <button onClick={() => (one.fault ? leave(one.name) : sendings.current.get(one.name)?.stop())}>
              {words.say(one.fault ? "frame.dismiss" : "job.cancel")}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** A name that the server takes and has not yet: letters, digits and a few signs. */
export function nameFor(given: string, taken: string[]): string {
  const plain = given.normalize("NFC").replace(/[^\p{L}\p{N}_.+-]+/gu, "-").replace(/^[^\p{L}\p{N}_]+/u, "") || "text.txt";
  const dot = plain.lastIndexOf(".");
  const [stem, ending] = dot > 0 ? [plain.slice(0, dot), plain.slice(dot)] : [plain, ""];
  for (let number = 1; ; number++) {
    const name = number === 1 ? plain : `${stem}-${number}${ending}`;
    if (!taken.includes(name)) return name;
  }
}
