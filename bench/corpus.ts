/** The texts of a run: corpora and reference vectors from disk, and texts of an exact number of tokens made from them. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { UsageError } from '../scripts/command-line.js';
import { wordsOf } from '../src/errors.js';

const goldensSchema = z.object({
  model: z.string().default('all-MiniLM-L6-v2'),
  max_seq_length: z.number().int().positive().default(256),
  texts: z.array(z.string()).min(1),
  embeddings: z.array(z.array(z.number())).min(1),
});

const knownItemSchema = z.object({
  documents: z.array(z.string()).min(1),
  queries: z.array(z.object({ query: z.string(), document: z.number().int().nonnegative() })).min(1),
});

/** Texts with the vectors that another implementation gave them. */
export interface Goldens {
  model: string;
  maxTokens: number;
  texts: string[];
  embeddings: number[][];
}

/** Documents, and queries that each look for one of them. */
export type KnownItem = z.infer<typeof knownItemSchema>;

export interface Corpus {
  /** The file's name without its ending. */
  name: string;
  texts: string[];
}

/** Reads a JSON list of texts; throws with the file's name when it is something else. */
export async function readCorpus(file: string): Promise<Corpus> {
  const texts = await readJson(file, z.array(z.string()).min(1), 'a JSON list of texts');
  return { name: path.basename(file, '.json'), texts };
}

export async function readGoldens(file: string): Promise<Goldens> {
  const data = await readJson(file, goldensSchema, 'reference vectors {texts, embeddings}');
  if (data.texts.length !== data.embeddings.length) {
    throw new UsageError(`${file} has ${data.texts.length} texts and ${data.embeddings.length} embeddings.`);
  }
  return { model: data.model, maxTokens: data.max_seq_length, texts: data.texts, embeddings: data.embeddings };
}

export function readKnownItem(file: string): Promise<KnownItem> {
  return readJson(file, knownItemSchema, 'a known-item corpus {documents, queries}');
}

async function readJson<T>(file: string, schema: z.ZodType<T>, what: string): Promise<T> {
  let data: unknown;
  try {
    data = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file} cannot be read as JSON: ${wordsOf(error)}`);
  }
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  throw new UsageError(`${file} is not ${what}: ${z.prettifyError(parsed.error)}`);
}

/** Counts the tokens of a text as this model's tokenizer makes them, special tokens included, without truncation. */
export async function createTokenCounter(modelFolder: string): Promise<(text: string) => number> {
  const read = async (name: string): Promise<object> =>
    JSON.parse(await readFile(path.join(modelFolder, name), 'utf8'));
  const tokenizer = new Tokenizer(await read('tokenizer.json'), await read('tokenizer_config.json'));
  return (text) => tokenizer.encode(text).ids.length;
}

/**
 * Makes up to `count` different texts of exactly `tokens` tokens from the words of `texts`, read as one stream.
 * A run of words that jumps over the wanted length is dropped, so a small corpus may give fewer, or none.
 */
export function makeTextsOfLength(
  texts: readonly string[],
  tokens: number,
  count: number,
  countTokens: (text: string) => number,
): string[] {
  const found = new Set<string>();
  let text = '';
  for (const word of texts.join(' ').split(/\s+/)) {
    text = text === '' ? word : `${text} ${word}`;
    const length = countTokens(text);
    if (length === tokens) found.add(text);
    if (length >= tokens) text = '';
    if (found.size === count) break;
  }
  return [...found];
}

/** Repeats a list until it has `count` items; an empty list stays empty. */
export function repeatTo<T>(items: readonly T[], count: number): T[] {
  if (items.length === 0) return [];
  const times = Math.ceil(count / items.length);
  return Array.from({ length: times }, () => items)
    .flat()
    .slice(0, count);
}
