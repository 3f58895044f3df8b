/** One path that several APIs have: the keys of the body decide whose route answers, in whose words, errors included. */
import * as z from 'zod/mini';
import type { Call, Route } from './route.js';
import type { BodySchema } from './validate.js';

/** How one of the APIs answers here, when the body has `key`. */
export interface Variant extends Pick<Route, 'formatError' | 'handle'> {
  key: string;
  body: BodySchema;
}

/** The first variant whose key the body has; the last one answers bodies without any. */
export function sharedRoute(
  route: Pick<Route, 'paths' | 'summary'>,
  variants: readonly [Variant, ...Variant[]],
): Route {
  const last = variants.at(-1) ?? variants[0];
  const choose = (body: unknown): Variant =>
    variants.find(({ key }) => typeof body === 'object' && body !== null && Object.hasOwn(body, key)) ?? last;
  return {
    ...route,
    method: 'POST',
    body: z.union(variants.map(({ body }) => body)),
    guarded: true,
    formatError: (error, body) => choose(body).formatError?.(error, body) ?? null,
    handle: (call: Call) => choose(call.body).handle(call),
  };
}
