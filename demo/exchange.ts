/** One call of `POST /v1/embeddings` as any program would make it: what was sent, what came back, how long it took. */

export interface EmbeddingsBody {
  model: string;
  input: readonly string[];
  encoding_format: 'float';
  /** Cuts texts that are too long for the model instead of refusing them. */
  truncate?: true;
}

export interface Exchange {
  body: EmbeddingsBody;
  status: number;
  /** The parsed answer, as it came. */
  answer: EmbeddingsAnswer;
  elapsedMs: number;
}

export interface EmbeddingsAnswer {
  object: string;
  data: { object: string; index: number; embedding: number[] }[];
  model: string;
  usage: { prompt_tokens: number; total_tokens: number };
}

/** An answer with an error status, or one that is not what the API promises. */
export class RequestError extends Error {
  readonly status: number;
  readonly code: string | null;

  constructor(message: string, status: number, code: string | null) {
    super(message);
    this.name = 'RequestError';
    this.status = status;
    this.code = code;
  }
}

export const embeddingsPath = '/v1/embeddings';

/** Sends the sentences with `send`; throws `RequestError`, or `AbortError` once the signal fires. */
export async function requestEmbeddings(
  send: typeof fetch,
  body: EmbeddingsBody,
  signal: AbortSignal,
): Promise<Exchange> {
  const startedMs = performance.now();
  const response = await send(embeddingsPath, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  });
  const text = await response.text();
  const elapsedMs = performance.now() - startedMs;
  signal.throwIfAborted();
  return { body, status: response.status, answer: readAnswer(text, response.status, body.input.length), elapsedMs };
}

function readAnswer(text: string, status: number, count: number): EmbeddingsAnswer {
  const answer = parseJson(text, status);
  if (status !== 200) throw toRequestError(answer, status);
  if (!isAnswer(answer) || answer.data.length !== count) {
    throw new RequestError('The answer is not a list of one embedding for each sentence.', status, null);
  }
  return answer;
}

function parseJson(text: string, status: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestError(`The answer (status ${status}) is not JSON.`, status, null);
  }
}

function toRequestError(answer: unknown, status: number): RequestError {
  const error = isRecord(answer) && isRecord(answer.error) ? answer.error : {};
  const message = typeof error.message === 'string' ? error.message : `The request failed with status ${status}.`;
  return new RequestError(message, status, typeof error.code === 'string' ? error.code : null);
}

function isAnswer(value: unknown): value is EmbeddingsAnswer {
  if (!isRecord(value) || !Array.isArray(value.data) || !isRecord(value.usage)) return false;
  return (
    typeof value.usage.total_tokens === 'number' &&
    value.data.every((item: unknown) => isRecord(item) && Array.isArray(item.embedding))
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
