/** Every screen, both languages, light and dark: it opens, says what it should, and axe finds nothing serious in it. */

import AxeBuilder from "@axe-core/playwright";
import { expect, type Page, test } from "@playwright/test";
import { type Language, meet } from "./server";

const SCREENS: [string, string, RegExp][] = [
  ["home", "#/", /Workshop|工作间/],
  ["data", "#/data", /^Data$|^数据$/],
  ["data-set", "#/data/clean", /clean/],
  ["file", "#/data/conversations.en.jsonl", /conversations/],
  ["train", "#/train", /^Train$|^训练$/],
  ["train-teach", "#/train?stage=finetune&model=base", /^Train$|^训练$/],
  ["run", "#/train/base", /base/],
  ["compare", "#/train?with=base&with=faster", /Compare|比较/],
  ["models", "#/models", /^Models$|^模型$/],
  ["model", "#/models/base", /base/],
  ["settings", "#/settings", /^Settings$|^设置$/],
];
const SHOTS = process.env.SCREENSHOTS; // a folder, when pictures are wanted

for (const language of ["en", "zh"] as Language[]) {
  for (const theme of ["light", "dark"]) {
    for (const [name, address, title] of SCREENS) {
      test(`${name} ${language} ${theme}`, async ({ page }) => {
        const server = await meet(page, language, theme);
        await page.goto(`/${address}`);
        await expect(page.getByRole("heading", { level: 1 })).toHaveText(title);
        await page.waitForLoadState("networkidle");
        await expect(page.getByRole("alert")).toHaveCount(0);
        const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21aa"]).analyze();
        expect(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`)).toEqual([]);
        expect(server.broken).toEqual([]);
        if (SHOTS) await shot(page, `${SHOTS}/${name}-${language}-${theme}.png`);
      });
    }
  }
}

/** A picture of the whole page, what sticks to its foot at its foot. */
async function shot(page: Page, path: string): Promise<void> {
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width: 1280, height: Math.max(720, height) });
  await page.screenshot({ path });
}

test("no screen is wider than a telephone", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await meet(page, "zh");
  for (const [name, address] of SCREENS) {
    await page.goto(`/${address}`);
    await page.waitForLoadState("networkidle");
    expect([name, await page.evaluate(() => document.documentElement.scrollWidth)]).toEqual([name, 360]);
    if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}-narrow.png` });
  }
});
