/** Events that a client passes over, and that tell nothing of the usage, much as some of them look it. */
import { jsonObject } from "../../test/support/in-workerd/random-json.ts";
import type { ApiName } from "../fixtures.ts";
import { chance, pick, type Random } from "../random.ts";

const USAGE = '{"prompt_tokens":999,"completion_tokens":999,"input_tokens":999,"output_tokens":999}';
const SAID = JSON.stringify(
  `data: [DONE]\n\n"usage":${USAGE} "type":"message_stop" "type":"response.completed" "choices":[]`,
);

/** For all APIs: no JSON, or JSON that is none of their events. */
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
  `{"x":${SAID}}`,
  `[{"usage":${USAGE}}]`,
  `"usage":${USAGE}`,
  `{"usage":${USAGE}`,
  "",
];

const OF: Readonly<Record<ApiName, readonly string[]>> = {
  chat: [
    `{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":${SAID}},"finish_reason":null}],"usage":null}`,
    `{"choices":[{"index":0,"delta":{"usage":${USAGE}},"finish_reason":null}]}`,
    '{"choices":[],"usage":null}',
    '{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}',
  ],
  responses: [
    `{"type":"response.output_text.delta","delta":${SAID}}`,
    `{"type":"response.in_progress","response":{"status":"in_progress","usage":${USAGE}}}`,
    `{"type":"response.unheard_of","response":{"usage":${USAGE}},"usage":${USAGE}}`,
    `{"type":"keepalive","sequence_number":3}`,
  ],
  messages: [
    '{"type":"ping"}',
    `{"type":"content_block_delta","index":99,"delta":{"type":"text_delta","text":${SAID}}}`,
    `{"type":"message_unheard_of","message":{"usage":${USAGE}},"usage":${USAGE}}`,
  ],
};

/** One event's data; may hold line breaks. */
export function lookAlike(random: Random, api: ApiName): string {
  if (chance(random, 0.15)) return jsonObject(random, []);
  return pick(random, chance(random, 0.5) ? ANY : OF[api]);
}
