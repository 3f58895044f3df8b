/** A worker that knows only `fetch`. */
self.onmessage = async (event: MessageEvent<{ url: string; init: RequestInit }>) => {
  const response = await fetch(event.data.url, event.data.init);
  self.postMessage(await response.json());
};
