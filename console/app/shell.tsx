/** The frame of every page: navigation, the user's menu, and the main region. */
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { visibleText } from "../text/visible.ts";
import { Text } from "../text/text.tsx";
import { Brand, ThemeSwitch } from "./brand.tsx";
import { hrefOf, usePageQuery } from "./location.ts";
import { useRangeQuery } from "./range.tsx";
import { useSession, useSessionState } from "./session.tsx";
import { SHORTCUTS, useShortcuts } from "./shortcuts.ts";

type Entry = { readonly path: string; readonly label: string };

const NAVIGATION: readonly { readonly title: string; readonly entries: readonly Entry[] }[] = [
  {
    title: "Use",
    entries: [
      { path: "/", label: "Overview" },
      { path: "/people", label: "People and services" },
      { path: "/sessions", label: "Sessions" },
      { path: "/live", label: "Requests, live" },
      { path: "/budgets", label: "Budgets" },
    ],
  },
  {
    title: "Trust",
    entries: [
      { path: "/overrides", label: "Overrides" },
      { path: "/anomalies", label: "Anomalies" },
      { path: "/seals", label: "Seals" },
      { path: "/accesses", label: "Access to records" },
    ],
  },
  {
    title: "Operate",
    entries: [
      { path: "/providers", label: "Providers" },
      { path: "/refusals", label: "Refusals" },
      { path: "/passthroughs", label: "Passthroughs" },
      { path: "/explain", label: "Explain" },
    ],
  },
];

export function Shell({ children }: { readonly children: ComponentChildren }): VNode {
  const { path } = usePageQuery();
  const [isOpen, setIsOpen] = useState(false);
  useShortcuts();
  useEffect(() => setIsOpen(false), [path]);
  return (
    <div class="shell">
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="bar">
        <button
          type="button"
          class="menu"
          aria-expanded={isOpen}
          aria-controls="navigation"
          onClick={() => setIsOpen(!isOpen)}
        >
          Menu
        </button>
        <Brand />
        <User />
      </header>
      <nav id="navigation" aria-label="Pages" class={isOpen ? "open" : ""}>
        <Navigation path={path} />
      </nav>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

function Navigation({ path }: { readonly path: string }): VNode {
  const range = useRangeQuery();
  return (
    <>
      {NAVIGATION.map(({ title, entries }) => (
        <div key={title}>
          <h2>{title}</h2>
          <ul>
            {entries.map((entry) => (
              <li key={entry.path}>
                <a
                  href={hrefOf(entry.path, range)}
                  aria-current={isWithin(path, entry.path) ? "page" : undefined}
                  title={shortcutOf(entry.path)}
                >
                  {entry.label}
                </a>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </>
  );
}

const isWithin = (path: string, entry: string): boolean =>
  entry === "/" ? path === "/" : path === entry || path.startsWith(`${entry}/`);

function shortcutOf(path: string): string | undefined {
  const [key] = Object.entries(SHORTCUTS).find(([, target]) => target === path) ?? [];
  return key === undefined ? undefined : `Keys: g ${key}`;
}

function User(): VNode {
  const { name, scopes } = useSession();
  const { signOut } = useSessionState();
  const [failed, setFailed] = useState<string | null>(null);
  const leave = (): void => {
    signOut().catch((error: unknown) => setFailed(error instanceof Error ? error.message : String(error)));
  };
  return (
    <div class="user">
      {failed !== null && (
        <span role="alert" class="error-text">
          {failed}
        </span>
      )}
      <ThemeSwitch />
      <span class="who" title={`Scopes: ${scopes.map(visibleText).join(", ")}`}>
        <Text value={name} max={60} />
      </span>
      <button type="button" onClick={leave}>
        Sign out
      </button>
    </div>
  );
}
