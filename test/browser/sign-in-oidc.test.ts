/** Signing in by OpenID Connect and by Cloudflare Access, in a browser, against a provider that checks what it must check. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Claims } from "../support/issuer-tokens.ts";
import { settled, useBrowser, type Tab } from "./support/browser.ts";
import type { OpenIdProvider } from "./support/openid-provider.ts";
import {
  cookieOf,
  SESSION_COOKIE,
  SIGN_IN_COOKIE,
  startSignInStack,
  type SignInStack,
} from "./support/sign-in-stack.ts";

useBrowser();

const FAILED = "Signing in at your organization failed. Try again.";

let stack: SignInStack;
let provider: OpenIdProvider;
let tab: Tab;

beforeAll(async () => {
  stack = await startSignInStack();
  ({ provider } = stack);
});
afterEach(() => provider.misbehave({}));
afterAll(() => stack?.stop());

/** To the provider's page, from an address of the console. */
async function toProvider({ page }: Tab, path = ""): Promise<void> {
  await page.goto(`${stack.url}/console${path}`);
  await page.getByRole("link", { name: "Sign in with your organization" }).click();
  await page.getByRole("heading", { name: "Who are you?" }).waitFor();
}

async function signIn(one: Tab, path = ""): Promise<void> {
  await toProvider(one, path);
  await one.page.getByRole("button", { name: "Grace" }).click();
  await one.page.getByRole("button", { name: "Sign out" }).waitFor();
  await settled(one.page);
}

/** The page says why the sign-in was refused, and the browser has no session. */
async function expectRefused(one: Tab, reason: string): Promise<void> {
  const { page } = one;
  await page.getByRole("alert").filter({ hasText: reason }).waitFor();
  expect(await page.getByRole("heading", { name: "Sign in" }).count()).toBe(1);
  expect(await cookieOf(page, SESSION_COOKIE)).toBeUndefined();
  expect(await cookieOf(page, SIGN_IN_COOKIE)).toBeUndefined();
  expect(stack.problemsOf(one)).toEqual([]);
}

