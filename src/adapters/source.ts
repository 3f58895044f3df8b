/**
 * What every adapter works with: a page's client or an engine on Node, asked in the same words. Vectors and scores come
 * back in the project's own terms; each adapter gives them the form that its library wants.
 */
import type { EmbedOptions, RerankOptions } from '../api/client-bodies.js';
import { toEmbeddingsBody, toRerankBody } from '../api/client-bodies.js';
import { maxInputs } from '../config.js';
import type { Engine } from '../core/engine.js';
import { VecinityError } from '../errors.js';
import { type Check, isFunction, isString, wrongOption } from '../rules.js';
import type { Calls } from './engine-calls.js';

/** A client (`createVecinity`) or an engine (`createNodeEngine`). */
export type VecinitySource = Calls | Engine;

export interface Signalled {
  signal?: AbortSignal | undefined;
}

export interface EmbeddedTexts {
  /** One of `[dimensions]` a text, in the order of the texts. */
  vectors: Float32Array[];
  promptTokens: number;
}

export interface RankedDocuments {
  /** Best first. */
  ranking: { index: number; score: number }[];
  /** The model that scored; null when there was nothing to score. */
  model: string | null;
}

/** Throws `invalid_request` for what is neither. */
export function checkSource(source: unknown): void {
  const { embed, embeddings } = Object(source);
  if (isFunction(embed) || isFunction(Object(embeddings).create)) return;
  throw wrongOption('source', 'a client of `createVecinity` or an engine of `createNodeEngine`', source);
}

interface ListRule {
  name: string;
  /** What the list is of, in the plural. */
  items: string;
  check: Check;
}

/** Throws `invalid_request` for what is no list, or has an item that fails the check. */
export function checkList(value: unknown, { name, items, check }: ListRule): void {
  if (!Array.isArray(value)) throw wrongOption(name, `a list of ${items}`, value);
  const wrong = value.findIndex((entry) => !check(entry));
  if (wrong >= 0) throw wrongOption(`${name}[${wrong}]`, `one of the ${items}`, value[wrong]);
}

/** The calls of a source; those of an engine are made from the API's own validators, which only Node then loads. */
export async function callsOf(source: VecinitySource): Promise<Calls> {
  if ('embeddings' in source) return source;
  const { toCalls } = await import('./engine-calls.js');
  return toCalls(source);
}

/** Embeds any number of texts, in parts. Throws what the engine throws. */
export async function embedTexts(
  source: VecinitySource,
  texts: readonly string[],
  { signal, ...options }: EmbedOptions & Signalled,
): Promise<EmbeddedTexts> {
  checkList(texts, { name: 'texts', items: 'texts', check: isString });
  const { embeddings } = await callsOf(source);
  const embedded: EmbeddedTexts = { vectors: [], promptTokens: 0 };
  for (let start = 0; start < texts.length; start += maxInputs) {
    const body = toEmbeddingsBody(texts.slice(start, start + maxInputs), options);
    const { data, usage } = await embeddings.create(body, signal ? { signal } : {});
    embedded.vectors.push(...data.map(({ embedding }) => toVector(embedding)));
    embedded.promptTokens += usage.prompt_tokens;
  }
  return embedded;
}

/** Scores documents against a query; an empty list needs no engine. Throws what the engine throws. */
export async function rankDocuments(
  source: VecinitySource,
  query: string,
  documents: readonly string[],
  { signal, ...options }: RerankOptions & Signalled,
): Promise<RankedDocuments> {
  checkList(documents, { name: 'documents', items: 'texts', check: isString });
  if (documents.length === 0) return { ranking: [], model: null };
  const { rerankings } = await callsOf(source);
  const body = toRerankBody(query, documents, options);
  const { results, model } = await rerankings.create(body, signal ? { signal } : {});
  return { ranking: results.map(({ index, relevance_score: score }) => ({ index, score })), model };
}

/** The one vector that was asked for. */
export function firstOf(vectors: readonly Float32Array[]): Float32Array {
  const [first] = vectors;
  if (!first) throw new VecinityError('internal_error', 'The engine gave no vector for a text.');
  return first;
}

/** Floats were asked for: only a caller's own encoding would bring a string. */
function toVector(embedding: Float32Array | number[] | string): Float32Array {
  if (embedding instanceof Float32Array) return embedding;
  if (typeof embedding !== 'string') return Float32Array.from(embedding);
  throw new VecinityError('internal_error', 'The engine gave a vector as a string; numbers were asked for.');
}
