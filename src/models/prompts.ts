/** Which text goes before an input: the prompt of a request, of a named prompt, of an input's role, or the default. */
import { VecinityError } from '../errors.js';
import type { ModelSpec } from './spec.js';

/** Names under which models keep the prompt of one role, the most usual first. */
const promptNamesByRole = {
  query: ['query', 'search_query', 'retrieval.query', 's2p_query', 'web_search_query'],
  document: ['document', 'passage', 'search_document', 'retrieval.passage', 'corpus'],
} as const;

/** Input types that clients of other servers send and that a model without a prompt of that name may ignore. */
const otherInputTypes = ['classification', 'clustering', 'separation', 'text-matching', 'image'];

export interface PromptChoice {
  /** The text itself; '' for none. Wins over everything else. */
  prompt?: string | null;
  /** A name that the model must have. */
  promptName?: string | null;
  /** What the input is, in the words of any API; a hint that a model without such a prompt ignores. */
  inputType?: string | null;
}

/** The text to put before an input, '' for none. Throws `invalid_request` for a name that is not known. */
export function resolvePrompt(spec: ModelSpec, choice: PromptChoice): string {
  if (typeof choice.prompt === 'string') return choice.prompt;
  if (typeof choice.promptName === 'string') return namedPrompt(spec, choice.promptName);
  if (typeof choice.inputType === 'string') return promptOfType(spec, choice.inputType);
  return spec.defaultPromptName === null ? '' : (spec.prompts[spec.defaultPromptName] ?? '');
}

function namedPrompt(spec: ModelSpec, name: string): string {
  const prompt = ownPrompt(spec, name) ?? promptOfRole(spec, name);
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

function promptOfType(spec: ModelSpec, inputType: string): string {
  const prompt = ownPrompt(spec, inputType) ?? promptOfRole(spec, inputType);
  if (prompt !== null) return prompt;
  const known = [...promptNamesByRole.query, ...promptNamesByRole.document, ...otherInputTypes];
  if (known.includes(inputType)) return '';
  throw new VecinityError(
    'invalid_request',
    `input_type ${JSON.stringify(inputType)} is not known; use one of ${known.join(', ')}.`,
    { param: 'input_type' },
  );
}

function ownPrompt(spec: ModelSpec, name: string): string | null {
  return Object.hasOwn(spec.prompts, name) ? (spec.prompts[name] ?? null) : null;
}

/** The model's prompt for the role that a name stands for: `search_query` finds a prompt that is called `query`. */
function promptOfRole(spec: ModelSpec, name: string): string | null {
  for (const names of Object.values(promptNamesByRole)) {
    if (!(names as readonly string[]).includes(name)) continue; // Widened, because the tuple admits its members only.
    const found = names.find((candidate) => Object.hasOwn(spec.prompts, candidate));
    return found === undefined ? null : (spec.prompts[found] ?? null);
  }
  return null;
}
