import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: "tests",
  testMatch: /(screens|real)\/.*\.spec\.ts/,
  workers: 1,
  timeout: 30_000,
  reporter: "line",
  use: {
    baseURL: "http://studio.test",
    launchOptions: { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] },
  },
});
