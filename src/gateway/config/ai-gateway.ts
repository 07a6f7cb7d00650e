/** The setting `ai_gateway` of a provider: its upstream is Cloudflare AI Gateway. */
import { Fields } from "../../shared/config/fields.ts";
import type { AiGateway } from "../provider/provider.ts";

type Context = {
  /** The provider's preset is one of AI Gateway, which needs no further setting. */
  readonly isPreset: boolean;
  /** The token in the secret of that name; null after reporting the issue. */
  readonly key: (secretName: string) => string | null;
};

/** null where the upstream is another one. */
export function readAiGateway(parent: Fields, { isPreset, key }: Context): AiGateway | null {
  const isSet = parent.has("ai_gateway");
  const fields = parent.nested("ai_gateway") ?? new Fields({}, `${parent.path}.ai_gateway`, parent.report);
  const token = fields.text("token") === null ? null : fields.secret("token", key);
  const metadata = fields.flag("metadata", true);
  fields.rejectUnknown();
  return isSet || isPreset ? { token, metadata } : null;
}
