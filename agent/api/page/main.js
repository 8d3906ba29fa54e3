// SPDX-License-Identifier: GPL-2.0-or-later
import { App } from './app.js';
import { html, render } from './html.js';

// In a task of its own: in the one that ends the document, the browser lays it all out as well.
setTimeout(() => render(html`<${App} />`, document.getElementById('app')));
