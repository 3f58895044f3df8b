/** Puts the playground into the page. */
import { render } from 'preact';
import { App } from './app.js';

const host = document.getElementById('app');
if (host === null) throw new Error("index.html has no element with the id 'app'.");
render(<App />, host);
