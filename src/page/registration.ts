/**
 * Registers the Service Worker and sees to it that plain `fetch` calls of this page arrive there. An entry of its own:
 * a page loads it when it registers, and most of what is said here is said to few. Never reloads the page.
 */
import { VecinityError, wordsOf } from '../errors.js';
import { pause } from '../pause.js';
import type { ToServiceWorker } from '../protocol.js';
import { checkObject, checkRules, type Rule, type Rules } from '../rules.js';
import { buildId } from '../wire/build-id.js';
import { protocolVersion } from '../wire/engine-port.js';
import { askVersion } from '../wire/ping.js';
import { controlUrl, isStandalone } from '../wire/routes.js';
import { isAddress } from './options.js';
import { watchRequests } from './passed-by.js';

/** Registering what stands already takes no network, unless the browser is just looking for an update of it; and that look. */
const registerMs = 5_000;
const activationMs = 20_000;
const controlMs = 5_000;
/** For requests of other tabs to end, which the worker before ours answers. */
const handoverMs = 5_000;
/** The browser may stop the worker before it has read what we say. */
const claims = 4;

export interface RegisterOptions {
  /** Where the script is served; default `/vecinity-sw.js`. Its folder is the widest scope it can have. */
  url?: string | URL;
  scope?: string;
}

export interface Registration {
  /** True when plain `fetch` calls of this page are answered from now on. */
  controlled: boolean;
  /** The build of the script that runs; another one than ours means that an old copy is served. */
  version: string;
  outdated: boolean;
}

const anAddress: Rule = ['an address', isAddress];
const rules: Rules<keyof RegisterOptions> = { url: anAddress, scope: anAddress };

/** What comes from the page, whose copy of the package is the only one that has it. */
export interface Surroundings {
  /** Absent without https, in a sandboxed frame and in some private windows. */
  container: ServiceWorkerContainer | undefined;
  routePrefix: string;
  /** The page's policy for scripts, whose name a site may let be taken once only. */
  trustScript(url: URL): string;
  /** Ends what goes on after the registration. */
  signal: AbortSignal;
}

/** Where a script is registered. */
interface Place extends Pick<Surroundings, 'trustScript'> {
  container: ServiceWorkerContainer;
  scope: string | undefined;
}

/**
 * Registers the script, waits until it is active and controls this page, also after a hard reload.
 * Throws `service_worker_unavailable` with the reason; `vecinity.fetch` works in every such case.
 */
export async function register(
  options: RegisterOptions,
  { container, routePrefix, trustScript, signal }: Surroundings,
): Promise<Registration> {
  checkObject(options);
  checkRules(rules, options);
  const { url = '/vecinity-sw.js', scope } = options;
  if (!container) throw unavailable(absenceReason());
  const wanted = new URL(url, document.baseURI);
  if (routePrefix) wanted.searchParams.set('prefix', routePrefix);
  const place: Place = { container, scope, trustScript };
  await refuseNarrower(place, wanted);
  const registration = await registerScript(place, await runningAddress(place, wanted));
  if (!location.href.startsWith(registration.scope)) {
    throw unavailable(`its scope ${registration.scope} does not include this page; serve it from the root`);
  }
  const { worker, version } = await newestWorker(registration);
  const outdated = version !== buildId;
  const isOurs = (address: string) => isSame(address, worker.scriptURL);
  const controlled = await control(container, worker, isOurs);
  // Another build may not know the question whether it is reached; a site's own script is the site's to replace.
  if (!controlled || outdated || !isStandalone(worker.scriptURL)) return { controlled, version, outdated };
  const repair = async () =>
    (await isReached(registration.scope)) || (await takeOver(place, await runningAddress(place, wanted)));
  if (!(await repair())) return { controlled: false, version, outdated };
  const mount = { origin: location.origin, base: new URL(registration.scope).pathname, routePrefix };
  // A page that has lost its controller registers again by itself; one that another script has is not ours to take.
  const isHeld = () => container.controller !== null && isOurs(container.controller.scriptURL);
  // A worker that is slow to answer is none that is passed by: to replace it would make all tabs slower.
  const mend = async () => !isHeld() || (await reach(registration.scope)) !== 'passed by' || (await repair());
  watchRequests({ mount, container, repair: mend, signal });
  return { controlled, version, outdated };
}

