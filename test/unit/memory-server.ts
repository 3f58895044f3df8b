/** A web server in memory: answers by URL, and remembers what was asked. */

export interface MemoryServer {
  fetch: typeof fetch;
  requests: { url: string; headers: Headers; referrerPolicy: string | undefined; cache: string | undefined }[];
}

/** `answers` maps URLs to a response, a body, or several of either in turn; everything else is 404. */
export function memoryServer(answers: Record<string, Answer | Answer[]>): MemoryServer {
  const server: MemoryServer = {
    requests: [],
    fetch: async (input, init) => {
      const url = String(input);
      server.requests.push({
        url,
        headers: new Headers(init?.headers),
        referrerPolicy: init?.referrerPolicy,
        cache: init?.cache,
      });
      if (init?.signal?.aborted) throw init.signal.reason;
      const answer = answers[url];
      const next = Array.isArray(answer) ? answer.shift() : answer;
      return toResponse(next, init);
    },
  };
  return server;
}

export type Answer = string | Uint8Array<ArrayBuffer> | Error | (() => Response) | undefined;

function toResponse(answer: Answer, init?: RequestInit): Response {
  if (answer === undefined) return new Response('Not found', { status: 404 });
  if (answer instanceof Error) throw answer;
  if (typeof answer === 'function') return answer();
  const bytes = typeof answer === 'string' ? new TextEncoder().encode(answer) : answer;
  const range = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get('range') ?? '');
  if (!range) return new Response(bytes, { headers: { 'content-length': String(bytes.length) } });
  return new Response(bytes.slice(Number(range[1]), Number(range[2]) + 1), { status: 206 });
}

export function htmlPage(): Response {
  return new Response('<!doctype html><html><body></body></html>', { headers: { 'content-type': 'text/html' } });
}
