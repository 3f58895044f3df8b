/** Maps the words that other APIs use for an input's role onto the prompts that a model has. */
import type { ModelStatus } from '../core/engine.js';
import { promptNamesByRole } from '../models/prompts.js';
import { specOf } from './names.js';
import type { CallContext } from './route.js';
import { invalidField } from './validate.js';

const { query, document } = promptNamesByRole;
const matching = ['text-matching', 'sts', 'STS', 's2s_query'];

/** Names of prompts to look for, best first, for each word of Cohere, Jina, Voyage and NVIDIA. */
const promptNamesByWord: Readonly<Record<string, readonly string[]>> = {
  query,
  document,
  passage: document,
  search_query: query,
  search_document: document,
  'retrieval.query': query,
  'retrieval.passage': document,
  'text-matching': matching,
  classification: ['classification', 'Classification'],
  clustering: ['clustering', 'Clustering', 'separation'],
  separation: ['separation', 'clustering', 'Clustering'],
};

/** What a request says about prompts, in the order of precedence; all null takes the model's default prompt. */
export interface PromptWish {
  prompt: string | null;
  promptName: string | null;
  /** The role of the inputs and the field that named it. */
  role: { value: string; field: string } | null;
}

export interface PromptChoice {
  prompt: string | null;
  promptName: string | null;
}

/** Chooses the prompt. A role that the model has no prompt for takes its default prompt, a document takes none. */
export async function choosePrompt(
  { prompt, promptName, role }: PromptWish,
  model: ModelStatus,
  context: CallContext,
): Promise<PromptChoice> {
  if (prompt !== null || promptName !== null || role === null) return { prompt, promptName };
  const names = Object.keys((await specOf(model, context))?.prompts ?? {});
  if (names.includes(role.value)) return { prompt: null, promptName: role.value };
  if (!Object.hasOwn(promptNamesByWord, role.value)) {
    const known = [...new Set([...Object.keys(promptNamesByWord), ...names])];
    throw invalidField([role.field], `one of ${known.join(', ')}`, role.value);
  }
  const wanted = promptNamesByWord[role.value];
  const found = wanted?.find((name) => names.includes(name)) ?? null;
  return { prompt: found === null && wanted === document ? '' : null, promptName: found };
}
