/** The API key: `Authorization: Bearer <key>`, or llama.cpp's `X-Api-Key`. */
import { VecinityError } from '../errors.js';

const encoder = new TextEncoder();

/** Throws `invalid_api_key` unless the request carries the key; a null key lets everyone in. */
export function checkKey(request: Request, apiKey: string | null): void {
  if (apiKey === null) return;
  const authorization = request.headers.get('authorization');
  const given = /^bearer\s+(.+)$/i.exec(authorization ?? '')?.[1] ?? request.headers.get('x-api-key') ?? undefined;
  if (given !== undefined && isSame(given, apiKey)) return;
  const message = given === undefined ? 'An API key is needed: send it' : 'The API key is wrong: send the right one';
  throw new VecinityError('invalid_api_key', `${message} as \`Authorization: Bearer <key>\`.`);
}

/** Compares every byte, so that the time does not tell how many were right. */
function isSame(given: string, expected: string): boolean {
  const a = encoder.encode(given);
  const b = encoder.encode(expected);
  let difference = a.length ^ b.length;
  for (let at = 0; at < a.length; at += 1) difference |= (a[at] ?? 0) ^ (b[at % b.length] ?? 0);
  return difference === 0;
}
