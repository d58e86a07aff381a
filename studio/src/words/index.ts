/** What the studio says, in both languages; numbers and dates as the language has them. */

import { type Language, usePreferences } from "../preferences";
import en from "./en.json";
import zh from "./zh.json";

export type Key = keyof typeof en;
export type Values = Record<string, string | number>;

const WORDS: Record<Language, Record<Key, string>> = { en, zh };
const LOCALE: Record<Language, string> = { en: "en-GB", zh: "zh-CN" };
const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** Everything that turns values into text, in one language. */
export class Speech {
  constructor(readonly language: Language) {}

  /** A sentence; one written `one thing | {count} things` takes its form from `count`. */
  say = (key: Key, values: Values = {}): string => {
    const forms = WORDS[this.language][key].split(" | ");
    const one = new Intl.PluralRules(LOCALE[this.language]).select(Number(values.count ?? 2)) === "one";
    const form = (forms.length > 1 && one ? forms[0] : forms.at(-1)) ?? key;
    return form.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = values[name];
      return typeof value === "number" ? this.number(value) : (value ?? whole);
    });
  };

  /** A sentence that may not be known, such as one named by a server's word. */
  maybe = (key: string, values: Values = {}): string | undefined =>
    Object.hasOwn(en, key) ? this.say(key as Key, values) : undefined;

  number = (value: number): string => {
    const digits = Number.isInteger(value) ? {} : { maximumSignificantDigits: 4 };
    return new Intl.NumberFormat(LOCALE[this.language], digits).format(value);
  };

  share = (value: number): string =>
    new Intl.NumberFormat(LOCALE[this.language], { style: "percent", maximumFractionDigits: 1 }).format(value);

  bytes = (value: number): string => {
    const power = value < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(value) / 3));
    const digits = { maximumFractionDigits: power ? 1 : 0 };
    return `${new Intl.NumberFormat(LOCALE[this.language], digits).format(value / 1000 ** power)} ${UNITS[power]}`;
  };

  /** Seconds since 1970, or what a date may be read from. */
  time = (value: number | string): string =>
    new Intl.DateTimeFormat(LOCALE[this.language], { dateStyle: "medium", timeStyle: "short" }).format(
      new Date(typeof value === "number" ? value * 1000 : value),
    );

  duration = (seconds: number): string => {
    const whole = Math.round(seconds);
    if (whole < 60) return this.say("time.seconds", { count: whole });
    if (whole < 3600) return this.say("time.minutes", { minutes: Math.floor(whole / 60), seconds: whole % 60 });
    return this.say("time.hours", { hours: Math.floor(whole / 3600), minutes: Math.floor((whole % 3600) / 60) });
  };
}

const SPEECH: Record<Language, Speech> = { en: new Speech("en"), zh: new Speech("zh") };

export const speech = (language: Language): Speech => SPEECH[language];

export function useWords(): Speech {
  return SPEECH[usePreferences().language];
}
