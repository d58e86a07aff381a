/** The settings of a stage: the important ones at once, all of them when asked. */

import { useState } from "react";
import type { Shown } from "../../api/client";
import { useWords } from "../../words";
import { counts, plain } from "./fields";
import { SettingField } from "./SettingField";

interface Props {
  stage: Shown<"StageDetails">;
  values: Record<string, string>;
  change: (values: Record<string, string>) => void;
  wrong?: string;
}

export function SettingsForm({ stage, values, change, wrong }: Props) {
  const words = useWords();
  const [find, setFind] = useState("");
  const rules = plain(stage.settings);
  const first = new Set(Object.values(stage.options));
  const shown = stage.settings.filter((_, at) => counts(rules[at]!, rules, values));
  const important = shown.filter((one) => first.has(one.key) || one.required);
  const others = shown.filter((one) => !important.includes(one));
  const sought = others.filter((one) => `${one.key} ${one.help}`.toLowerCase().includes(find.toLowerCase()));
  const field = (one: Shown<"SettingShown">) => (
    <SettingField
      key={one.key}
      setting={one}
      schema={stage.settings_schema}
      value={values[one.key] ?? ""}
      wrong={one.key === wrong}
      change={(value) => change({ ...values, [one.key]: value })}
    />
  );
  return (
    <fieldset className="settings">
      <legend>{words.say("train.settings")}</legend>
      <div className="fields">{important.map(field)}</div>
      <details open={others.some((one) => one.key === wrong) || undefined}>
        <summary>{words.say("train.all", { count: others.length })}</summary>
        <input
          type="search"
          value={find}
          aria-label={words.say("column.setting")}
          placeholder={words.say("column.setting")}
          onChange={(event) => setFind(event.target.value)}
        />
        <div className="fields">{sought.map(field)}</div>
      </details>
    </fieldset>
  );
}
