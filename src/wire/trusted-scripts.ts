/**
 * Trusted Types (https://www.w3.org/TR/trusted-types/): where a site requires them, addresses of scripts pass through a
 * policy. Ours lets through what comes from the script's own origin.
 */
interface Policy {
  createScriptURL(url: string): string;
}

/** The part of `globalThis.trustedTypes` that is used here; the compiler's library does not know it. */
interface PolicyFactory {
  readonly defaultPolicy: Policy | null;
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): Policy;
}

let pagePolicy: Policy | null = null;

/**
 * The address as a sink of a page wants it, under the policy `vecinity`. The site's default policy decides where it has
 * one. The type says string because that is what every sink is declared to take.
 */
export function trustScript(url: URL): string {
  const factory = policyFactory();
  if (factory === null || factory.defaultPolicy !== null || !isOwn(url)) return url.href;
  pagePolicy ??= createPolicy(factory, 'vecinity');
  return pagePolicy?.createScriptURL(url.href) ?? url.href;
}

/** In a worker of ours, whose scripts start other scripts of the same build: the default policy of this thread. */
export function trustOwnScripts(): void {
  const factory = policyFactory();
  if (factory?.defaultPolicy === null) createPolicy(factory, 'default');
}

/** Null where the site has not named our policy in `trusted-types`: then the sink says what is wrong. */
function createPolicy(factory: PolicyFactory, name: string): Policy | null {
  try {
    return factory.createPolicy(name, { createScriptURL: requireOwn });
  } catch {
    return null;
  }
}

function requireOwn(address: string): string {
  const url = new URL(address, location.href);
  if (isOwn(url)) return url.href;
  throw new TypeError(`${url.href} is not of this origin.`);
}

function isOwn({ origin }: URL): boolean {
  return origin === location.origin;
}

function policyFactory(): PolicyFactory | null {
  return (globalThis as { trustedTypes?: PolicyFactory }).trustedTypes ?? null;
}
