/** Finding H8: the questions of docs/runbook.md about an incident. The API has the facts that the gateway recorded. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../../src/shared/digest.ts";
import { fetchOk, items, part } from "../../support/in-workerd/api-client.ts";
import { BODY, CENTRAL_CHAT, post } from "../../support/in-workerd/calls.ts";
import { PROVIDERS } from "../../support/in-workerd/gateway-harness.ts";
import { openGatewayWithLedger, type GatewayWithLedger } from "../../support/in-workerd/ledger-gateway.ts";
import { alice, bob, clientKeys, storingProvider } from "../../support/in-workerd/object-store.ts";
import { CODER_AGENTS_UA, OWNER } from "../../support/in-workerd/values.ts";

const { OBJECTS } = env as unknown as { readonly OBJECTS: DurableObjectNamespace };

const open = async (): Promise<GatewayWithLedger> =>
  openGatewayWithLedger({
    provider: storingProvider,
    vars: {
      PROVIDERS: { central: { ...PROVIDERS.central, objects: { owners: "check" } } },
      OWNER_ASSERTION: { source: "keys", allow: "any" },
      CLIENT_KEYS: await clientKeys(),
      RECORDING: { response_hash: true },
      OBJECTS,
    },
  });

/** Each request a second after the one before, so that its rows have ids of their own. */
async function send(gateway: GatewayWithLedger, path: string, init: RequestInit): Promise<string> {
  gateway.clock.at += 1000;
  const { text } = await gateway.exchange(path, init);
  return text;
}

const keyIdOf = async ({ authorization }: typeof alice): Promise<string> =>
  (await sha256Hex(authorization.slice("Bearer ".length))).slice(0, 16);

const found = async (path: string, ...fields: readonly string[]): Promise<unknown[]> =>
  items(await fetchOk(path), "results").map((row) => fields.map((name) => part(row, name)));

// The attack: Bob's key is stolen. With it an attacker calls models, names Alice, uploads a file, and tries a file of Alice's.
describe("Finding H8: after an attack with a stolen key, the API", () => {
  it("lists what the key did, and what it was refused", async () => {
    const gateway = await open();
    const { id: own } = JSON.parse(await send(gateway, "/central/v1/files", post("{}", alice))) as {
      id: string;
    };
    await send(gateway, CENTRAL_CHAT, post(BODY, bob));
    const naming = { ...bob, "user-agent": CODER_AGENTS_UA, "x-coder-owner-id": OWNER };
    await send(gateway, CENTRAL_CHAT, post(BODY, naming));
    const { id: file } = JSON.parse(await send(gateway, "/central/v1/files", post("{}", bob))) as {
      id: string;
    };
    await send(gateway, `/central/v1/files/${file}/content`, { headers: bob });
    await send(gateway, `/central/v1/files/${own}`, { headers: bob });
    await send(gateway, CENTRAL_CHAT, post("{", bob));

    const key = `api_key_id=${await keyIdOf(bob)}`;
    expect(await found(`/interceptions?${key}`, "initiator_id", "attribution")).toEqual([
      [OWNER, "asserted"],
      ["bob", "authenticated"],
    ]);
    expect(await found(`/overrides?${key}`, "owner_id", "accepted")).toEqual([[OWNER, true]]);
    expect(await found(`/passthroughs?${key}`, "method", "object_ids")).toEqual([
      ["GET", [file]],
      ["POST", [file]],
    ]);
    expect(await found(`/refusals?${key}`, "reason", "object_ids")).toEqual([
      ["body_invalid", []],
      ["object_not_yours", [own]],
    ]);
  });

  it("says who created, read and tried a file, and with which key", async () => {
    const gateway = await open();
    const { id } = JSON.parse(await send(gateway, "/central/v1/files", post("{}", alice))) as { id: string };
    await send(gateway, `/central/v1/files/${id}/content`, { headers: alice });
    await send(gateway, `/central/v1/files/${id}`, { headers: bob });
    await send(gateway, "/central/v1/files/file-other", { headers: bob });
    const hers = await keyIdOf(alice);
    expect(await found(`/passthroughs?object_id=${id}`, "method", "actor_id", "api_key_id")).toEqual([
      ["GET", OWNER, hers],
      ["POST", OWNER, hers],
    ]);
    expect(await found(`/refusals?object_id=${id}`, "method", "actor_id", "api_key_id")).toEqual([
      ["GET", "bob", await keyIdOf(bob)],
    ]);
  });

  it("finds the call that sent a given body, what came back, and the configuration of that time", async () => {
    const gateway = await open();
    const response = await send(gateway, CENTRAL_CHAT, post(BODY, alice));
    await send(gateway, CENTRAL_CHAT, post(BODY.replace("gpt-4o", "gpt-5"), alice));
    const calls = await found(
      `/interceptions?request_sha256=${await sha256Hex(BODY)}`,
      "model",
      "response_sha256",
      "config_version",
    );
    expect(calls).toEqual([["gpt-4o", await sha256Hex(response), expect.stringMatching(/^[0-9a-f]{16}$/)]]);
  });
});
