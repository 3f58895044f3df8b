/** Another server's refusals in our words, whichever of the known shapes its error has. */
import * as z from 'zod/mini';
import { type ErrorCode, VecinityError } from '../../errors.js';

const text = z.catch(z.nullish(z.string()), null);
const errorFields = z.object({ message: text, param: text, code: z.catch(z.nullish(z.unknown()), null) });

/** OpenAI and vLLM: `error.message`; TEI and Ollama: `error`; Cohere, TEI: `message`; Jina, FastAPI: `detail`. */
const errorBody = z.object({
  error: z.catch(z.nullish(z.union([z.string(), errorFields])), null),
  message: text,
  detail: text,
});

/** Statuses that mean the same on both sides; what is not here is a failure of that server. */
const codeByStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_request',
  404: 'model_not_found',
  408: 'timeout',
  413: 'payload_too_large',
  422: 'invalid_request',
  429: 'overloaded',
  504: 'timeout',
};

const maxMessageLength = 500;

/** Statuses of a server that lacks a route; a 404 can also mean a model. */
const missingStatuses: ReadonlySet<number> = new Set([404, 405, 501]);
const missingWords = /not found|invalid url|no route|not allowed|unknown (?:url|path|route)/i;

/** The failure `not_found` when a response says that the server has no such route, else null. */
export function toMissingRoute(
  { status }: Response,
  body: string,
  { path, model }: { path: string; model: string },
): VecinityError | null {
  if (!missingStatuses.has(status)) return null;
  const { message, code } = parse(body);
  const isModel = code === 'model_not_found' || (message !== null && /\bmodel\b/i.test(message));
  const isMissing = status !== 404 || code === 'not_found' || message === null || missingWords.test(message);
  if (!isMissing || (isModel && code !== 'not_found')) return null;
  const said = message === null ? '' : `, ${message.slice(0, maxMessageLength)}`;
  const sentence = `The server of \`${model}\` has no route ${path}, so it cannot be asked for this: status ${status}${said}`;
  return new VecinityError('not_found', sentence, { param: 'model' });
}

/** The failure that a response stands for; our key for that server is nothing that a client could put right. */
export function toUpstreamError(response: Response, body: string, model: string): VecinityError {
  const { message, param, code: theirs } = parse(body);
  const { status } = response;
  const code = codeByStatus[status] ?? 'upstream_failed';
  const said = message === null ? `status ${status}` : `status ${status}, ${message.slice(0, maxMessageLength)}`;
  return new VecinityError(
    theirs === 'context_length_exceeded' ? theirs : code,
    `The server of \`${model}\` answered: ${said}`,
    {
      param: param ?? (code === 'model_not_found' ? 'model' : null),
      retryAfterMs: retryAfterMs(response.headers),
    },
  );
}

function parse(body: string): { message: string | null; param: string | null; code: unknown } {
  const { error, message, detail } = toFields(body);
  const fields = typeof error === 'string' ? { message: error } : error;
  return {
    message: fields?.message ?? message ?? detail ?? (body.trim() || null),
    param: fields && 'param' in fields ? (fields.param ?? null) : null,
    code: fields && 'code' in fields ? fields.code : null,
  };
}

function toFields(body: string): Partial<z.output<typeof errorBody>> {
  try {
    return errorBody.safeParse(JSON.parse(body)).data ?? {};
  } catch {
    return {};
  }
}

/** `retry-after-ms`, else `retry-after` in seconds or as a date; null without either. */
function retryAfterMs(headers: Headers): number | null {
  const exact = headers.get('retry-after-ms');
  if (exact !== null && Number.isFinite(Number(exact))) return Math.max(0, Number(exact));
  const after = headers.get('retry-after');
  if (after === null) return null;
  const seconds = Number(after);
  const waitMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(after) - Date.now();
  return Number.isNaN(waitMs) ? null : Math.max(0, waitMs);
}
