/** What this browser remembers: the language, the theme, the key. Shared by every tab. */

import { useSyncExternalStore } from "react";

export type Language = "en" | "zh";
export type Theme = "system" | "light" | "dark";

export interface Preferences {
  language: Language;
  theme: Theme;
  key: string;
}

const PLACE = "langwright.studio";
const listeners = new Set<() => void>();
let current = read();

function read(): Preferences {
  const begin: Preferences = {
    language: navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en",
    theme: "system",
    key: "",
  };
  try {
    return { ...begin, ...(JSON.parse(localStorage.getItem(PLACE) ?? "{}") as Partial<Preferences>) };
  } catch {
    return begin; // what lies there is not ours, or storage is forbidden
  }
}

/** Put the language and the theme on the page itself. */
function show(): void {
  document.documentElement.lang = current.language === "zh" ? "zh-CN" : "en";
  document.documentElement.dataset.theme = current.theme;
}

function told(next: Preferences): void {
  current = next;
  show();
  listeners.forEach((listener) => listener());
}

export function prefer(change: Partial<Preferences>): void {
  told({ ...current, ...change });
  try {
    localStorage.setItem(PLACE, JSON.stringify(current));
  } catch {
    // it holds for this tab, then
  }
}

export const preferences = (): Preferences => current;

export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, preferences);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

window.addEventListener("storage", (event) => {
  if (event.key === PLACE) told(read());
});
show();
