/** Sends requests straight to a handler, as a server would, without one. */

import { createHandler, type Handler } from '../../src/api/handler.js';
import type { ApiConfig } from '../../src/config.js';
import { FakeEngine } from './api-engine.js';

export const origin = 'https://site.example';

export interface Api {
  engine: FakeEngine;
  handler: Handler;
  get(path: string, init?: RequestInit): Promise<Response>;
  post(path: string, body: unknown, init?: RequestInit): Promise<Response>;
}

export function createApi(api: Partial<ApiConfig> = {}, engine = new FakeEngine()): Api {
  const handler = createHandler({ engine, api });
  return {
    engine,
    handler,
    get: (path, init) => handler(new Request(origin + path, init)),
    post: (path, body, init = {}) =>
      handler(
        new Request(origin + path, {
          method: 'POST',
          body: typeof body === 'string' ? body : JSON.stringify(body),
          ...init,
          headers: { 'content-type': 'application/json', ...Object.fromEntries(new Headers(init.headers)) },
        }),
      ),
  };
}

export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | null };
}

/** Status and error of a response; fails when the body has not exactly the four keys. */
export async function errorOf(response: Response): Promise<ErrorBody['error'] & { status: number }> {
  const body: ErrorBody = await response.json();
  const keys = Object.keys(body.error).sort().join();
  if (keys !== 'code,message,param,type') throw new Error(`error has the keys ${keys}`);
  return { status: response.status, ...body.error };
}
