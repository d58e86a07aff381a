/** Enter that sends: not while a Chinese, Japanese or Korean word is being composed, and not with Shift. */

import type { KeyboardEvent } from "react";

export function sends(event: Pick<KeyboardEvent, "key" | "shiftKey" | "nativeEvent">): boolean {
  const composing = event.nativeEvent.isComposing || event.nativeEvent.keyCode === 229; // Safari ends it too early
  return event.key === "Enter" && !event.shiftKey && !composing;
}
