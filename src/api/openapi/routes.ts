/** The API described by itself: the OpenAPI document, and a page that shows it without a script. */
import type { ApiConfig } from '../../config.js';
import { json } from '../answers.js';
import { documentAnswer } from '../model-answers.js';
import { jsonResponse } from '../respond.js';
import type { Call, Dialect, Route } from '../route.js';
import type { OpenApiDocument } from './document.js';

/** Nothing but the page's own style sheet. */
const policy = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** Routes that describe these dialects, and themselves. */
export function documentsOf(dialects: readonly Dialect[]): Dialect {
  const documents: Dialect = [
    {
      ...get(['/openapi.json', '/api-doc/openapi.json'], 'This API as an OpenAPI 3.1 document.'),
      answers: json(documentAnswer),
      handle: async (call) => jsonResponse(await describe(call)),
    },
    {
      ...get(['/docs'], 'This API as a page for people.'),
      answers: { 'text/html': null },
      handle: async (call) => {
        const { toPage } = await import('./page.js');
        const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy };
        return new Response(toPage(await describe(call)), { headers });
      },
    },
    {
      ...get(['/docs.css'], 'The style sheet of that page.'),
      answers: { 'text/css': null },
      handle: async () => {
        const { style } = await import('./page.js');
        return new Response(style, { headers: { 'content-type': 'text/css; charset=utf-8' } });
      },
    },
  ];
  const written = new WeakMap<ApiConfig, Promise<OpenApiDocument>>();
  const write = async (api: ApiConfig) => {
    const { toOpenApi } = await import('./document.js');
    return await toOpenApi([...dialects.flat(), ...documents], api);
  };
  const describe = ({ context: { api } }: Call) => {
    const document = written.get(api) ?? write(api);
    written.set(api, document);
    return document;
  };
  return documents;
}

function get(paths: readonly string[], summary: string): Omit<Route, 'handle' | 'answers'> {
  return { method: 'GET', paths, summary, body: null, guarded: false };
}
