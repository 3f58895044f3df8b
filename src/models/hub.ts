/** The addresses of a hub, both ways, and how it is told who asks. Knows nothing of what its pages say. */

export interface HubPlace {
  /** With or without a trailing slash. */
  hubUrl: string;
  /** `owner/name` */
  repository: string;
  /** Branch, tag or commit. */
  revision: string;
}

/** Where the repository's files lie, with a trailing slash. */
export function toHubBase({ hubUrl, repository, revision }: HubPlace): string {
  return `${withoutSlash(hubUrl)}/${repository}/resolve/${encodeURIComponent(revision)}/`;
}

/** The repository that an address in the hub's layout means; null for any other address. */
export function parseHubBase(base: string): HubPlace | null {
  const [, hubUrl, repository, revision] = /^(https?:\/\/.+)\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/$/.exec(base) ?? [];
  if (!hubUrl || !repository || !revision) return null;
  try {
    return { hubUrl, repository, revision: decodeURIComponent(revision) };
  } catch {
    // A percent sign that encodes nothing: no hub has written this address.
    return null;
  }
}

/** A page of the hub about a repository: the `tree` of its files, or the `revision`, which names its commit too. */
export function toHubPage(kind: 'tree' | 'revision', { hubUrl, repository, revision }: HubPlace): string {
  const query = { tree: 'recursive=true', revision: 'blobs=true' }[kind];
  return `${withoutSlash(hubUrl)}/api/models/${repository}/${kind}/${encodeURIComponent(revision)}?${query}`;
}

/** The hub's token, for its own host. */
export function toHubHeaders(hubToken: string | null): Record<string, string> {
  return hubToken === null ? {} : { authorization: `Bearer ${hubToken}` };
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}
