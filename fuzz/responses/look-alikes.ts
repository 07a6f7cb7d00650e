/** Events that clients ignore and that report no usage, although some of them resemble usage events. */
import { jsonObject } from "../../test/support/in-workerd/random-json.ts";
import type { ApiName } from "../fixtures.ts";
import { chance, pick, type Random } from "../random.ts";

const USAGE = '{"prompt_tokens":999,"completion_tokens":999,"input_tokens":999,"output_tokens":999}';
const QUOTED = JSON.stringify(
  `data: [DONE]\n\n"usage":${USAGE} "type":"message_stop" "type":"response.completed" "choices":[]`,
);

/** For all APIs: text that is not JSON, or JSON that is not one of their events. */
const ANY = [
  "{}",
  "[]",
  "null",
  "0",
  '"[DONE]"',
  "[done]",
  '{"usage":null}',
  `{"usage":[${USAGE}]}`,
  `{"usage":${JSON.stringify(USAGE)}}`,
  `{"x":{"usage":${USAGE}}}`,
  `{"x":${QUOTED}}`,
  `[{"usage":${USAGE}}]`,
  `"usage":${USAGE}`,
  `{"usage":${USAGE}`,
  "",
];

const BY_API: Readonly<Record<ApiName, readonly string[]>> = {
  chat: [
    `{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":${QUOTED}},"finish_reason":null}],"usage":null}`,
    `{"choices":[{"index":0,"delta":{"usage":${USAGE}},"finish_reason":null}]}`,
    '{"choices":[],"usage":null}',
    '{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}',
  ],
  responses: [
    `{"type":"response.output_text.delta","delta":${QUOTED}}`,
    `{"type":"response.in_progress","response":{"status":"in_progress","usage":${USAGE}}}`,
    `{"type":"response.unheard_of","response":{"usage":${USAGE}},"usage":${USAGE}}`,
    `{"type":"keepalive","sequence_number":3}`,
  ],
  messages: [
    '{"type":"ping"}',
    `{"type":"content_block_delta","index":99,"delta":{"type":"text_delta","text":${QUOTED}}}`,
    `{"type":"message_unheard_of","message":{"usage":${USAGE}},"usage":${USAGE}}`,
  ],
};

/** The data of one event. It may contain line breaks. */
export function lookAlike(random: Random, api: ApiName): string {
  if (chance(random, 0.15)) return jsonObject(random, []);
  return pick(random, chance(random, 0.5) ? ANY : BY_API[api]);
}
