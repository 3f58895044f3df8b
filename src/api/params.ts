/** The engine names fields as OpenAI does; a caller who used another dialect's name for one reads that name. */
import { VecinityError } from '../errors.js';

/** Other names of the engine's parameters, and the object that holds one where there is any. */
const otherNames: Readonly<Record<string, readonly string[]>> = {
  input: ['inputs', 'texts', 'content', 'tokens', 'ids', 'prompt'],
  documents: ['texts', 'items', 'data_2', 'text_2'],
  query: ['queries', 'data_1', 'text_1'],
  dimensions: ['output_dimension'],
  max_tokens: ['truncate_prompt_tokens', 'max_tokens_per_doc', 'options.num_ctx'],
};

/** What a message of the engine starts with: the parameter, and which item of it. */
const subject = /^(`?)(?:input|documents?|query|dimensions|max_tokens)\b\1(?: (\d+)\b)?/;

/** The same error about the field that the body has. */
export function nameAsAsked(error: VecinityError, body: unknown): VecinityError {
  const { code, message, param, retryAfterMs } = error;
  if (param === null || !Object.hasOwn(otherNames, param) || valueAt(body, param) !== undefined) return error;
  const name = otherNames[param]?.find((other) => valueAt(body, other) != null);
  if (name === undefined) return error;
  const isList = Array.isArray(valueAt(body, name));
  const renamed = message.replace(
    subject,
    (_, __, index?: string) => `\`${name}${index && isList ? `[${index}]` : ''}\``,
  );
  return new VecinityError(code, renamed, { param: name, retryAfterMs, cause: error });
}

function valueAt(body: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => {
    return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
      ? Reflect.get(value, key)
      : undefined;
  }, body);
}