/** Another build than the page's is looked for anew. */
async function newestWorker(
  registration: ServiceWorkerRegistration,
): Promise<{ worker: ServiceWorker; version: string }> {
  let worker = await activeWorker(registration);
  let version = await askVersion(worker);
  if (version !== buildId) {
    await Promise.race([registration.update().catch(ignoreOffline), pause(registerMs)]);
    worker = await activeWorker(registration);
    version = await askVersion(worker);
  }
  if (version !== null) return { worker, version };
  throw unavailable(`${worker.scriptURL} did not answer: it is of another version, or not ours and does not import it`);
}

function absenceReason(): string {
  return isSecureContext
    ? 'this browser or window offers none (a private window, or a web view)'
    : `the page at ${location.origin} is not secure (https, or http on localhost)`;
}

function unavailable(reason: string, cause?: unknown): VecinityError {
  const message = `The Service Worker cannot be used: ${reason}. vecinity.fetch and the client work without it.`;
  return new VecinityError('service_worker_unavailable', message, { cause });
}

/** Offline, the copy that is installed is as good as it gets. */
function ignoreOffline(): void {}

async function registerScript(place: Place, script: URL): Promise<ServiceWorkerRegistration> {
  const { container, scope, trustScript } = place;
  const options = { updateViaCache: 'none' as const, ...(scope === undefined ? {} : { scope }) };
  const asked = container.register(trustScript(script), options).catch((cause) => {
    const advice = isInForeignFrame()
      ? 'a browser may refuse one to a frame on a page of another site'
      : 'where the site has it elsewhere, give its address to register({ url })';
    throw unavailable(`${script.pathname} could not be registered (${wordsOf(cause)}); ${advice}`, cause);
  });
  const registration = await orStanding(place, script, asked);
  // An extension or a test that blocks Service Workers puts a function there that does nothing.
  if (!registration) throw unavailable('something in this browser window blocks its registration');
  return registration;
}

/**
 * What is asked for or, when that takes long, the same script where it stands: a network that swallows what is sent holds
 * up the browser's look for an update, and that every registration behind it.
 */
async function orStanding(
  place: Place,
  script: URL,
  asked: Promise<ServiceWorkerRegistration>,
): Promise<ServiceWorkerRegistration> {
  const answered = new AbortController();
  const standing = pause(registerMs, answered.signal).then(async () => {
    const found = await findRegistration(place, scopeOf(place, script));
    return found?.active?.scriptURL === script.href ? found : await asked;
  });
  try {
    return await Promise.race([asked, standing]);
  } finally {
    answered.abort();
  }
}

/** Only pages of the same origin may read where the outermost one is. */
function isInForeignFrame(): boolean {
  try {
    void globalThis.top?.location.href;
    return false;
  } catch {
    return true;
  }
}

/**
 * The newest worker of the registration, once it is active. A site's own one may wait for its tabs to close, and ours for
 * requests that the one before it answers: then that one.
 */
async function activeWorker(registration: ServiceWorkerRegistration): Promise<ServiceWorker> {
  const worker = registration.installing ?? registration.waiting;
  if (worker) await activated(worker, registration.active);
  if (!registration.active) {
    const isLate = worker !== null && !isSettled(worker);
    throw unavailable(isLate ? `it was not active after ${activationMs / 1000} s` : 'its installation failed');
  }
  return registration.active;
}

async function activated(worker: ServiceWorker, former: ServiceWorker | null): Promise<void> {
  const isOver = () => isSettled(worker);
  // Without one before it, it is active as soon as it is installed.
  const isEnough = () => isOver() || (former !== null && worker.state === 'installed');
  await until(worker, 'statechange', isEnough, activationMs);
  // Ours takes over as soon as the one before it has nothing to do.
  if (former && isStandalone(worker.scriptURL)) await until(worker, 'statechange', isOver, handoverMs);
}

function isSettled({ state }: ServiceWorker): boolean {
  return state === 'activated' || state === 'redundant';
}

