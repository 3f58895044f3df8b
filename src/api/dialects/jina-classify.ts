/**
 * Jina's `/v1/classify`: which of the labels fits each input, by the cosine of their embeddings (zero-shot). The scores
 * of an input are the softmax of its cosines, so they lie close together; their order is what counts.
 */
import * as z from 'zod/mini';
import { maxInputs } from '../../config.js';
import type { EmbedResult } from '../../core/engine.js';
import { cosine } from '../../core/similarity.js';
import { toProbabilities } from '../../core/vectors.js';
import { jinaClassifyAnswer, json } from '../answers.js';
import { embedInputs } from '../embed-inputs.js';
import { listOf, text, textOrObject } from '../fields.js';
import { jsonResponse, timingHeaders } from '../respond.js';
import type { Call } from '../route.js';
import { toUsage } from '../usage.js';
import { count, parseBody } from '../validate.js';
import { embeddingAt } from '../vectors/embeddings-json.js';
import type { Variant } from './shared-route.js';

const maxLabels = 256;
const allowedInput = `an array of 1 to ${count(maxInputs)} inputs, each a string or {"text": string}`;
const allowedLabels = `an array of 2 to ${maxLabels} strings`;

const classifyBody = z.object({
  model: z.nullish(text()),
  input: listOf(textOrObject('a string or {"text": string}'), maxInputs, allowedInput),
  labels: z.array(text(), allowedLabels).check(z.minLength(2, allowedLabels), z.maxLength(maxLabels, allowedLabels)),
});

/** The part of the classify routes that brings its own labels. */
export const jinaClassify: Variant = {
  key: 'labels',
  body: classifyBody,
  example: { input: ['A ship leaves the port.'], labels: ['sea', 'food'] },
  answers: json(jinaClassifyAnswer),
  handle: classify,
};

async function classify({ body, context }: Call): Promise<Response> {
  const { model = null, input, labels } = parseBody(classifyBody, body);
  const result = await embedInputs(
    {
      model,
      inputs: [...input, ...labels],
      prompt: { role: { field: 'task', value: 'classification' } },
      truncate: true,
    },
    context,
  );
  const scores = scoreLabels(result, { inputs: input.length, labels: labels.length });
  const data = input.map((_, index) => {
    const own = scores.subarray(index * labels.length, (index + 1) * labels.length);
    const predictions = labels.map((label, at) => ({ label, score: own[at] ?? 0 }));
    const best = predictions.reduce((a, b) => (b.score > a.score ? b : a));
    return { object: 'classification', index, prediction: best.label, score: best.score, predictions };
  });
  return jsonResponse({ model: result.model, data, usage: toUsage(result) }, { headers: timingHeaders(result) });
}

/** `[inputs, labels]`; the embeddings of the labels lie behind those of the inputs. */
function scoreLabels(result: EmbedResult, { inputs, labels }: { inputs: number; labels: number }): Float32Array {
  const cosines = Float32Array.from({ length: inputs * labels }, (_, place) => {
    const input = embeddingAt(result, Math.floor(place / labels));
    return cosine(input, embeddingAt(result, inputs + (place % labels)));
  });
  return toProbabilities(cosines, labels);
}
