/** Every screen, in the order of the rail: each is loaded when it is first opened. */

import { type ComponentType, lazy } from "react";
import type { Route } from "../route";
import { Home } from "./home/Home";

export interface Shows {
  route: Route;
}

interface Screen {
  show: ComponentType<Shows>;
}

export const SCREENS: Record<string, Screen> = {
  home: { show: Home },
  data: { show: lazy(async () => ({ default: (await import("./data/Data")).Data })) },
  train: { show: lazy(async () => ({ default: (await import("./train/Train")).Train })) },
  models: { show: lazy(async () => ({ default: (await import("./models/Models")).Models })) },
  settings: { show: lazy(async () => ({ default: (await import("./settings/Settings")).Settings })) },
};
