/** `node scripts/run.mjs icons`: draws `public/icon.svg` as the PNG files that installed pages need. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { chromium, type Page } from '@playwright/test';
import { repositoryRoot } from '../src/vite/bundle.js';
import { ensureChromium } from './chromium.js';

interface Icon {
  name: string;
  sizePixels: number;
  /** Without round corners, and smaller on its ground: systems cut such icons to a shape of their own. */
  fillsSquare: boolean;
}

const icons: readonly Icon[] = [
  { name: 'icon-192.png', sizePixels: 192, fillsSquare: false },
  { name: 'icon-512.png', sizePixels: 512, fillsSquare: false },
  { name: 'icon-maskable-512.png', sizePixels: 512, fillsSquare: true },
  { name: 'apple-touch-icon.png', sizePixels: 180, fillsSquare: true },
];

export async function main(): Promise<number> {
  const folder = path.join(repositoryRoot, 'public');
  const drawing = await readFile(path.join(folder, 'icon.svg'), 'utf8');
  const browser = await chromium.launch({ executablePath: ensureChromium(), args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    for (const icon of icons) await writeFile(path.join(folder, icon.name), await draw(page, drawing, icon));
  } finally {
    await browser.close();
  }
  return 0;
}

async function draw(page: Page, drawing: string, { sizePixels, fillsSquare }: Icon): Promise<Buffer> {
  const ground = /fill="(#[0-9a-f]{6})"/.exec(drawing)?.[1] ?? 'transparent';
  const share = fillsSquare ? 80 : 100;
  const style = `margin:0;height:100vh;display:grid;place-items:center;background:${fillsSquare ? ground : 'transparent'}`;
  await page.setViewportSize({ width: sizePixels, height: sizePixels });
  await page.setContent(`<body style="${style}">${drawing.replace('<svg', `<svg width="${share}%"`)}</body>`);
  return await page.screenshot({ omitBackground: true });
}
