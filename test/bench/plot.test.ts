import { describe, expect, it } from "vitest";
import { plot } from "../../bench/plot.ts";
import { cost, row } from "./measured.ts";

const rows = [
  row("json", cost("bare", 200, { bare: 1 }), cost("interceptor", 400, { bare: 2 })),
  row("burst", cost("bare", 200, { bare: 1 }), cost("Portkey", 1400, { bare: 7 })),
];

/** The attribute of each element of that kind. */
const attributes = (svg: string, element: RegExp, name: string): number[] =>
  [...svg.matchAll(new RegExp(`<${element.source}[^>]* ${name}="([^"]*)"`, "g"))].map(([, value]) =>
    Number(value),
  );

describe("the plot of CPU ratios", () => {
  it("has a bar for each variant but the bare Worker, with a length proportional to its ratio", () => {
    const [first = 0, second = 0, ...others] = attributes(plot(rows), /rect x/, "width");
    expect(others).toEqual([]);
    expect(second / first).toBeCloseTo(3.5, 1);
  });

  it("has whiskers from the first to the third quartile inside the picture", () => {
    const svg = plot(rows);
    const [from = 0, low = 0, high = 0] = attributes(svg, /line class="whisker"/, "x1");
    const [bare = 0] = attributes(svg, /line class="bare"/, "x1");
    const zero = Number(/<rect x="(\d+)"/.exec(svg)?.[1]);
    expect(from).toBe(low);
    expect((low - zero) / (bare - zero)).toBeCloseTo(1.8, 1);
    expect((high - zero) / (bare - zero)).toBeCloseTo(2.4, 1);
    expect(Math.max(...attributes(svg, /line class="whisker"/, "x2"))).toBeLessThan(900);
  });

  it("names each kind of traffic and each variant, and escapes names", () => {
    const svg = plot([row("tools", cost("a < b & c", 1, { bare: 1 }))]);
    expect(svg).toContain(">JSON 40 KB</text>");
    expect(svg).toContain(">a &lt; b &amp; c</text>");
  });

  it("follows the color scheme, with a background of its own", () => {
    const svg = plot(rows);
    expect(svg).toContain("@media (prefers-color-scheme: dark)");
    expect(svg).toContain('<rect class="paper"');
  });

  it("can be drawn without figures", () => {
    expect(plot([])).toMatch(/^<svg [^]*<\/svg>\n$/);
    expect(plot([])).not.toContain("NaN");
  });
});
