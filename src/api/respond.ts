/** What every successful answer shares: the JSON response and the timing headers. */
import type { Timing, Usage } from '../core/engine.js';
import type { Compute } from './compute.js';
import { type JsonResponseOptions, jsonType, plainJsonResponse } from './json-response.js';
import { WrittenJson } from './vectors/written-json.js';

/** A JSON response; what is written already is sent as it is. */
export function jsonResponse(body: object, options: JsonResponseOptions = {}): Response {
  if (!(body instanceof WrittenJson)) return plainJsonResponse(body, options);
  // The length of a stream is not known to the platform.
  const headers = { ...jsonType, ...options.headers, 'content-length': String(body.byteLength) };
  return new Response(body.toBody(), { ...options, headers });
}

/** What one request has cost, times in ms, under the names that TEI gave these headers. */
export function timingHeaders(done: {
  timing: Timing;
  usage: Usage;
  truncated: number;
  compute?: Compute;
}): Record<string, string> {
  const { tokenizeMs, queueMs, inferenceMs, totalMs } = done.timing;
  const { type = null, characters = null } = done.compute ?? {};
  return {
    ...(type === null ? {} : { 'x-compute-type': type }),
    ...(characters === null ? {} : { 'x-compute-characters': String(characters) }),
    'x-compute-time': milliseconds(tokenizeMs + inferenceMs),
    'x-compute-tokens': String(done.usage.promptTokens),
    'x-total-time': milliseconds(totalMs),
    'x-tokenization-time': milliseconds(tokenizeMs),
    'x-queue-time': milliseconds(queueMs),
    'x-inference-time': milliseconds(inferenceMs),
    'x-truncated-inputs': String(done.truncated),
  };
}

function milliseconds(value: number): string {
  return String(Math.round(value * 100) / 100);
}
