/** What went wrong, by its code and parameters, so that it can be said in any language at any time. */

import type { Speech } from "../words";
import type { components } from "./schema";

type Detail = components["schemas"]["ErrorDetail"];

export class Fault extends Error {
  constructor(
    readonly status: number,
    readonly detail: Pick<Detail, "code" | "params" | "problem" | "fix">,
    readonly param: string | null = null,
  ) {
    super(detail.code);
  }

  /** What to tell a person: our own words where we have them for this code, else the server's sentence. */
  said(words: Speech): { problem: string; fix: string } {
    const { code, params, problem, fix } = this.detail;
    const values = Object.fromEntries(Object.entries(params).map(([name, value]) => [name, value ?? "–"])) as Record<
      string,
      string | number
    >;
    const known = words.maybe(`fault.${code}`, values);
    return known ? { problem: known, fix: words.maybe(`fault.${code}.fix`, values) ?? fix } : { problem, fix };
  }
}

const own = (code: string, status = 0): Fault => new Fault(status, { code, params: {}, problem: code, fix: "" });

/** No answer came at all. */
export const unreachable = (): Fault => own("unreachable");

/** An answer that is not a success, whatever stands in it. */
export function faultOf(body: unknown, status: number): Fault {
  const detail = (body as { error?: Partial<Detail> } | undefined)?.error;
  if (typeof detail?.code !== "string") return own("strange-answer", status);
  const { code, params = {}, problem = code, fix = "", param = null } = detail;
  return new Fault(status, { code, params, problem, fix }, param);
}
