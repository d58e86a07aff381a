/** One setting: its name, what it is, what it may be; empty means the default. */

import { useId } from "react";
import type { Shown } from "../../api/client";
import { useWords } from "../../words";
import { fieldOf, type Json, type Schema, typed } from "./fields";

interface Props {
  setting: Shown<"SettingShown">;
  schema: Schema;
  value: string;
  wrong: boolean;
  change: (value: string) => void;
}

export function SettingField({ setting, schema, value, wrong, change }: Props) {
  const words = useWords();
  const id = useId();
  const field = fieldOf(schema, setting.key);
  const usual = typed(setting.default as Json);
  const told = setting.required ? words.say("train.required") : usual && words.say("train.default", { value: usual });
  const options = field.kind === "yes-no" ? ["true", "false"] : field.options;
  return (
    <div className={value ? "field changed" : "field"}>
      <label htmlFor={id}>
        <code>{setting.key}</code>
      </label>
      {options.length > 0 ? (
        <select id={id} value={value} aria-describedby={`${id}-help`} aria-invalid={wrong} onChange={(event) => change(event.target.value)}>
          <option value="">{usual || "–"}</option>
          {options.filter((option) => option !== usual).map((option) => (
            <option key={option}>{option}</option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          value={value}
          placeholder={usual}
          inputMode={field.kind === "number" ? "decimal" : undefined}
          spellCheck={false}
          required={setting.required}
          aria-describedby={`${id}-help`}
          aria-invalid={wrong}
          onChange={(event) => change(event.target.value)}
        />
      )}
      <small id={`${id}-help`} className="soft">
        {[setting.help, options.length === 0 && setting.allowed, told].filter(Boolean).join(" · ")}
      </small>
    </div>
  );
}
