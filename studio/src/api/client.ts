/** Our API, typed from its OpenAPI document; a refusal is thrown as a Fault. */

import createClient from "openapi-fetch";
import { preferences } from "../preferences";
import { faultOf, unreachable } from "./fault";
import type { components, paths } from "./schema";

export type Shown<Name extends keyof components["schemas"]> = components["schemas"][Name];
export type Job = Shown<"JobShown">;
export type Run = Shown<"RunShown">;

/** The headers of every request: the language, and the key where there is one. */
export function headers(): Record<string, string> {
  const { language, key } = preferences();
  return { "Accept-Language": language, ...(key && { Authorization: `Bearer ${key}` }) };
}

export const client = createClient<paths>({ fetch: (request: Request) => globalThis.fetch(request) });
client.use({
  onRequest({ request }) {
    for (const [name, value] of Object.entries(headers())) request.headers.set(name, value);
    return request;
  },
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of an answer; a Fault when it is none, or none came. */
export async function answered<T>(call: Promise<Answer<T>>): Promise<T> {
  let found: Answer<T>;
  try {
    found = await call;
  } catch (reason) {
    if (reason instanceof DOMException && reason.name === "AbortError") throw reason;
    throw reason instanceof SyntaxError ? faultOf(undefined, 200) : unreachable();
  }
  if (!found.response.ok) throw faultOf(found.error, found.response.status);
  return found.data as T;
}
