/** The ways to the screens. */

import { to } from "../route";
import { SCREENS } from "../screens";
import { useWords } from "../words";

export function Rail({ screen }: { screen: string }) {
  const words = useWords();
  return (
    <nav className="rail" aria-label={words.say("frame.screens")}>
      <a className="brand" href={to("home")}>
        Langwright
      </a>
      <ul>
        {Object.keys(SCREENS).map((name) => (
          <li key={name}>
            <a href={to(name)} aria-current={name === screen ? "page" : undefined}>
              {words.maybe(`screen.${name}`)}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
