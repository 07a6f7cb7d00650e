/** The product's name, and the switch between light and dark. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import icon from "../icon.svg";

const STORED = "console-theme";
const THEMES = ["system", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];

export function Brand(): VNode {
  return (
    <span class="brand">
      <img src={`/console/${icon.replace(/^.*\//, "")}`} alt="" width="24" height="24" />
      AI Edge Interceptor
    </span>
  );
}

/** Before the first paint of the application. */
export function applyStoredTheme(): void {
  apply(readTheme());
}

/** Storage can be switched off: then the choice lasts until the page is left. */
function readTheme(): Theme {
  try {
    const stored = localStorage.getItem(STORED);
    return THEMES.find((theme) => theme === stored) ?? "system";
  } catch {
    return "system";
  }
}

function apply(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
  // Charts are drawn on a canvas, which no stylesheet reaches.
  dispatchEvent(new Event("console-theme"));
}

export function ThemeSwitch(): VNode {
  const [theme, setTheme] = useState(readTheme);
  const choose = (event: Event): void => {
    const chosen = THEMES.find((one) => one === (event.currentTarget as HTMLSelectElement).value) ?? "system";
    setTheme(chosen);
    apply(chosen);
    try {
      localStorage.setItem(STORED, chosen);
    } catch {
      // Without storage the choice lasts until the page is left.
    }
  };
  return (
    <label class="theme">
      <span class="visually-hidden">Color theme</span>
      <select value={theme} onChange={choose}>
        <option value="system">Theme: system</option>
        <option value="light">Theme: light</option>
        <option value="dark">Theme: dark</option>
      </select>
    </label>
  );
}
