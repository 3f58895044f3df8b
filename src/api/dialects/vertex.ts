/** TEI's `/vertex`: several requests of the model's own task in one, as Google's Vertex AI sends them. */
import * as z from 'zod/mini';
import { maxInputs } from '../../config.js';
import { toVecinityError, VecinityError } from '../../errors.js';
import { listOf } from '../fields.js';
import { nameAsAsked } from '../params.js';
import { jsonResponse } from '../respond.js';
import type { Call, Route } from '../route.js';
import { count, parseBody } from '../validate.js';
import { writeJson } from '../vectors/embeddings-json.js';

const allowedInstance = "an object, a request of the model's own task";
const allowed = `an array of 1 to ${count(maxInputs)} objects, each a request of the model's own task`;

/** Each instance is a body of the model's own task. */
export const vertexBody = z.object({
  instances: listOf(z.looseObject({}, allowedInstance), maxInputs, allowed),
});

/** Headers that add up over requests; of the others, which are times, the longest counts. */
const summed: ReadonlySet<string> = new Set(['x-compute-tokens', 'x-compute-characters', 'x-truncated-inputs']);

/** Answers every instance; one that fails fails the request, as in TEI. */
export async function vertex(call: Call, ownTask: Route['handle']): Promise<Response> {
  const { instances } = parseBody(vertexBody, call.body);
  const responses = await Promise.all(instances.map((body, index) => answerOne({ ...call, body }, index, ownTask)));
  const predictions = await Promise.all(responses.map((response) => response.text()));
  const answer = await writeJson([
    '{"predictions":[',
    { count: predictions.length, row: (at) => predictions[at] ?? '' },
    ']}',
  ]);
  return jsonResponse(answer, { headers: joinHeaders(responses) });
}

/** Throws as the task does; what is wrong with a field is said with the number of its instance. */
async function answerOne(call: Call, index: number, ownTask: Route['handle']): Promise<Response> {
  try {
    return await ownTask(call);
  } catch (thrown) {
    const error = nameAsAsked(toVecinityError(thrown), call.body);
    const { code, message, param } = error;
    if (param === null) throw error;
    const place = `instances[${index}]`;
    throw new VecinityError(code, `\`${place}\`: ${message}`, { param: `${place}.${param}`, cause: thrown });
  }
}

function joinHeaders(responses: readonly Response[]): Record<string, string> {
  const joined = new Map<string, number | string>();
  for (const { headers } of responses) {
    for (const [name, value] of headers) {
      if (!name.startsWith('x-')) continue;
      const before = Number(joined.get(name) ?? 0);
      if (Number.isNaN(Number(value))) joined.set(name, value);
      else joined.set(name, summed.has(name) ? before + Number(value) : Math.max(before, Number(value)));
    }
  }
  return Object.fromEntries([...joined].map(([name, value]) => [name, String(value)]));
}
