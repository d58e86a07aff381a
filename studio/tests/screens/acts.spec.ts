/** What people do: change the language, lose the server, give a key, fill in a form, mark a word being composed. */

import { expect, test } from "@playwright/test";
import { meet } from "./server";

test("the language changes at once, and what the server says with it", async ({ page }) => {
  await meet(page, "en");
  await page.goto("/#/train");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Train");
  await page.goto("/#/settings");
  await page.getByLabel("中文").check();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("设置");
  expect(await page.evaluate(() => document.documentElement.lang)).toBe("zh-CN");
  await page.getByRole("link", { name: "训练", exact: true }).click();
  await expect(page.locator("option", { hasText: "pretrain ·" })).toContainText(/[一-鿿]/);
});

test("a server that is gone is said, and comes back by itself", async ({ page }) => {
  const server = await meet(page, "en");
  await page.goto("/#/train");
  await expect(page.getByRole("link", { name: "base", exact: true })).toBeVisible();
  server.changes["GET /v1/jobs"] = "gone";
  await expect(page.getByRole("alert")).toContainText("does not answer", { timeout: 10_000 });
  await expect(page.getByRole("link", { name: "base", exact: true })).toBeVisible(); // what was there stays
  delete server.changes["GET /v1/jobs"];
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("alert")).toHaveCount(0);
});

test("a server that asks for a key says where to give one, in either language", async ({ page }) => {
  const server = await meet(page, "en");
  const detail = { code: "this-server-asks-for-an-api-key", params: {}, problem: "p", fix: "f", param: null, type: "t", message: "m" };
  server.changes["GET /v1/jobs"] = { status: 401, body: { error: detail } };
  await page.goto("/");
  await expect(page.getByRole("alert").first()).toContainText("This server asks for a key.");
  await page.getByRole("link", { name: "Give a key" }).click();
  await page.getByLabel("中文").check();
  await expect(page.getByRole("alert").first()).toContainText("此服务器需要密钥");
});

test("a job is looked at, with what is learned in colour, and begun with the settings that were changed", async ({ page }) => {
  const server = await meet(page, "en");
  await page.goto("/#/train?stage=finetune&model=base&dataset=clean");
  await page.getByLabel("steps", { exact: true }).fill("4");
  await page.getByRole("button", { name: "Look first" }).click();
  await expect(page.locator("mark").first()).toBeVisible();
  await expect(page.getByText("Inputs and settings are fine.")).toBeVisible();
  let sent: unknown;
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith("/v1/jobs")) sent = request.postDataJSON();
  });
  server.changes["POST /v1/jobs"] = { status: 202, body: { name: "model-1" } };
  await page.getByRole("button", { name: "Begin", exact: true }).click();
  await expect(page).toHaveURL(/#\/train\/model-1$/);
  expect(sent).toMatchObject({ stage: "finetune", inputs: { model: ["base"], dataset: ["clean"] }, settings: { steps: 4 } });
});

