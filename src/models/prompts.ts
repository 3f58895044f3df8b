/** Which text goes before an input: the prompt of a request, of a named prompt, of an input's role, or the default. */
import { VecinityError } from '../errors.js';
import type { ModelSpec } from './spec.js';

/** What an input is: one looks for the other. */
export type InputRole = 'query' | 'document';

/** Names under which models keep the prompt of one role, the most usual first. */
export const promptNamesByRole: Readonly<Record<InputRole, readonly string[]>> = {
  query: ['query', 'search_query', 'retrieval.query', 's2p_query', 'web_search_query'],
  document: ['document', 'passage', 'search_document', 'retrieval.passage', 'corpus', 'text'],
};

export interface PromptChoice {
  /** The text itself; '' for none. Wins over everything else. */
  prompt?: string | null;
  /** A name that the model must have. */
  promptName?: string | null;
  /** A hint that a model without such a prompt ignores. */
  role?: InputRole;
}

/** The text to put before an input, '' for none. Throws `invalid_request` for a name that is not known. */
export function resolvePrompt(spec: ModelSpec, choice: PromptChoice): string {
  if (typeof choice.prompt === 'string') return choice.prompt;
  if (typeof choice.promptName === 'string') return namedPrompt(spec, choice.promptName);
  if (choice.role !== undefined) return firstPrompt(spec, promptNamesByRole[choice.role]) ?? '';
  return spec.defaultPromptName === null ? '' : (spec.prompts[spec.defaultPromptName] ?? '');
}

function namedPrompt(spec: ModelSpec, name: string): string {
  const prompt = ownPrompt(spec, name) ?? promptOfSynonym(spec, name);
  if (prompt !== null) return prompt;
  const names = Object.keys(spec.prompts);
  const allowed = names.length > 0 ? `it has ${names.join(', ')}` : 'it has none';
  throw new VecinityError(
    'invalid_request',
    `The model ${spec.id} has no prompt named ${JSON.stringify(name)}; ${allowed}.`,
    {
      param: 'prompt_name',
    },
  );
}

function ownPrompt(spec: ModelSpec, name: string): string | null {
  return Object.hasOwn(spec.prompts, name) ? (spec.prompts[name] ?? null) : null;
}

/** The model's prompt for the role that a name stands for: `search_query` finds a prompt that is called `query`. */
function promptOfSynonym(spec: ModelSpec, name: string): string | null {
  const names = Object.values(promptNamesByRole).find((synonyms) => synonyms.includes(name));
  return firstPrompt(spec, names ?? []);
}

function firstPrompt(spec: ModelSpec, names: readonly string[]): string | null {
  const found = names.find((name) => Object.hasOwn(spec.prompts, name));
  return found === undefined ? null : ownPrompt(spec, found);
}
