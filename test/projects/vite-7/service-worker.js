import 'vecinity/service-worker';
import { CacheableResponsePlugin } from 'workbox-cacheable-response';
import { precacheAndRoute } from 'workbox-precaching';
import { RangeRequestsPlugin } from 'workbox-range-requests';
import { registerRoute } from 'workbox-routing';
import { NetworkFirst } from 'workbox-strategies';

precacheAndRoute(self.__WB_MANIFEST);
registerRoute(
  ({ url }) => url.pathname.startsWith('/models/'),
  new NetworkFirst({
    cacheName: 'models',
    // That a model lacks a file has to be known without a network too.
    plugins: [new CacheableResponsePlugin({ statuses: [200, 404] }), new RangeRequestsPlugin()],
  }),
);
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
