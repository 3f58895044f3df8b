/** Holds real answers against the schemas that their routes declare, and so the OpenAPI document against the routes. */
import { dialects } from '../../src/api/dialects/all.js';
import type { Route } from '../../src/api/route.js';

export const routes: readonly Route[] = dialects.flat();

/** The route of a path as the document or a client writes it. */
export function routeOf(method: string, path: string): Route {
  const found = routes.find(
    (route) => route.method === method && route.paths.some((pattern) => toPattern(pattern).test(path)),
  );
  if (!found) throw new Error(`There is no route ${method} ${path}.`);
  return found;
}

/** Reads a successful answer; throws what differs from its route's schema. */
export async function readAnswer(route: Route, response: Response): Promise<unknown> {
  const type = response.headers.get('content-type')?.replace(/;.*/, '') ?? '';
  const schema = route.answers[type];
  if (schema === undefined) throw new Error(`${route.paths[0]} answers ${type}, which it does not declare.`);
  if (schema === null) return await response.text();
  const text = await response.text();
  const values = type === 'application/x-ndjson' ? text.trim().split('\n') : [text];
  const parsed: unknown[] = values.map((value) => JSON.parse(value));
  for (const value of parsed) {
    const { error } = schema.safeParse(value);
    if (error) throw new Error(`${route.paths[0]} answers what it does not declare: ${JSON.stringify(error.issues)}`);
  }
  return type === 'application/x-ndjson' ? parsed : parsed[0];
}

function toPattern(pattern: string): RegExp {
  return new RegExp(`^${pattern.replace(':id{.+}', '(?:.+)')}$`);
}
