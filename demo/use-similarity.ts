/** Embeds the sentences a moment after the last change; a change stops the request that is still under way. */
import { useEffect, useState } from 'preact/hooks';
import { isReranker, type Session } from './engine.js';
import { type Exchange, RequestError, requestEmbeddings } from './exchange.js';
import { messageOf } from './failure.js';
import { cosineMatrix } from './matrix.js';

const pauseMs = 200;

export interface Similarity {
  texts: readonly string[];
  values: Float64Array;
  exchange: Exchange;
  session: Session;
}

export interface SimilarityState {
  /** The latest answer; stays while the next one is on its way. */
  similarity: Similarity | null;
  pending: boolean;
  error: RequestError | null;
}

const nothing: SimilarityState = { similarity: null, pending: false, error: null };

export interface SimilarityOptions {
  /** Cuts what is too long for the model. */
  truncate: boolean;
  /** Another number asks again for the same texts. */
  attempt: number;
}

/** At least two texts are needed, and a model that makes embeddings; else nothing is sent. */
export function useSimilarity(
  session: Session | null,
  texts: readonly string[],
  { truncate, attempt }: SimilarityOptions,
): SimilarityState {
  const [state, setState] = useState<SimilarityState>(nothing);
  const key = texts.join('\n');

  useEffect(() => {
    if (texts.length < 2 || (session !== null && isReranker(session))) return setState(nothing);
    if (session === null) return setState((former) => ({ ...former, pending: false }));
    const controller = new AbortController();
    setState((former) => ({ ...former, pending: true }));
    const timer = setTimeout(() => {
      compare(session, texts, { truncate, signal: controller.signal }).then(
        (similarity) => setState({ similarity, pending: false, error: null }),
        (error: unknown) => {
          if (controller.signal.aborted) return;
          setState((former) => ({ ...former, pending: false, error: toRequestError(error) }));
        },
      );
    }, pauseMs);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
    // `key` stands for `texts`, which is another array after each stroke; `attempt` only asks again.
  }, [session, key, truncate, attempt]);

  return state;
}

interface CompareOptions {
  truncate: boolean;
  signal: AbortSignal;
}

async function compare(
  session: Session,
  texts: readonly string[],
  { truncate, signal }: CompareOptions,
): Promise<Similarity> {
  const cut = truncate ? ({ truncate: true } as const) : {};
  const body = { model: session.choice.model, input: texts, encoding_format: 'float', ...cut } as const;
  const exchange = await requestEmbeddings(session.send, body, signal);
  const values = cosineMatrix(exchange.answer.data.map(({ embedding }) => embedding));
  return { texts, values, exchange, session };
}

function toRequestError(error: unknown): RequestError {
  if (error instanceof RequestError) return error;
  return new RequestError(messageOf(error), 0, null);
}
