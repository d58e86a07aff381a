/** The frame: the ways to the screens, the screen, the jobs at its foot. */

import { Suspense, useEffect } from "react";
import { useJobs } from "./api/jobs";
import { Banner } from "./parts/Banner";
import { Rail } from "./parts/Rail";
import { Tray } from "./parts/Tray";
import { useRoute } from "./route";
import { SCREENS } from "./screens";
import { useWords } from "./words";

export function App() {
  const words = useWords();
  const route = useRoute();
  const jobs = useJobs();
  const name = Object.hasOwn(SCREENS, route.screen) ? route.screen : "home";
  const Screen = SCREENS[name]!.show;
  const title = words.maybe(`screen.${name}`) ?? "";

  useEffect(() => {
    document.title = `${title} · Langwright`;
  }, [title]);

  return (
    <div className="frame">
      <a className="skip" href="#main" onClick={(event) => focusMain(event)}>
        {words.say("frame.skip")}
      </a>
      <Rail screen={name} />
      <main id="main" tabIndex={-1}>
        <Banner fault={jobs.fault} again={jobs.again} />
        <Suspense fallback={<p className="soft">{words.say("frame.loading")}</p>}>
          <Screen key={name} route={route} />
        </Suspense>
      </main>
      <Tray jobs={jobs.data?.data ?? []} again={jobs.again} />
    </div>
  );
}

/** The address holds the screen, so a link within the page must not change it. */
function focusMain(event: React.MouseEvent): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
