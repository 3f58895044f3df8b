/** With these headers the engine may use several threads. */
const isolation = [
  { key: 'Cross-Origin-Opener-Policy', value: 'same-origin' },
  { key: 'Cross-Origin-Embedder-Policy', value: 'require-corp' },
];

export default {
  turbopack: { root: import.meta.dirname },
  headers: async () => [{ source: '/:path*', headers: isolation }],
};
