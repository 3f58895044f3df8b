/** Jina's `/v1/multi-vector`: a vector for every token, for models that compare token by token. */
import * as z from 'zod/mini';
import { json, multiVectorAnswer } from '../answers.js';
import { embedTokens } from '../embed-inputs.js';
import { choice, flag, inputs, text } from '../fields.js';
import { passedOn } from '../remote/remote.js';
import { jsonResponse, timingHeaders } from '../respond.js';
import type { Call, Dialect } from '../route.js';
import { toUsage } from '../usage.js';
import { parseBody } from '../validate.js';
import { toTokenParts, writeJson } from '../vectors/embeddings-json.js';

const body = z.object({
  model: z.nullish(text()),
  input: inputs('input'),
  input_type: z.nullish(choice(['query', 'document'])),
  embedding_type: z.nullish(choice(['float'])),
  truncate: z.nullish(flag()),
});

export const multiVector: Dialect = [
  {
    method: 'POST',
    paths: ['/v1/multi-vector'],
    summary: 'Embeds texts; the answer has a vector for every token.',
    ...{ body, examples: [{ input: ['Lima'], input_type: 'document' }], answers: json(multiVectorAnswer) },
    guarded: true,
    handle: passedOn({ path: '/multi-vector' }, embed),
  },
];

async function embed(call: Call): Promise<Response> {
  const { model = null, input, input_type: role, truncate } = parseBody(body, call.body);
  const prompt = { role: role ? { field: 'input_type', value: role } : null };
  const result = await embedTokens({ model, inputs: input, prompt, truncate: truncate ?? false }, call.context);
  const items = toTokenParts(result, (index) => [`{"object":"embeddings","index":${index},"embeddings":`, '}']);
  const head = JSON.stringify({ model: result.model, object: 'list', usage: toUsage(result) }).slice(0, -1);
  const bytes = await writeJson([`${head},"data":[`, ...items, ']}']);
  return jsonResponse(bytes, { headers: timingHeaders(result) });
}
