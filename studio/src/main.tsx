import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/parts.css";
import "./styles/screens.css";
import { JobsProvider } from "./api/jobs";
import { App } from "./App";

const place = document.getElementById("studio");
if (place) {
  createRoot(place).render(
    <StrictMode>
      <JobsProvider>
        <App />
      </JobsProvider>
    </StrictMode>,
  );
}
