/** One path that several APIs have: the keys of the body decide whose route answers, in whose words, errors included. */
import * as z from 'zod/mini';
import { fieldOf } from '../../json-object.js';
import type { Answers } from '../answers.js';
import type { Call, Route } from '../route.js';
import type { BodySchema } from '../validate.js';

/** How one of the APIs answers here, when the body has `key`. */
export interface Variant extends Pick<Route, 'formatError' | 'handle'> {
  key: string;
  body: BodySchema;
  example: object;
  answers: Answers;
}

/**
 * The first variant whose key the body has, one with a value before one with null, as which many clients send what they
 * leave out; the last one answers bodies without any.
 */
export function sharedRoute(route: Pick<Route, 'paths' | 'summary'>, variants: readonly Variant[]): Route {
  const last = variants.at(-1);
  if (last === undefined) throw new Error('A route needs a variant at least.');
  const choose = (body: unknown): Variant => {
    const named = variants.filter(({ key }) => fieldOf(body, key) !== undefined);
    return named.find(({ key }) => fieldOf(body, key) !== null) ?? named[0] ?? last;
  };
  return {
    ...route,
    method: 'POST',
    body: z.union([...new Set(variants.map(({ body }) => body))]),
    examples: variants.map(({ example }) => example),
    answers: unite(variants.map(({ answers }) => answers)),
    guarded: true,
    formatError: (error, body) => choose(body).formatError?.(error, body) ?? null,
    handle: (call: Call) => choose(call.body).handle(call),
  };
}

/** Every media type that one of the variants has, with all that it can be. */
function unite(answers: readonly Answers[]): Answers {
  const types = new Set(answers.flatMap(Object.keys));
  return Object.fromEntries(
    [...types].map((type) => {
      const schemas = [...new Set(answers.map((of) => of[type] ?? null).filter((schema) => schema !== null))];
      const [first = null] = schemas;
      return [type, schemas.length > 1 ? z.union(schemas) : first];
    }),
  );
}
