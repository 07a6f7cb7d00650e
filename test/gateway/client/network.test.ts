import { describe, expect, it } from "vitest";
import { readNetwork, type NetworkMode } from "../../../src/gateway/client/network.ts";

const RAY = "8a1b2c3d4e5f6070-AMS";
const cf = { colo: "AMS", country: "NL" } as Request["cf"];

const networkOf = (mode: NetworkMode, ip: string, from = cf) =>
  readNetwork(from, new Headers({ "cf-connecting-ip": ip, "cf-ray": RAY }), mode);

describe("Finding H8: the network of a request", () => {
  it.each([
    ["off", { country: null, ray: null, ip: null }],
    ["country", { country: "NL", ray: RAY, ip: null }],
    ["truncated", { country: "NL", ray: RAY, ip: "203.0.113.0/24" }],
    ["full", { country: "NL", ray: RAY, ip: "203.0.113.77" }],
  ] as const)("is recorded with %s as that permits", (mode, facts) => {
    expect(networkOf(mode, "203.0.113.77")).toEqual(facts);
  });

  // The attack: where no edge overwrites the headers, a client writes the address of another person.
  it("is not read from headers where nothing shows that the edge set them", () => {
    const client = new Headers({ "cf-connecting-ip": "203.0.113.77", "cf-ray": RAY, "cf-ipcountry": "NL" });
    for (const absent of [undefined, {}, { country: "NL" }, { colo: null, country: "NL" }])
      expect(readNetwork(absent as Request["cf"], client, "full")).toEqual({
        country: null,
        ray: null,
        ip: null,
      });
  });

  // The attack: another header that proxies fill, which any client can send.
  it("is not read from X-Forwarded-For, X-Real-IP and True-Client-IP", () => {
    const client = new Headers({
      "x-forwarded-for": "203.0.113.77",
      "x-real-ip": "203.0.113.77",
      "true-client-ip": "203.0.113.77",
    });
    expect(readNetwork(cf, client, "full")).toEqual({ country: "NL", ray: null, ip: null });
  });

  it.each([
    ["192.0.2.255", "192.0.2.0/24"],
    ["10.0.0.1", "10.0.0.0/24"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"],
    ["2001:DB8:1::1", "2001:db8:1::/48"],
    ["2001:db8::1", "2001:db8::/48"],
    ["2001:db8:0:ff::", "2001:db8::/48"],
    ["2001:0:0:1::5", "2001::/48"],
    ["::1", "::/48"],
    ["fe80::1:2:3:4", "fe80::/48"],
    // An address of IPv4 in IPv6 is one of IPv4: 48 bits of it are the same for all of them.
    ["::ffff:192.0.2.129", "192.0.2.0/24"],
    ["::FFFF:c000:281", "192.0.2.0/24"],
    ["0:0:0:0:0:ffff:c000:0281", "192.0.2.0/24"],
  ])("truncates %s to %s", (ip, network) => {
    expect(networkOf("truncated", ip).ip).toBe(network);
  });

  it.each([
    "",
    "unknown",
    "203.0.113",
    "203.0.113.77.1",
    "203.0.113.256",
    "203.0.113.077",
    "203.0.113.77, 198.51.100.1",
    "203.0.113.77:443",
    "1::2::3",
    "[::1]",
    "::1]/?x=[",
    "fe80::1%eth0",
    "::ffff:1.2.3.256",
    "12345::",
    "sk-proj-0123456789abcdef",
  ])("has no address where the header holds %j", (ip) => {
    for (const mode of ["truncated", "full"] as const) expect(networkOf(mode, ip).ip).toBeNull();
  });

  it.each(["nl", "NLD", "", 5, null, "N L", "<b>"])("has no country where the edge's is %j", (country) => {
    expect(networkOf("country", "", { colo: "AMS", country } as never).country).toBeNull();
  });

  it("has the country of Tor", () => {
    expect(networkOf("country", "", { colo: "AMS", country: "T1" } as never).country).toBe("T1");
  });

  it.each(["", "8a1b2c3d4e5f6070-AMS, x", "x".repeat(200), "8A1B2C3D4E5F6070"])("has no ray %j", (ray) => {
    expect(readNetwork(cf, new Headers({ "cf-ray": ray }), "full").ray).toBeNull();
  });
});