describe("OpenID Connect", () => {
  it("signs in with the button, and shows the name and the scopes of the person's group", async () => {
    tab = await stack.openTab();
    await tab.page.goto(`${stack.url}/console`);
    await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(await tab.page.getByLabel("API token").count()).toBe(0);
    await signIn(tab);
    const who = tab.page.locator(".who");
    expect([await who.textContent(), await who.getAttribute("title")]).toEqual([
      "grace@example.com",
      "Scopes: read, content",
    ]);
    expect([tab.page.url(), provider.redemptions.at(-1)]).toEqual([`${stack.url}/console`, "ok"]);
    expect(await cookieOf(tab.page, SIGN_IN_COOKIE)).toBeUndefined();
    expect(stack.problemsOf(tab)).toEqual([]);
  });

  it("refuses a person without a role, and says so", async () => {
    tab = await stack.openTab();
    await toProvider(tab);
    await tab.page.getByRole("button", { name: "Eve" }).click();
    await expectRefused(tab, "You are signed in at your organization, but have no role here.");
    expect(provider.redemptions.at(-1)).toBe("ok");
  });

  // The attack: login CSRF. The way back has a state that this browser did not begin with.
  it("signs no one in with a changed state, and sends the code nowhere", async () => {
    tab = await stack.openTab();
    await toProvider(tab);
    provider.misbehave({ callback: { state: "0".repeat(64) } });
    const before = provider.redemptions.length;
    await tab.page.getByRole("button", { name: "Grace" }).click();
    await expectRefused(tab, FAILED);
    expect(provider.redemptions).toHaveLength(before);
  });

  // The attack: a victim who is at the provider follows a link with the attacker's own code and state.
  it("signs no one in with the link of another browser's sign-in", async () => {
    const response = await fetch(`${stack.url}/console/api/sign-in`, { redirect: "manual" });
    const body = new URLSearchParams({ person: "Grace" });
    const authorizationUrl = response.headers.get("location") ?? "";
    await fetch(authorizationUrl, { method: "POST", body, redirect: "manual" });
    const before = provider.redemptions.length;
    tab = await stack.openTab();
    await toProvider(tab);
    await tab.page.goto(provider.callbacks.at(-1) ?? "");
    await expectRefused(tab, FAILED);
    expect(provider.redemptions).toHaveLength(before);
  });

  // The attack: the address of the way back and the cookie, both copied, are used once more.
  it("signs no one in with a reused code", async () => {
    tab = await stack.openTab();
    await toProvider(tab);
    const secret = (await cookieOf(tab.page, SIGN_IN_COOKIE)) ?? "";
    await tab.page.getByRole("button", { name: "Grace" }).click();
    await tab.page.getByRole("button", { name: "Sign out" }).waitFor();
    const again = await stack.openTab();
    // Cookies belong to a host, with any port; an address with https makes this one `Secure`, as its prefix demands.
    const cookie = { name: SIGN_IN_COOKIE, value: secret, url: "https://127.0.0.1/" };
    await again.page.context().addCookies([cookie]);
    await again.page.goto(provider.callbacks.at(-1) ?? "");
    await expectRefused(again, FAILED);
    expect(provider.redemptions.slice(-2)).toEqual(["ok", "reused code"]);
  });

  // The attack: a token that was issued for another sign-in is put into this one.
  it("signs no one in with a token of another nonce", async () => {
    tab = await stack.openTab();
    await toProvider(tab);
    provider.misbehave({ claims: { nonce: "0".repeat(64) } });
    await tab.page.getByRole("button", { name: "Grace" }).click();
    await expectRefused(tab, FAILED);
    expect(provider.redemptions.at(-1)).toBe("ok");
  });

  // The attack: a link to the sign-in of a trusted host that ends on the attacker's page.
  it.each(["https://evil.example/", "//evil.example", "/\\evil.example"])(
    "returns to the console, and not to an address that the request names: %s",
    async (address) => {
      const names = ["return_to", "redirect_uri", "next", "state"];
      const query = new URLSearchParams(names.map((name) => [name, address]));
      tab = await stack.openTab();
      provider.misbehave({ callback: { return_to: address, redirect_uri: address, next: address } });
      await tab.page.goto(`${stack.url}/console/api/sign-in?${query}`);
      await tab.page.getByRole("button", { name: "Grace" }).click();
      await tab.page.getByRole("button", { name: "Sign out" }).waitFor();
      expect(tab.page.url()).toBe(`${stack.url}/console`);
      // No request went to another host.
      expect(stack.problemsOf(tab)).toEqual([]);
    },
  );

  it("returns to the page of a deep link, also after a refused attempt, and shows it again when reloaded", async () => {
    const address = `${stack.url}/console/overrides?accepted=false`;
    tab = await stack.openTab();
    await toProvider(tab, "/overrides?accepted=false");
    provider.misbehave({ callback: { state: "x" } });
    await tab.page.getByRole("button", { name: "Grace" }).click();
    await tab.page.getByText(FAILED).waitFor();
    provider.misbehave({});
    await tab.page.getByRole("link", { name: "Sign in with your organization" }).click();
    await tab.page.getByRole("button", { name: "Grace" }).click();
    await tab.page.getByRole("heading", { name: "Overrides", level: 1 }).waitFor();
    await settled(tab.page);
    expect(tab.page.url()).toBe(address);
    await tab.page.reload();
    await tab.page.getByRole("heading", { name: "Overrides", level: 1 }).waitFor();
    await settled(tab.page);
    expect(tab.page.url()).toBe(address);
    // It is forgotten: the overview is the overview again.
    await tab.open("");
    expect(tab.page.url()).toBe(`${stack.url}/console`);
    expect(stack.problemsOf(tab)).toEqual([]);
  });

  it("forgets the reason of a refused sign-in when another one succeeds, also where an old address has it", async () => {
    tab = await stack.openTab();
    await toProvider(tab);
    provider.misbehave({ callback: { state: "x" } });
    await tab.page.getByRole("button", { name: "Grace" }).click();
    await expectRefused(tab, FAILED);
    expect(tab.page.url()).toBe(`${stack.url}/console`);
    provider.misbehave({});
    await signIn(tab);
    await tab.page.goto(`${stack.url}/console?sign_in=invalid_credential`);
    await tab.page.getByRole("button", { name: "Sign out" }).click();
    await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect([tab.page.url(), await tab.page.getByText(FAILED).count()]).toEqual([`${stack.url}/console`, 0]);
    expect(stack.problemsOf(tab)).toEqual([]);
  });

  // The attack: a cookie that was copied before the person signed out.
  it("ends the session at the server by signing out", async () => {
    tab = await stack.openTab();
    await signIn(tab);
    const id = await cookieOf(tab.page, SESSION_COOKIE);
    expect(await stack.statusFor(id)).toBe(200);
    await tab.page.getByRole("button", { name: "Sign out" }).click();
    await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect([await stack.statusFor(id), await cookieOf(tab.page, SESSION_COOKIE)]).toEqual([401, undefined]);
    expect(stack.problemsOf(tab)).toEqual([]);
  });
});