test("a refusal stands at the form, and nothing typed is lost", async ({ page }) => {
  const server = await meet(page, "en");
  const detail = { code: "c", params: {}, problem: "steps = -1 is not allowed", fix: "give more", param: "settings.steps" };
  server.changes["POST /v1/jobs"] = { status: 422, body: { error: detail } };
  await page.goto("/#/train?stage=pretrain");
  await page.getByLabel("steps", { exact: true }).fill("-1");
  await page.getByRole("button", { name: "Begin", exact: true }).click();
  await expect(page.getByRole("alert")).toContainText("steps = -1");
  await expect(page.getByLabel("steps", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByLabel("steps", { exact: true })).toHaveValue("-1");
});

test("something is deleted only when its name is typed", async ({ page }) => {
  const server = await meet(page, "en");
  server.changes["DELETE /v1/datasets/clean?confirm=clean"] = { status: 200, body: { name: "clean", deleted: true } };
  await page.goto("/#/data/clean");
  await page.getByText("Delete", { exact: true }).first().click();
  const button = page.getByRole("button", { name: "Delete" });
  await expect(button).toBeDisabled();
  await page.getByLabel(/Type clean/).fill("clean");
  await button.click();
  await expect(page).toHaveURL(/#\/data$/);
  expect(server.asked).toContain("DELETE /v1/datasets/clean?confirm=clean");
});

test("the guided run begins jobs one after the other, and goes on after a reload", async ({ page }) => {
  const server = await meet(page, "en");
  const jobs = (...found: object[]) => ({ status: 200, body: { object: "list", data: found, cores: {} } });
  const job = (name: string, status: string) => ({ name, status, stage: "x", by: "api", metrics: {}, command: "" });
  const begun: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith("/v1/jobs")) begun.push((request.postDataJSON() as { name: string }).name);
  });
  server.changes["GET /v1/jobs"] = jobs();
  server.changes["POST /v1/jobs"] = { status: 202, body: {} };
  for (const language of ["en", "zh"]) server.changes[`POST /v1/samples/conversations.${language}.jsonl`] = { status: 201, body: {} };
  await page.goto("/");
  await page.getByRole("button", { name: "Begin", exact: true }).click();
  await expect.poll(() => begun).toEqual(["guide-talks"]);
  server.changes["GET /v1/jobs"] = jobs(job("guide-talks", "finished"));
  await page.reload();
  await expect.poll(() => begun).toEqual(["guide-talks", "guide-tokens"]);
});

test("the keyboard alone reaches the content and the tray", async ({ page }) => {
  await meet(page, "en");
  await page.goto("/");
  await page.keyboard.press("Tab");
  await expect(page.getByText("Skip to the content")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("main")).toBeFocused();
  await page.getByRole("button", { name: "No job at work" }).press("Enter");
  await expect(page.getByText("Jobs that wait or run are listed here.")).toBeVisible();
});

const HOSTILE = [
  "<img src=x onerror=\"document.title='hit'\">",
  "<script>document.title='hit'</script>",
  "[x](javascript:document.title='hit') [y](data:text/html,<script>1</script>) [z](/v1/keys)",
  "![a](https://images.example/a.png)",
  '<a href="https://x.example" onclick="x()" style="position:fixed" id="main" name="main" target="_top">a</a>',
  "<form action=/v1/keys method=post><button>Go</button><input name=a></form>",
  "<iframe src=/></iframe><svg onload=x()><a href=javascript:x()>b</a></svg><math><mtext><style>",
  "<style>body{display:none}</style><base href=https://x.example><meta http-equiv=refresh content=0>",
];

test("what a model writes loads nothing, runs nothing, and changes nothing of the page", async ({ page }) => {
  const server = await meet(page, "en");
  const outside: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith("http://studio.test/")) outside.push(request.url());
  });
  server.changes["GET /v1/served"] = { status: 200, body: { object: "list", data: [{ name: "guide-chat", inputs: [], adapters: [] }], memory: 1, free: 1 } };
  await page.goto("/");
  for (const [number, text] of [...HOSTILE, "**粗** `code`\n\n- مرحبا 🙂"].entries()) {
    server.changes["POST /v1/chat/completions"] = { status: 200, body: { choices: [{ message: { content: text } }] } };
    await page.getByLabel("Your question").fill(`question ${number}`);
    await page.getByRole("button", { name: "Ask", exact: true }).click();
    await expect(page.getByText(`question ${number}`)).toBeVisible();
  }
  const made = page.locator(".talk .markdown");
  await expect(made).toHaveCount(HOSTILE.length + 1);
  expect(await made.locator("img, script, style, form, button, input, iframe, svg, math, base, meta, [onclick], [onerror], [style], [id], [target]").count()).toBe(0);
  const links = await made.locator("a").evaluateAll((found) => found.map((one) => one.getAttribute("href")));
  expect(links.filter((link) => link && !/^https?:/.test(link))).toEqual([]);
  await expect(made.last().locator("strong")).toHaveText("粗");
  await expect(made.last().locator("li")).toHaveText("مرحبا 🙂");
  // Where DOMPurify takes the text apart, which is no part of the page, the policy says what it refused there.
  const broken = server.broken.filter((said) => !said.includes("Content Security Policy"));
  expect([await page.title(), page.url(), outside, broken]).toEqual(["Home · Langwright", "http://studio.test/", [], []]);
});
