/** Light or dark: what the system prefers until the person chooses; the choice is kept in this browser. */
import { useEffect, useState } from 'preact/hooks';
import type { Theme } from './color.js';

const storageKey = 'vecinity-theme';

export interface ThemeHandle {
  theme: Theme;
  toggle(): void;
}

export function useTheme(): ThemeHandle {
  const [preferred, setPreferred] = useState<Theme>(systemTheme);
  const [chosen, setChosen] = useState<Theme | null>(readChoice);
  const theme = chosen ?? preferred;

  useEffect(() => {
    const query = darkQuery();
    const follow = () => setPreferred(systemTheme());
    query.addEventListener('change', follow);
    return () => query.removeEventListener('change', follow);
  }, []);

  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);

  const toggle = () => {
    const next = theme === 'dark' ? 'light' : 'dark';
    setChosen(next);
    keepChoice(next);
  };
  return { theme, toggle };
}

function darkQuery(): MediaQueryList {
  return matchMedia('(prefers-color-scheme: dark)');
}

function systemTheme(): Theme {
  return darkQuery().matches ? 'dark' : 'light';
}

/** Storage throws where cookies are blocked; the page works without it. */
function readChoice(): Theme | null {
  try {
    const kept = localStorage.getItem(storageKey);
    return kept === 'light' || kept === 'dark' ? kept : null;
  } catch {
    return null;
  }
}

function keepChoice(theme: Theme): void {
  try {
    localStorage.setItem(storageKey, theme);
  } catch {
    // The choice then lasts as long as the page.
  }
}
