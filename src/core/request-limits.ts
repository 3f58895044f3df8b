/** What a ready model refuses, and in which words: more tokens than it may take, widths it cannot have. */
import { VecinityError } from '../errors.js';
import type { ModelSpec } from '../models/spec.js';

/** Token vectors of one answer, in values: 32 MiB of floats, several times that as text. */
const maxTokenValues = 2 ** 23;

/** Throws `invalid_request` in OpenAI's words for more tokens than one request may have; some may not be counted yet. */
export function requireFewer(tokens: number, most: number | null | undefined): void {
  if (most == null || tokens <= most) return;
  const message = `input is too large: Requested at least ${tokens} tokens, max ${most} tokens per request.`;
  throw new VecinityError('invalid_request', message, { param: 'input' });
}

/** Throws `invalid_request` where the vectors of so many tokens are too much for one answer. */
export function requireRoom(tokens: number, width: number): void {
  const most = Math.floor(maxTokenValues / width);
  if (tokens <= most) return;
  const message = `The inputs have more than ${most} tokens; send fewer at once when every token's vector is asked for.`;
  throw new VecinityError('invalid_request', message, { param: 'input' });
}

/** The width to return. Throws `invalid_request` for one that the model cannot be cut to. */
export function chooseDimensions(asked: number | null, { id, dimensions, matryoshkaDimensions }: ModelSpec): number {
  if (asked === null || asked === dimensions) return dimensions;
  const inRange = Number.isInteger(asked) && asked >= 1 && asked <= dimensions;
  const isAnyAllowed = matryoshkaDimensions.length === 0;
  if (inRange && (isAnyAllowed || matryoshkaDimensions.includes(asked))) return asked;
  const allowed = isAnyAllowed ? `from 1 to ${dimensions}` : `one of ${matryoshkaDimensions.join(', ')}`;
  throw new VecinityError('invalid_request', `dimensions is ${asked}; for ${id} it must be ${allowed}.`, {
    param: 'dimensions',
  });
}
