/** The page's few icons, drawn on a 16 × 16 grid in the colour of their text. */
import type { ComponentChildren } from 'preact';

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg
      class="icon"
      viewBox="0 0 16 16"
      width="16"
      height="16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

export const CopyIcon = () => (
  <Icon>
    <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
    <path d="M10.5 5.5v-2a1 1 0 0 0-1-1h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h2" />
  </Icon>
);

export const CheckIcon = () => (
  <Icon>
    <path d="m3 8.5 3.5 3.5L13 4.5" />
  </Icon>
);

export const SaveIcon = () => (
  <Icon>
    <path d="M8 2.5v7.5M4.8 7 8 10.2 11.2 7M2.5 13.5h11" />
  </Icon>
);

export const LinkIcon = () => (
  <Icon>
    <path d="M6.5 9.5a2.5 2.5 0 0 0 3.6 0l2.4-2.4a2.5 2.5 0 0 0-3.6-3.6l-.9.9" />
    <path d="M9.5 6.5a2.5 2.5 0 0 0-3.6 0L3.5 8.9a2.5 2.5 0 0 0 3.6 3.6l.9-.9" />
  </Icon>
);

export const SunIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="2.8" />
    <path d="M8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M12.6 3.4l-.7.7M4.1 11.9l-.7.7" />
  </Icon>
);

export const MoonIcon = () => (
  <Icon>
    <path d="M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8Z" />
  </Icon>
);

export const LockIcon = () => (
  <Icon>
    <rect x="3" y="7" width="10" height="6.5" rx="1.5" />
    <path d="M5.2 7V5a2.8 2.8 0 0 1 5.6 0v2" />
  </Icon>
);

/** A map of three sentences: the diagonal, and one pair that is near. */
export const Logo = () => (
  <svg class="logo" viewBox="0 0 30 30" width="30" height="30" aria-hidden="true">
    <g class="logo-low">
      <rect x="20.5" y="0" width="9" height="9" rx="2" />
      <rect x="20.5" y="10.25" width="9" height="9" rx="2" />
      <rect x="0" y="20.5" width="9" height="9" rx="2" />
      <rect x="10.25" y="20.5" width="9" height="9" rx="2" />
    </g>
    <g class="logo-mid">
      <rect x="10.25" y="0" width="9" height="9" rx="2" />
      <rect x="0" y="10.25" width="9" height="9" rx="2" />
    </g>
    <g class="logo-high">
      <rect x="0" y="0" width="9" height="9" rx="2" />
      <rect x="10.25" y="10.25" width="9" height="9" rx="2" />
      <rect x="20.5" y="20.5" width="9" height="9" rx="2" />
    </g>
  </svg>
);
