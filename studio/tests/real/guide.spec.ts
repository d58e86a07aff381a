/** Against a real server, whose address is STUDIO_URL: the guided run to a model that answers; a training cancelled and resumed. */

import { expect, test } from "@playwright/test";

const URL = process.env.STUDIO_URL ?? "";
const SHOTS = process.env.SCREENSHOTS;
const MINUTES = 60_000;

test.skip(!URL, "no STUDIO_URL");
test.setTimeout(15 * MINUTES);

test.beforeEach(({ page }) =>
  page.addInitScript(() => localStorage.setItem("langwright.studio", JSON.stringify({ language: "en", theme: "light" }))),
);

test("from nothing to a model that answers, with a reload on the way", async ({ page }) => {
  const broken: string[] = [];
  page.on("pageerror", (error) => broken.push(String(error)));
  await page.goto(URL);
  const begun = Date.now();
  await page.getByRole("button", { name: "Begin", exact: true }).click();
  const steps = page.locator(".guide > ol > li");
  await expect(steps.nth(1)).toHaveClass(/finished/, { timeout: 5 * MINUTES });
  await page.reload();
  await expect(steps.nth(2)).toHaveClass(/running/, { timeout: 2 * MINUTES });
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/guide-running.png`, fullPage: true });
  await expect(steps.nth(3)).toHaveClass(/finished/, { timeout: 10 * MINUTES });
  await page.getByRole("button", { name: "Load the model and ask it" }).click();
  await page.getByLabel("Your question").fill("What is a tokenizer?");
  await page.getByLabel("Your question").press("Enter");
  const answer = page.locator(".talk .markdown").first();
  await expect(answer).toHaveText(/\w+/, { timeout: MINUTES });
  console.log(`guided run: ${Math.round((Date.now() - begun) / 1000)} s; it answered: ${await answer.textContent()}`);
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/guide-done.png`, fullPage: true });
  await page.goto(`${URL}/#/train/guide-base`);
  await expect(page.locator(".chart canvas").first()).toBeVisible();
  await page.goto(`${URL}/#/models/guide-chat`);
  await expect(page.locator(".lineage g")).toHaveCount(6);
  expect(broken).toEqual([]);
});

test("a training is begun from the form, watched, cancelled, and goes on", async ({ page }) => {
  await page.goto(`${URL}/#/train?stage=pretrain&dataset=guide-talks&tokenizer=guide-tokens`);
  await page.getByLabel("preset", { exact: true }).fill("tiny");
  await page.getByLabel("minutes", { exact: true }).fill("20");
  await page.getByRole("button", { name: "Begin", exact: true }).click();
  await expect(page).toHaveURL(/#\/train\/model-\d+$/);
  await expect(page.locator(".chart canvas").first()).toBeVisible({ timeout: 3 * MINUTES });
  await page.locator("main").getByRole("button", { name: "Cancel" }).click();
  await expect(page.locator("main .status")).toHaveText("stopped", { timeout: 2 * MINUTES });
  await page.getByRole("button", { name: "Resume" }).click();
  await expect(page.locator("main .status")).toHaveText("running", { timeout: 2 * MINUTES });
  await page.locator("main").getByRole("button", { name: "Cancel" }).click();
  await expect(page.locator("main .status")).toHaveText("stopped", { timeout: 2 * MINUTES });
});
