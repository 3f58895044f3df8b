/**
 * The API as one WHATWG function, the same in a worker, in Node and at the edge: it mounts the dialects' routes and
 * does what all of them share (paths, key, body, CORS, request ids, errors).
 */
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import type { ApiConfig } from '../config.js';
import type { Engine } from '../core/engine.js';
import { toVecinityError, VecinityError } from '../errors.js';
import { wrongOption } from '../rules.js';
import { readJson } from './body.js';
import { BodyRoom, type Held } from './body-room.js';
import { compatFormat } from './compat.js';
import { corsOptions } from './cors.js';
import { dialects } from './dialects/all.js';
import { errorResponse } from './error-response.js';
import { correlationHeaders, traceHeaders } from './ids.js';
import { checkKey } from './key.js';
import { Metrics } from './metrics.js';
import { completeApiConfig } from './options.js';
import { nameAsAsked } from './params.js';
import { withoutPrefix } from './paths.js';
import type { RemoteModels } from './remote/models.js';
import type { ApiContext, Call, Route } from './route.js';
import { shareUses } from './uses.js';

export type Handler = (request: Request) => Promise<Response>;

export interface HandlerOptions {
  engine: Engine;
  /** Options that differ from the defaults. */
  api?: Partial<ApiConfig>;
  /** Models that other servers answer. */
  remote?: RemoteModels;
  /** Names of models that `/health` waits for, once; left out: any model will do. */
  awaited?: Iterable<string>;
  /** Who sent a request, for the queue's fair shares; without it all requests are of one client. */
  clientOf?: (request: Request) => string | undefined;
  /** Counts of an engine that these watch already; left out: new ones, which watch it from now on. */
  metrics?: Metrics;
}

/** A path that no route has: what is not below the prefix is not ours. */
const nowhere = '//';

/** Makes the API of an engine. The handler never rejects. Throws `invalid_request` for options that cannot work. */
export function createHandler({
  engine,
  api = {},
  remote,
  awaited = [],
  clientOf,
  ...options
}: HandlerOptions): Handler {
  const metrics = options.metrics ?? new Metrics();
  const context: ApiContext = {
    engine: options.metrics ? engine : shareUses(engine, metrics.watch(engine)),
    api: completeApiConfig(api),
    awaited: new Set(awaited),
    ...(remote && { remote }),
  };
  const app = createApp(context, metrics, clientOf);
  return async (request) => {
    if (!isRequest(request)) return errorResponse(wrongOption('request', 'a Request', request));
    const response = await app.fetch(request);
    for (const [name, value] of Object.entries(correlationHeaders(request))) response.headers.set(name, value);
    return response;
  };
}

/** Whichever implementation it is of: runtimes and test libraries bring their own. */
function isRequest(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    'headers' in value &&
    'url' in value &&
    URL.canParse(String(value.url))
  );
}

function createApp(context: ApiContext, metrics: Metrics, clientOf: HandlerOptions['clientOf']): Hono {
  const getPath = (request: Request) => {
    const { pathname } = new URL(request.url);
    return withoutPrefix(pathname, context.api.routePrefix) ?? nowhere;
  };
  const app = new Hono({ getPath });
  if (context.api.corsOrigin !== null) app.use(cors(corsOptions(context.api.corsOrigin)));
  const routes = dialects.flat();
  const room = new BodyRoom();
  for (const route of routes) {
    app.on(route.method, [...route.paths], async (c) => {
      const { raw: request } = c.req;
      const { signal } = request;
      const own = { ...context, signal, client: clientOf?.(request), trace: traceHeaders(request) };
      const held = room.enter();
      const response = await answer(route, request, {
        ...{ context: own, id: c.req.param('id') ?? '', metrics, held },
        query: (name) => c.req.query(name) ?? null,
      }).finally(held.leave);
      metrics.answered(route.paths[0] ?? '', route.method, response.status);
      return response;
    });
  }
  for (const [path, allow] of allowedMethods(routes)) app.all(path, (c) => otherMethod(c.req.raw, allow));
  app.notFound((c) => errorResponse(unknownRoute(c.req.raw, routes)));
  app.onError((error) => errorResponse(error));
  return app;
}

interface Asked extends Omit<Call, 'body'> {
  held: Held;
}

async function answer(route: Route, request: Request, { held, ...call }: Asked): Promise<Response> {
  const { context } = call;
  let body: unknown;
  try {
    if (route.guarded) checkKey(request, context.api.apiKey);
    if (route.body !== null) body = await readJson(request, { anyContentType: route.anyContentType, held });
    return await route.handle({ ...call, body });
  } catch (thrown) {
    const error = nameAsAsked(toVecinityError(thrown), body);
    return errorResponse(error, { format: compatFormat(context.api, route.formatError), request: body });
  }
}

/** The `Allow` header of every path. */
function allowedMethods(routes: readonly Route[]): Map<string, string> {
  const allowed = new Map<string, string>();
  for (const { method, paths } of routes) {
    for (const path of paths) {
      const methods = [allowed.get(path) ?? 'OPTIONS', method, ...(method === 'GET' ? ['HEAD'] : [])];
      allowed.set(path, methods.join(', '));
    }
  }
  return allowed;
}

/** Hono answers HEAD with the GET route; what is left is OPTIONS and methods that a path does not have. */
function otherMethod(request: Request, allow: string): Response {
  if (request.method === 'OPTIONS') return new Response(null, { status: 204, headers: { allow } });
  const message = `The method ${request.method} is not allowed here; allowed: ${allow}.`;
  return errorResponse(new VecinityError('method_not_allowed', message), { headers: { allow } });
}

function unknownRoute(request: Request, routes: readonly Route[]): VecinityError {
  const known = routes.map(({ method, paths }) => `${method} ${paths[0]?.replace(':id{.+}', '{id}')}`).join(', ');
  const { pathname } = new URL(request.url);
  return new VecinityError('not_found', `There is no route ${request.method} ${pathname}; routes: ${known}.`);
}
