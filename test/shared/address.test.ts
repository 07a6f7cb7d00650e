import { describe, expect, it } from "vitest";
import { readAddress, truncateAddress } from "../../src/shared/http/address.ts";

describe("an IP address", () => {
  it("has one form only", () => {
    expect(readAddress("2001:0DB8:0:0:0:0:0:1")).toBe("2001:db8::1");
    expect(readAddress("::ffff:c633:6401")).toBe("198.51.100.1");
    expect(readAddress("::ffff:198.51.100.1")).toBe("198.51.100.1");
    expect(readAddress("unknown")).toBeNull();
  });

  it.each([
    ["198.51.100.77", 32, "198.51.100.77/32"],
    ["198.51.100.77", 24, "198.51.100.0/24"],
    ["198.51.100.77", 8, "198.0.0.0/8"],
    ["2001:db8:1:2:3:4:5:6", 48, "2001:db8:1::/48"],
    ["2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64"],
    ["2001:db8::5:6", 64, "2001:db8::/64"],
    ["2001:db8:1:0:9::1", 64, "2001:db8:1::/64"],
    ["::1", 64, "::/64"],
    ["1::", 64, "1::/64"],
  ])("%s has the network of /%i", (address, bits, network) => {
    expect(truncateAddress(address, bits)).toBe(network);
  });
});
