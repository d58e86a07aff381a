/** Where the page is: `#/train/base?with=chat` is the screen train, its part base, and what goes with it. */

import { useSyncExternalStore } from "react";

export interface Route {
  screen: string;
  part: string;
  query: URLSearchParams;
}

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [screen = "", ...rest] = path.split("/");
  return { screen: screen || "home", part: rest.map(decoded).join("/"), query: new URLSearchParams(query) };
}

/** The address of a screen, of a part of it, and what goes with it. */
export function to(screen: string, part = "", query: Record<string, string> = {}): string {
  const path = part ? `/${part.split("/").map(encodeURIComponent).join("/")}` : "";
  const after = new URLSearchParams(query).toString();
  return `#/${screen}${path}${after ? `?${after}` : ""}`;
}

export function go(address: string): void {
  location.hash = address;
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(
    (listener) => {
      addEventListener("hashchange", listener);
      return () => removeEventListener("hashchange", listener);
    },
    () => location.hash,
  );
  return parse(hash);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
