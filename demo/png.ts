/** The map as a picture: the drawing with its labels, the model's name and the colour scale, at twice the screen's size. */
import { scaleGradientStops } from './color.js';
import { fontFamily, plotInk } from './ink.js';
import type { MapView } from './plot.js';

const padding = 24;
const footer = 40;
const pixelsPerPoint = 2;
const legend = { width: 140, height: 10 } as const;

/** A PNG of `drawing`, which must show `view`. Throws when the browser cannot paint it. */
export async function toPng(drawing: SVGSVGElement, view: MapView, title: string): Promise<Blob> {
  const { width, height } = drawing.viewBox.baseVal;
  const canvas = document.createElement('canvas');
  canvas.width = Math.ceil((width + 2 * padding) * pixelsPerPoint);
  canvas.height = Math.ceil((height + 2 * padding + footer) * pixelsPerPoint);
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('This browser gives no canvas to paint the picture on.');
  context.scale(pixelsPerPoint, pixelsPerPoint);
  context.fillStyle = plotInk[view.theme].surface;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(await toImage(drawing), padding, padding, width, height);
  paintFooter(context, view, title, { width, top: padding + height + 18 });
  return toBlob(canvas);
}

/** Waits until the SVG is decoded; a data address keeps the canvas readable where a blob address would not. */
async function toImage(drawing: SVGSVGElement): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(drawing))}`;
  await image.decode();
  return image;
}

interface Footer {
  width: number;
  top: number;
}

function paintFooter(context: CanvasRenderingContext2D, view: MapView, title: string, { width, top }: Footer): void {
  const { soft } = plotInk[view.theme];
  const right = padding + width;
  const scale = context.createLinearGradient(right - legend.width, 0, right, 0);
  for (const { place, color } of scaleGradientStops(view.theme)) scale.addColorStop(place, color);
  context.fillStyle = scale;
  context.fillRect(right - legend.width, top, legend.width, legend.height);
  context.fillStyle = soft;
  context.font = `11px ${fontFamily}`;
  context.textBaseline = 'top';
  context.fillText(title, padding, top, width - legend.width - padding);
  context.fillText(String(view.domain[0]), right - legend.width, top + legend.height + 4);
  context.textAlign = 'right';
  context.fillText(String(view.domain[1]), right, top + legend.height + 4);
}

function toBlob(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob === null ? reject(new Error('The picture could not be encoded.')) : resolve(blob)));
  });
}
