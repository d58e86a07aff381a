/** The built studio over a recorded server: nothing is listened to, every request is answered from files. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";

export type Language = "en" | "zh";
interface Answer {
  status: number;
  body: unknown;
}
interface Recorded {
  policy: string;
  answers: Record<string, Answer>;
}

const ROOT = join(import.meta.dirname, "../..");
const WEB = join(ROOT, "../src/langwright/serving/web");
const TYPES: Record<string, string> = { js: "text/javascript", css: "text/css", svg: "image/svg+xml", html: "text/html; charset=utf-8" };
const recorded = (language: Language): Recorded =>
  JSON.parse(readFileSync(join(ROOT, `tests/recorded/${language}.json`), "utf8")) as Recorded;
const RECORDED: Record<Language, Recorded> = { en: recorded("en"), zh: recorded("zh") };

export interface Server {
  asked: string[]; // method and path of all that was asked, in order
  changes: Record<string, Answer | "gone">; // answers instead of the recorded ones
}

/** Have a page meet the recorded server. What violates the page's policy, or breaks in it, is collected in `broken`. */
export async function meet(page: Page, language: Language, theme = "light"): Promise<Server & { broken: string[] }> {
  const server = { asked: [] as string[], changes: {} as Server["changes"], broken: [] as string[] };
  page.on("pageerror", (error) => server.broken.push(String(error)));
  page.on("console", (said) => {
    if (said.type() === "error" && !said.text().startsWith("Failed to load resource")) server.broken.push(said.text());
  });
  const kept = JSON.stringify({ language, theme });
  await page.addInitScript((value) => localStorage.getItem("langwright.studio") ?? localStorage.setItem("langwright.studio", value), kept);
  await page.route("**/*", async (route) => {
    const request = route.request();
    const url = new URL(request.url());
    if (!url.pathname.startsWith("/v1/")) {
      const file = url.pathname === "/" ? "index.html" : url.pathname.slice(1);
      const headers = { "Content-Security-Policy": RECORDED.en.policy, "Content-Type": TYPES[file.split(".").pop() ?? ""] ?? "" };
      return route.fulfill({ body: readFileSync(join(WEB, file)), headers });
    }
    const said: Language = (await request.headerValue("accept-language"))?.startsWith("zh") ? "zh" : "en";
    const name = `${request.method()} ${url.pathname}${url.search}`;
    server.asked.push(name);
    const answer = server.changes[name] ?? RECORDED[said].answers[name];
    if (answer === "gone") return route.abort();
    if (!answer) return route.fulfill({ status: 404, json: { error: { code: "not-recorded", params: {}, problem: name, fix: "" } } });
    return route.fulfill({ status: answer.status, json: answer.body as object });
  });
  return server;
}
