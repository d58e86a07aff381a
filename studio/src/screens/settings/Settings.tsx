/** What this browser prefers, and the key it shows the server. */

import { useState } from "react";
import { answered, client } from "../../api/client";
import { useAsked } from "../../api/useAsked";
import { Trouble } from "../../parts/Trouble";
import { type Language, prefer, type Theme, usePreferences } from "../../preferences";
import { useWords } from "../../words";

const LANGUAGES: Record<Language, string> = { en: "English", zh: "中文" };
const THEMES: Theme[] = ["system", "light", "dark"];

export function Settings() {
  const words = useWords();
  const { language, theme, key } = usePreferences();
  return (
    <>
      <h1>{words.say("screen.settings")}</h1>
      <fieldset className="choice">
        <legend>{words.say("settings.language")}</legend>
        {Object.entries(LANGUAGES).map(([value, name]) => (
          <label key={value} lang={value === "zh" ? "zh-CN" : "en"}>
            <input
              type="radio"
              name="language"
              checked={language === value}
              onChange={() => prefer({ language: value as Language })}
            />
            {name}
          </label>
        ))}
      </fieldset>
      <fieldset className="choice">
        <legend>{words.say("settings.theme")}</legend>
        {THEMES.map((value) => (
          <label key={value}>
            <input type="radio" name="theme" checked={theme === value} onChange={() => prefer({ theme: value })} />
            {words.say(`settings.theme.${value}` as "settings.theme.system")}
          </label>
        ))}
      </fieldset>
      <KeyForm key={key} kept={key} />
    </>
  );
}

function KeyForm({ kept }: { kept: string }) {
  const words = useWords();
  const [given, setGiven] = useState(kept);
  const me = useAsked((signal) => answered(client.GET("/v1/me", { signal })), "me");
  return (
    <section>
      <h2>{words.say("settings.key")}</h2>
      <p className="soft">{words.say("settings.key.why")}</p>
      <form
        className="line"
        onSubmit={(event) => {
          event.preventDefault();
          prefer({ key: given.trim() });
        }}
      >
        <input
          type="password"
          autoComplete="off"
          spellCheck={false}
          aria-label={words.say("settings.key")}
          placeholder="lw-…"
          value={given}
          onChange={(event) => setGiven(event.target.value)}
        />
        <button className="main" disabled={given.trim() === kept}>
          {words.say("settings.key.keep")}
        </button>
        {kept && (
          <button type="button" onClick={() => prefer({ key: "" })}>
            {words.say("settings.key.forget")}
          </button>
        )}
      </form>
      <Trouble fault={me.fault} again={me.again} />
      {me.data && (
        <p>
          {words.say("settings.key.allows")} {me.data.scopes.map((scope) => words.maybe(`scope.${scope}`) ?? scope).join(" · ")}
        </p>
      )}
    </section>
  );
}
