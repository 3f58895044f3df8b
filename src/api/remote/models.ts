/** Models of other servers, as the API asks for them. Types only; `src/edge/upstream.ts` reaches the servers. */

/** Other servers that answer for chosen models. */
export interface RemoteModels {
  /** The names that clients use. */
  readonly names: readonly string[];
  /** The other server's answer. Rejects with a `VecinityError`, `not_found` where it has no such route. */
  forward(request: RemoteRequest): Promise<Response>;
}

/** One request for a model of another server. */
export interface RemoteRequest {
  /** Below the server's base address. */
  path: string;
  /** True for TEI's and vLLM's own routes, which lie beside `/v1` and not below it. */
  fromRoot?: boolean;
  /** One of `names`, which `body.model` may be an alias of. */
  model: string;
  body: object;
  /** The trace that the request is a part of. */
  headers: Readonly<Record<string, string>>;
  signal: AbortSignal | undefined;
}
