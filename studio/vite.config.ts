import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  base: "/",
  build: {
    outDir: "../src/langwright/serving/web",
    emptyOutDir: true,
    assetsInlineLimit: 0, // the server's Content-Security-Policy lets nothing inline in
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/v1": "http://127.0.0.1:8000", "/health": "http://127.0.0.1:8000" } },
  test: { environment: "happy-dom", include: ["tests/units/**/*.test.{ts,tsx}"] },
});
