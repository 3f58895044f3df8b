/** A site's own Service Worker, which answers our requests beside its own. */
importScripts('/vecinity-sw.js');
self.addEventListener('install', () => self.skipWaiting());
