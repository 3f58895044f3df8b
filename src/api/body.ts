/** Reads a request's JSON body: content type, size, encoding and syntax. What the JSON says is checked elsewhere. */
import { abortError, VecinityError } from '../errors.js';
import type { Held } from './body-room.js';
import { isFromElsewhere } from './cors.js';

/** Room for 2,048 inputs of 16 kB. */
const maxBodyBytes = 32 * 1024 * 1024;
/** Lists, objects and members together. Parsed, each takes up to a hundred times the bytes that it has here. */
const maxParts = 1_000_000;
/** Up to here a body is read at once, which is fastest. */
const smallBytes = 65_536;
const jsonType = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;

export interface BodyOptions {
  /** Takes JSON under any type, from programs and own pages only. */
  anyContentType?: boolean | undefined;
  /** What the body takes of the room that all have. */
  held: Held;
}

/**
 * Throws `unsupported_media_type`, `payload_too_large`, `invalid_json`, `overloaded` while others fill the room, and
 * `aborted` for a body that ends before its end.
 */
export async function readJson(request: Request, { anyContentType = false, held }: BodyOptions): Promise<unknown> {
  if (!anyContentType || isFromElsewhere(request)) checkContentType(request.headers.get('content-type'));
  const bytes = await readBytes(request, held);
  if (bytes.byteLength === 0) {
    throw new VecinityError('invalid_json', 'The request body is empty; a JSON object is needed.');
  }
  checkParts(bytes);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    checkEncoding(request.headers.get('content-encoding'));
    // The engine's own words hold the position; an unpaired byte is a TypeError of the decoder.
    const reason = cause instanceof SyntaxError ? cause.message : 'it is not UTF-8 text or is nested too deeply';
    throw new VecinityError('invalid_json', `The request body is not valid JSON: ${reason}.`, { cause });
  }
}

function checkContentType(contentType: string | null): void {
  if (contentType !== null && jsonType.test(contentType)) return;
  const came = contentType === null ? 'none' : `\`${contentType}\``;
  throw new VecinityError(
    'unsupported_media_type',
    `The header \`content-type\` must be \`application/json\`; got ${came}.`,
    { param: 'content-type' },
  );
}

/** Only of a body that cannot be read: what stands in front of a server may have unpacked it and left the header. */
function checkEncoding(encoding: string | null): void {
  if (encoding === null || encoding.toLowerCase() === 'identity') return;
  const message = `The header \`content-encoding\` must be \`identity\` or left out; got \`${encoding}\`.`;
  throw new VecinityError('unsupported_media_type', message, { param: 'content-encoding' });
}

function checkSize(byteLength: number): void {
  if (byteLength <= maxBodyBytes) return;
  const limit = maxBodyBytes / 1024 / 1024;
  throw new VecinityError('payload_too_large', `The request body is larger than ${limit} MiB; send fewer inputs.`);
}

async function readBytes(request: Request, held: Held): Promise<Uint8Array> {
  const declared = request.headers.get('content-length');
  checkSize(Number(declared ?? 0));
  try {
    return await collect(request, { held, isSmall: declared !== null && Number(declared) <= smallBytes });
  } catch (cause) {
    if (cause instanceof VecinityError) throw cause;
    if (request.signal.aborted) throw abortError(request.signal);
    throw new VecinityError('aborted', 'The request body ended before its end.', { cause });
  }
}

/** A large body is counted as it comes. Firefox has no `request.body`, and holds the body already. */
async function collect(request: Request, { held, isSmall }: { held: Held; isSmall: boolean }): Promise<Uint8Array> {
  const body: ReadableStream<Uint8Array<ArrayBuffer>> | null | undefined = isSmall ? null : request.body;
  if (!body) {
    const bytes = new Uint8Array(await request.arrayBuffer());
    checkSize(bytes.byteLength);
    return bytes;
  }
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let byteLength = 0;
  for await (const chunk of readChunks(body)) {
    byteLength += chunk.byteLength;
    checkSize(byteLength);
    if (byteLength > smallBytes) held.take(byteLength);
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** Safari cannot iterate a stream itself. Stopping early cancels the upload. */
async function* readChunks(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  try {
    for (let step = await reader.read(); !step.done; step = await reader.read()) yield step.value;
  } finally {
    await reader.cancel();
  }
}

const codes = { quote: 0x22, backslash: 0x5c, colon: 0x3a, bracket: 0x5b, brace: 0x7b } as const;

/** Counts before anything is made of the text; a body of fewer bytes cannot have too many. */
function checkParts(bytes: Uint8Array): void {
  if (bytes.length <= maxParts) return;
  let parts = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const code = bytes[at];
    if (code === codes.quote) at = endOfText(bytes, at);
    else if (code === codes.colon || code === codes.bracket || code === codes.brace) parts += 1;
  }
  if (parts <= maxParts) return;
  const message = `The request body has more than ${maxParts} lists, objects and members; send fewer inputs.`;
  throw new VecinityError('payload_too_large', message);
}

/** Where the quote is that ends the text which begins at `start`. */
function endOfText(bytes: Uint8Array, start: number): number {
  for (let end = bytes.indexOf(codes.quote, start + 1); end !== -1; end = bytes.indexOf(codes.quote, end + 1)) {
    let backslashes = 0;
    while (bytes[end - 1 - backslashes] === codes.backslash) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return bytes.length;
}