/** An uncontrolled page is either new or was hard reloaded; in both cases the worker can still claim it. */
async function control(
  container: ServiceWorkerContainer,
  worker: ServiceWorker,
  isOurs: (address: string) => boolean,
): Promise<boolean> {
  const isControlled = () => container.controller !== null && isOurs(container.controller.scriptURL);
  for (let claim = 0; claim < claims && !isControlled(); claim += 1) {
    worker.postMessage({ vecinity: protocolVersion, type: 'claim' } satisfies ToServiceWorker);
    await until(container, 'controllerchange', isControlled, controlMs);
  }
  return isControlled();
}

/** Counts the takeovers in a script's address, so that tabs that need one at the same time agree on it. */
const turnName = 'again';

/**
 * Where a worker was not running when it became the page's controller, requests pass it by in Chromium 156, whatever is
 * claimed; a worker of another address gets them.
 */
async function takeOver(place: Place, script: URL): Promise<boolean> {
  const { container } = place;
  const other = new URL(script);
  other.searchParams.set(turnName, String(Number(script.searchParams.get(turnName)) + 1));
  const registration = await registerScript(place, other);
  const worker = registration.installing ?? registration.waiting ?? registration.active;
  if (!worker) return false;
  // It need not wait for a moment of the one before it, which gets nothing from this page.
  await until(worker, 'statechange', () => worker.state !== 'installing', activationMs);
  const isControlled = await control(container, worker, (address) => address === worker.scriptURL);
  return isControlled && (await isReached(registration.scope));
}

/** The address that a takeover gave to the script: the wanted one would replace it for all tabs, and needs the network. */
async function runningAddress(place: Place, wanted: URL): Promise<URL> {
  const registration = await findRegistration(place, scopeOf(place, wanted));
  const running = registration?.active?.scriptURL;
  return running !== undefined && isSame(running, wanted.href) ? new URL(running) : wanted;
}

/** The registration with the longest scope has the page, whatever is registered or claimed beside it. */
async function refuseNarrower(place: Place, wanted: URL): Promise<void> {
  const ours = scopeOf(place, wanted);
  const nearest = await findRegistration(place, location.href);
  if (!nearest?.active || nearest.scope === ours || !nearest.scope.startsWith(ours)) return;
  const [script, folder] = [nearest.active.scriptURL, nearest.scope].map((href) => href.slice(location.origin.length));
  throw unavailable(
    `this page belongs to ${script}, whose scope ${folder} is narrower; ` +
      `begin that script with importScripts('${wanted.pathname}') and call register({ url: '${script}', scope: '${folder}' })`,
  );
}

function scopeOf({ scope }: Place, script: URL): string {
  return new URL(scope ?? new URL('.', script), document.baseURI).href;
}

/** Where this is refused, so is `register`, whose words say why. */
async function findRegistration({ container }: Place, url: string): Promise<ServiceWorkerRegistration | undefined> {
  return await container.getRegistration(url).catch(() => undefined);
}

function isSame(address: string, other: string): boolean {
  const [plain, otherPlain] = [address, other].map((href) => {
    const url = new URL(href);
    url.searchParams.delete(turnName);
    return url.href;
  });
  return plain === otherPlain;
}

async function isReached(scope: string): Promise<boolean> {
  return (await reach(scope)) === 'reached';
}

/** Asks for what only the worker has, and no cache: where it does not answer, nobody is asked. */
async function reach(scope: string): Promise<'reached' | 'passed by' | 'silent'> {
  const limit = AbortSignal.timeout(controlMs);
  const asked = fetch(controlUrl(scope), { cache: 'only-if-cached', mode: 'same-origin', signal: limit });
  return await asked.then(
    ({ ok }) => (ok ? 'reached' : 'passed by'),
    () => (limit.aborted ? 'silent' : 'passed by'),
  );
}

/** Waits for events of one type until the condition holds; false when it did not within `limitMs`. */
function until(target: EventTarget, type: string, condition: () => boolean, limitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      target.removeEventListener(type, check);
      resolve(condition());
    };
    const check = () => {
      if (condition()) finish();
    };
    const timer = setTimeout(finish, limitMs);
    target.addEventListener(type, check);
    check();
  });
}
