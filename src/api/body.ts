/** Reads a request's JSON body: content type, size, encoding and syntax. What the JSON says is checked elsewhere. */
import { VecinityError } from '../errors.js';
import { isFromElsewhere } from './cors.js';

/** Room for 2,048 inputs of 16 kB. */
const maxBodyBytes = 32 * 1024 * 1024;
const jsonType = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;

/**
 * Throws `unsupported_media_type` unless `anyContentType`, which holds for programs and own pages only;
 * `payload_too_large`, `invalid_json`.
 */
export async function readJson(request: Request, anyContentType = false): Promise<unknown> {
  if (!anyContentType || isFromElsewhere(request)) checkContentType(request.headers.get('content-type'));
  checkSize(Number(request.headers.get('content-length') ?? 0));
  const bytes = await readBytes(request);
  if (bytes.byteLength === 0) {
    throw new VecinityError('invalid_json', 'The request body is empty; a JSON object is needed.');
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
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

function checkSize(byteLength: number): void {
  if (byteLength <= maxBodyBytes) return;
  const limit = maxBodyBytes / 1024 / 1024;
  throw new VecinityError('payload_too_large', `The request body is larger than ${limit} MiB; send fewer inputs.`);
}

/** A body without a declared length is counted as it comes. Firefox has no `request.body`, and holds the body already. */
async function readBytes(request: Request): Promise<ArrayBuffer> {
  const body: ReadableStream<Uint8Array<ArrayBuffer>> | null | undefined = request.body;
  if (!body || request.headers.has('content-length')) {
    const bytes = await request.arrayBuffer();
    checkSize(bytes.byteLength);
    return bytes;
  }
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let byteLength = 0;
  for await (const chunk of readChunks(body)) {
    byteLength += chunk.byteLength;
    checkSize(byteLength);
    chunks.push(chunk);
  }
  return new Blob(chunks).arrayBuffer();
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
