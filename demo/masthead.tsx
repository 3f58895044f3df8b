/** Name of the page, the promise about privacy with its proof, and the switch of the theme. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { filesSource, type Session } from './engine.js';
import { LockIcon, Logo, MoonIcon, SunIcon } from './icons.js';
import { foreignOrigins, watchRequests } from './network.js';
import type { ThemeHandle } from './use-theme.js';

export interface MastheadProps extends ThemeHandle {
  session: Session | null;
}

export function Masthead({ theme, toggle, session }: MastheadProps) {
  return (
    <header class="masthead">
      <div class="brand">
        <Logo />
        <div>
          <h1>Vecinity</h1>
          <p class="soft">Which sentences mean the same?</p>
        </div>
      </div>
      <Privacy session={session} />
      <button
        type="button"
        class="icon-button"
        aria-label={theme === 'dark' ? 'Use the light theme' : 'Use the dark theme'}
        onClick={toggle}
      >
        {theme === 'dark' ? <SunIcon /> : <MoonIcon />}
      </button>
    </header>
  );
}

function Privacy({ session }: { session: Session | null }) {
  const origins = useForeignOrigins();
  const details = useLightDismiss();
  const files = session === null ? null : filesSource(session.status);
  return (
    <details class="privacy" ref={details}>
      <summary>
        <LockIcon />
        <span>Nothing leaves this device</span>
        <span class="count" data-testid="foreign-count">
          {origins.length}
        </span>
        <span class="visually-hidden">requests to other origins</span>
      </summary>
      <div class="privacy-more">
        <p>
          The model runs in this tab. Your sentences are neither sent nor stored; a share link keeps them in its
          fragment, which browsers do not send.
        </p>
        <p>
          Requests of this page to other origins: <strong>{origins.length}</strong>
          {origins.length > 0 && ` (${[...new Set(origins)].join(', ')})`}
        </p>
        {files !== null && <p>The model’s files came from {files}; the engine’s worker fetched them.</p>}
      </div>
    </details>
  );
}

/** Workers keep a record of their own, so that the engine's downloads of model files are not among these. */
function useForeignOrigins(): string[] {
  const [origins, setOrigins] = useState<string[]>([]);
  useEffect(
    () =>
      watchRequests((addresses) => {
        const found = foreignOrigins(addresses, location.origin);
        if (found.length > 0) setOrigins((former) => [...former, ...found]);
      }),
    [],
  );
  return origins;
}

/** Closes a `<details>` that lies over the page, as a popover closes: by Escape, or by a press elsewhere. */
function useLightDismiss() {
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const controller = new AbortController();
    const close = () => details.current?.removeAttribute('open');
    const onKey = (event: KeyboardEvent) => event.key === 'Escape' && close();
    const onPress = (event: Event) => {
      if (!(event.target instanceof Node && details.current?.contains(event.target))) close();
    };
    document.addEventListener('keydown', onKey, { signal: controller.signal });
    document.addEventListener('pointerdown', onPress, { signal: controller.signal });
    return () => controller.abort();
  }, []);
  return details;
}