const ADA = { sub: "7335d417-61da-459d-899c-0a01c76a2f94", email: "ada@example.com" };
const BEN = { sub: "0b9d2c9e-5a3b-4d53-8d0e-2b7c5b3f6a11", email: "ben@example.com" };

const assertionOf = async (person: Claims): Promise<Record<string, string>> => ({
  "cf-access-jwt-assertion": await stack.team.token(person),
});

describe("Cloudflare Access", () => {
  it("opens the console without a form for the person whom it let through", async () => {
    tab = await stack.openTab({ extraHTTPHeaders: await assertionOf(ADA) });
    await tab.open("/sessions");
    expect(await tab.page.locator(".who").textContent()).toBe("ada@example.com");
    expect(stack.problemsOf(tab)).toEqual([]);
  });

  it("refuses a person without a role, and says so", async () => {
    const extraHTTPHeaders = await assertionOf({ ...ADA, email: "eve@example.com" });
    tab = await stack.openTab({ extraHTTPHeaders, expectedStatuses: [403] });
    await tab.page.goto(`${stack.url}/console`);
    await expectRefused(tab, "You are signed in, but have no role here.");
    expect(await tab.page.locator(".who").count()).toBe(0);
  });

  // The attack: another person uses the browser, which still has the first one's cookie.
  it("ends the session when another person's assertion comes with the cookie", async () => {
    const headers = await assertionOf(ADA);
    tab = await stack.openTab({ extraHTTPHeaders: headers });
    await tab.open("");
    const id = await cookieOf(tab.page, SESSION_COOKIE);
    expect(await stack.statusFor(id, headers)).toBe(200);
    await tab.page.context().setExtraHTTPHeaders(await assertionOf(BEN));
    await tab.page.locator("#navigation").getByRole("link", { name: "Refusals" }).click();
    await tab.page.locator(".who", { hasText: "ben@example.com" }).waitFor();
    expect(await stack.statusFor(id, headers)).toBe(401);
    expect(await cookieOf(tab.page, SESSION_COOKIE)).not.toBe(id);
    expect(stack.problemsOf(tab)).toEqual([]);
  });

  // The attack: the person leaves the desk after signing out, and the page has signed in again by itself.
  it("stays signed out after signing out, and leads to the sign-out of Access", async () => {
    const headers = await assertionOf(ADA);
    tab = await stack.openTab({ extraHTTPHeaders: headers });
    await tab.open("");
    const id = await cookieOf(tab.page, SESSION_COOKIE);
    await tab.page.getByRole("button", { name: "Sign out" }).click();
    await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
    const leave = tab.page.getByRole("link", { name: "sign out of Access" });
    expect(await leave.getAttribute("href")).toBe("/cdn-cgi/access/logout");
    expect([await stack.statusFor(id, headers), await cookieOf(tab.page, SESSION_COOKIE)]).toEqual([
      401,
      undefined,
    ]);
    expect(stack.problemsOf(tab)).toEqual([]);
  });
});
